"""Programs of other people that tests ask: where they are, and what becomes of a test where they are not."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

OF_ADMINISTRATORS = "/usr/sbin:/sbin"
OWN = Path(__file__).parent.parent / ".venv-deploy/bin"
"""What `make test-slow` installs beside the tests' own environment."""


def tool(name: str) -> str | None:
    """Return where a program is; those of administrators need not be in PATH."""
    return shutil.which(name) or shutil.which(name, path=f"{OF_ADMINISTRATORS}:{OWN}")


def needs(name: str) -> pytest.MarkDecorator:
    """Return a mark that skips a test where a program is not."""
    return pytest.mark.skipif(tool(name) is None, reason=f"{name} is not here")


def ask(name: str, *arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a program."""
    command = [tool(name) or name, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, **options)

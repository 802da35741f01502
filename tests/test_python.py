"""Which versions of Python this runs on: what is declared, checked and documented is one thing, and holds."""

import re
import subprocess
import sys
from importlib.metadata import metadata, requires
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

REPOSITORY = Path(__file__).parent.parent
README, MAKEFILE = ((REPOSITORY / name).read_text(encoding="utf-8") for name in ("README.md", "Makefile"))
MINORS = range(8, 20)
OURS = metadata("error-rate-lake")["Requires-Python"]
CHECK = re.search(r"(?ms)^CHECK_PYTHON := '(.*?)'$", MAKEFILE)[1].replace("\\\n", "")


def allowed(specifiers):
    """Return which minor versions of Python 3 some specifiers allow."""
    return [minor for minor in MINORS if SpecifierSet(specifiers or "").contains(f"3.{minor}.0")]


def applies(requirement, minor):
    """Tell whether something is required on a version of Python, without extras."""
    version = {"python_version": f"3.{minor}", "python_full_version": f"3.{minor}.0", "extra": ""}
    return not requirement.marker or requirement.marker.evaluate(default_environment() | version)


def test_the_readme_names_the_versions():
    """Those, and no other, in the sentence before the first command."""
    *first, last = [f"3.{minor}" for minor in allowed(OURS)]
    assert f"Python {', '.join(first)} or {last} (" in README.partition("$ make run")[0]


@pytest.mark.parametrize("minor", MINORS)
def test_make_run_checks_the_version(minor, monkeypatch):
    """One that is not supported ends it, with the versions that are and what to do."""
    version = (3, minor, 0, "final", 0)
    monkeypatch.setattr(sys, "version_info", version)
    with pytest.raises(SystemExit) as ended:
        exec(CHECK)  # noqa: S102 - as `python -c` does
    if minor in allowed(OURS):
        assert ended.value.code is False
    else:
        versions = re.findall(r"3\.\d+", ended.value.code)
        assert versions == [*(f"3.{each}" for each in allowed(OURS)), f"3.{minor}", "3.13"]
        assert "make run PYTHON=python3.13" in ended.value.code


def test_make_run_checks_before_anything_else(tmp_path):
    """With an interpreter that is of no use, no environment is made, and the message is the last word."""
    python = tmp_path / "python"
    python.write_text(
        f"#!/bin/sh\nexec {sys.executable} -c 'import sys; sys.version_info = (3, 14, 0, 0, 0)\n{CHECK}'\n"
    )
    python.chmod(0o755)
    venv = tmp_path / "venv"
    # `make test` runs this, too, and a make below another one says which folder it enters
    command = ["make", "--no-print-directory", "run", f"PYTHON={python}", f"VENV={venv}"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode
    assert "and this is 3.14. Install one of them" in done.stderr
    assert (done.stdout, venv.exists()) == ("", False)


def test_dependencies_allow_all_of_these_versions():
    """What is required of others runs on each; the upper bound is the one of Luigi, and goes when Luigi's does.

    That of pyspark, which is too large to be installed here, has no upper bound.
    """
    for required in map(Requirement, requires("error-rate-lake")):
        if required.name == "pyspark" and not find_spec("pyspark"):
            continue
        # what is installed is for this one; an older one may have an older release, as the lock says
        needed = {each for each in allowed(OURS) if applies(required, each) and each >= sys.version_info.minor}
        assert needed <= set(allowed(metadata(required.name)["Requires-Python"])), required.name
    assert max(allowed(metadata("luigi")["Requires-Python"])) == max(allowed(OURS))

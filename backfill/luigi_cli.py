"""The `luigi` command."""

import sys

from backfill.engines.local.registration import register
from lake.cli import chosen

VERSIONS = ("luigi", "error-rate-lake")


def main() -> None:
    """Print the versions for `--version`, else do what Luigi's own command does, with our tasks and ranges."""
    if sys.argv[1:] == ["--version"]:
        from importlib.metadata import version  # noqa: PLC0415 - takes as long as all else of this

        print(", ".join(f"{name} {version(name)}" for name in VERSIONS))  # noqa: T201 - the command's result
        return
    chosen("backfill.engines.local.script:main", register)()

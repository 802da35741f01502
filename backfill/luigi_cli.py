"""The `luigi` command."""

import sys

from backfill.engines.local.registration import register
from lake.cli import chosen, printable
from lake.errors import ConfigError

VERSIONS = ("luigi", "error-rate-lake")


def main() -> None:
    """Print the versions for `--version`, else do what Luigi's own command does, with our tasks and ranges."""
    if sys.argv[1:] == ["--version"]:
        from importlib.metadata import version  # noqa: PLC0415 - takes as long as all else of this

        print(", ".join(f"{name} {version(name)}" for name in VERSIONS))  # noqa: T201 - the command's result
        return
    try:
        command = chosen("backfill.engines.local.script:main", register)
    except ConfigError as error:
        print(printable(f"luigi: {error}"), file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)
    command()

"""The `luigi` command: Luigi's own, with our tasks and ranges loaded."""

import sys

from luigi.cmdline import luigi_run

from backfill.luigi_settings import DEFAULTS
from lake.errors import LakeError
from tasks.project import project


def main() -> None:
    """Run `luigi` as if `--module backfill` were given; exit codes as in the README."""
    arguments = sys.argv[1:]
    if arguments and not {"--help", "--help-all", "-h"} & set(arguments):
        try:
            project()
        except LakeError as error:
            print(f"luigi: {error}", file=sys.stderr)  # noqa: T201
            sys.exit(int(DEFAULTS["retcode"]["unhandled_exception"]))
    luigi_run(arguments)

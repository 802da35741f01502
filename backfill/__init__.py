"""Ranges, status and the command line.

`python -m luigi --module backfill` gets the tasks and the honest ranges by this import. Where Luigi isn't imported
yet, as in a command that only prints its help, they wait for registration.register.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

OURS = ("lake", "etl", "tasks", "queries")
COMMANDS = ("luigi", "backfill", "__main__")


def _check_names() -> None:
    """Make sure that what is imported by our packages' names is ours, and not what lies in the current folder.

    Raises:
        SystemExit: In a command, something else is.
        ImportError: In a program.
    """
    ours = Path(__file__).resolve().parent.parent
    for name in OURS:
        spec = find_spec(name)
        places = list(spec.submodule_search_locations or []) if spec else []
        origin = places[0] if places else spec.origin if spec else None
        if origin and Path(origin).resolve().parent != ours:
            said = (
                f"{origin} has the name of a package of error-rate-lake, and Python finds it first. Instead of "
                "its -m run `luigi`, without PYTHONPATH; or set PYTHONSAFEPATH=1; or change to another folder, "
                "with LUIGI_CONFIG_PATH set."
            )
            if Path(sys.argv[0]).stem in COMMANDS:
                print(f"luigi: {said}", file=sys.stderr)  # noqa: T201
                sys.exit(2)  # as for what is wrong with luigi.cfg; lake.errors is not to be imported here
            raise ImportError(said)


_check_names()

if "luigi" in sys.modules:
    from backfill.engines.local.registration import register

    register()

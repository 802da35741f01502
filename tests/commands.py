"""The project's commands without the second that each takes to import what it is made of.

A template has imported libraries, `lake` and `etl`, but not Luigi, which reads luigi.cfg as it is imported.
Each command is a fork of it; folder, environment, streams, imports, end and exit code are those of any process.
Only what Python takes from the environment as it starts, such as the seed of hashes, is the template's.
"""

import atexit
import gc
import json
import os
import pkgutil
import runpy
import signal
import subprocess
import sys
import threading
import time
from importlib import import_module
from pathlib import Path
from typing import NoReturn

COMMANDS = frozenset({"backfill", "lake", "luigi"})
LIBRARIES = (
    "boto3",
    "duckdb",
    "isal.igzip",
    "jsonschema",
    "llvmlite.binding",
    "orjson",
    "pyarrow.compute",
    "pyarrow.dataset",
    "pyarrow.fs",
    "pyarrow.parquet",
    "requests",
    "tenacity",
    "tqdm",
)
OURS = ("lake", "etl")
SECONDS = 120  # for a command


class Template:
    """The process that commands are forks of, one at a time."""

    def __init__(self, folder: Path) -> None:
        self._streams = (folder / "stdout", folder / "stderr")
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},  # as etl has it
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(
        self, command: tuple[str, ...], folder: Path, environment: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Run a command, and return what came of it."""
        request = (command, str(folder), environment, [str(path) for path in self._streams])
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        return subprocess.CompletedProcess(command, code, *(path.read_text() for path in self._streams))

    def end(self) -> None:
        """End it."""
        self._process.communicate(timeout=SECONDS)


def forked() -> str:
    """Return the path of a script in a process that is to run it; the process it is a fork of never returns."""
    for name in LIBRARIES:
        import_module(name)
    import_module("duckdb").close()  # ends its thread, which no fork has and each would wait for in the end
    for package in OURS:
        for module in pkgutil.walk_packages(import_module(package).__path__, f"{package}."):
            if not module.name.endswith("__main__"):
                import_module(module.name)
    gc.freeze()  # what is never looked at stays shared
    for line in sys.stdin:
        child = os.fork()
        if not child:
            return _prepared(*json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201 - the answer
    sys.exit()


def _prepared(command: list[str], folder: str, environment: dict[str, str], streams: list[str]) -> str:
    """Make this process what a new one would be, and return the path of the command's script."""
    signal.alarm(SECONDS)
    files = [
        os.open(os.devnull, os.O_RDONLY),
        *(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) for path in streams),
    ]
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    script = Path(sys.executable).with_name(command[0])
    sys.argv = [str(script), *command[1:]]
    sys.path[0] = str(script.parent)
    return str(script)


def run(script: str) -> NoReturn:
    """Run a command's script and end, as Python does, but without taking apart every module that was imported.

    That takes a fork 130 ms, which is longer than most commands take.
    """
    code: object = 0
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        code = end.code
    threading._shutdown()  # noqa: SLF001 - as below, there is no other name for it
    atexit._run_exitfuncs()  # noqa: SLF001
    if isinstance(code, str):
        print(code, file=sys.stderr)  # noqa: T201 - as Python does
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    run(forked())

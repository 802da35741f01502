"""What a library warns of is a line, once: cron mails whatever a command writes, and nobody reads it twice.

A warning that is known is not hidden here: what causes it is changed, or it is filtered where the library is used.
"""

import fcntl
import os
import sys
import warnings
from contextlib import suppress

OURS = frozenset({"lake", "etl", "tasks", "backfill", "queries"})


def tell_once() -> None:
    """Write warnings as lines to the standard error, each once for this process and all that it forks."""
    import tempfile  # noqa: PLC0415 - it imports much, and a command's help is not to wait for it

    noted = None
    with suppress(OSError), tempfile.TemporaryFile() as file:  # without one, each process says it
        noted = os.dup(file.fileno())  # until it ends

    def show(message: Warning | str, *_: object) -> None:
        text = " ".join(str(message).split())
        said = "".join(each if each.isprintable() else "?" for each in f"warning: {text}, from {_library()}")
        if noted is None or _is_new(said, noted):
            sys.stderr.write(f"{said}\n")

    warnings.showwarning = show  # type: ignore[assignment]  # called by position


def _library() -> str:
    """Return the library that warns; where it has no Python code, our module that calls it."""
    frame = sys._getframe(2)  # noqa: SLF001 - documented
    while frame.f_back and frame.f_globals.get("__name__") == "warnings":
        frame = frame.f_back
    module: str = frame.f_globals.get("__name__", "?")
    library = module.partition(".")[0]
    return f"what {module} calls" if library in OURS else library


def _is_new(said: str, noted: int) -> bool:
    """Tell whether a line is not in a file that processes share, and note it there."""
    fcntl.lockf(noted, fcntl.LOCK_EX)
    try:
        size = os.fstat(noted).st_size
        if said in os.pread(noted, size, 0).decode().splitlines():
            return False
        os.pwrite(noted, f"{said}\n".encode(), size)
    finally:
        fcntl.lockf(noted, fcntl.LOCK_UN)
    return True

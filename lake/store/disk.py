"""Which disk a folder is on: below a lost mount there is another one, and nothing of the lake."""

import os
from contextlib import suppress
from functools import cache
from pathlib import Path


def disk_of(folder: Path) -> int:
    """Return the number of the file system that a folder is in, or would be made in."""
    for each in (folder, *folder.parents):
        with suppress(FileNotFoundError):
            return os.stat(f"{each}/.").st_dev  # noqa: PTH116 - a Path takes the dot away, which has it mounted on demand
    raise FileNotFoundError(folder)


@cache
def disk_at_first(folder: Path) -> int:
    """Return what `disk_of` said when it was first asked; processes that are forked later remember it."""
    return disk_of(folder)

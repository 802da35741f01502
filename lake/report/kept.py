"""What takes seconds to make and is always the same, made once and kept.

    ~/.cache/error-rate-lake/<name>-<digest of what it is made of and by>

begins with the SHA-256 of the rest: a file that is damaged, or of something else, is made anew.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from lake.digests import sha256_of_text, short
from lake.store.disk import replace_file


def kept(name: str, made_of: str, make: Callable[[], str]) -> str:
    """Return a text as it was kept, or else make and keep it; where nothing can be kept, it is made each time.

    Args:
        name: What it is.
        made_of: All that decides what it is like, versions included.
        make: Returns it.
    """
    path = _folder() / f"{name}-{short(made_of)}"
    found = _read(path)
    if found is not None:
        return found
    made = make()
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, f"{sha256_of_text(made)}\n{made}".encode(), 0o600)
    return made


def _folder() -> Path:
    """Return where all is kept, below `$XDG_CACHE_HOME` or `~/.cache`."""
    above = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 - no error without a home
    return Path(above) / "error-rate-lake"


def _read(path: Path) -> str | None:
    """Return what was kept, None if nothing was, or not that."""
    try:
        digest, _, text = path.read_bytes().decode().partition("\n")
    except (OSError, UnicodeError):
        return None
    return text if digest == sha256_of_text(text) else None

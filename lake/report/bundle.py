"""The JavaScript that draws: bundling it takes a second, so that it is done once, and its result kept.

    ~/.cache/error-rate-lake/drawing-<digest of what it is made by and of>.js

begins with the SHA-256 of the rest: a file that is damaged, or of something else, is made anew.
"""

import hashlib
import os
import tempfile
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import vl_convert

VEGA_LITE = "6.4"  # the package's own default changes with the package
EXPORTED = "window.vegaEmbed=vegaEmbed;"
DIGITS = 12


def bundle() -> str:
    """Return JavaScript that defines `vegaEmbed` and all that it needs: what was kept is what would be made.

    Where nothing can be kept, it is made each time.
    """
    path = _path()
    kept = _kept(path)
    if kept is not None:
        return kept
    made = vl_convert.javascript_bundle(EXPORTED, vl_version=VEGA_LITE)
    with suppress(OSError):
        _keep(path, made)
    return made


def _path() -> Path:
    """Return where a bundle of these versions is kept, below `$XDG_CACHE_HOME` or `~/.cache`."""
    above = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 - no error without a home
    made_by = f"vl-convert-python {version('vl-convert-python')}, Vega-Lite {VEGA_LITE}: {EXPORTED}"
    return Path(above) / "error-rate-lake" / f"drawing-{_digest(made_by)[:DIGITS]}.js"


def _kept(path: Path) -> str | None:
    """Return what was kept, None if nothing was, or not that."""
    try:
        digest, _, text = path.read_bytes().decode().partition("\n")
    except (OSError, UnicodeError):
        return None
    return text if digest == _digest(text) else None


def _keep(path: Path, text: str) -> None:
    """Put a text in its place at once: another process reads all of it, or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            unfinished = Path(file.name)
            file.write(f"{_digest(text)}\n{text}".encode())
        unfinished.replace(path)
    except OSError:
        if unfinished:
            unfinished.unlink(missing_ok=True)
        raise


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

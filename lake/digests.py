"""SHA-256 digests, in hexadecimal: of files, of texts, and as short as a name needs them."""

import hashlib
from pathlib import Path

DIGITS = 12
"""Enough to tell by eye, and in a name, what is another thing."""


def sha256_of(path: Path) -> str:
    """Return the digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_text(text: str) -> str:
    """Return the digest of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def short(text: str) -> str:
    """Return the first digits of a text's digest."""
    return sha256_of_text(text)[:DIGITS]

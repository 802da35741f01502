"""The SQL in `queries/`, as data."""

import hashlib
from importlib.resources import files
from importlib.resources.abc import Traversable


def metric(dataset: str) -> str:
    """Return the SELECT that makes one day of a dataset from one day of its inputs."""
    return files("queries").joinpath(f"{dataset}.sql").read_text(encoding="utf-8")


def macros() -> str:
    """Return the statements that create all macros."""
    return "".join(file.read_text(encoding="utf-8") for file in _folder("macros"))


def views() -> dict[str, str]:
    """Return the analysts' views: name to SELECT."""
    return {file.name.removesuffix(".sql"): file.read_text(encoding="utf-8") for file in _folder("views")}


def digest(dataset: str) -> str:
    """Return the SHA-256 of all the SQL that makes a dataset."""
    return hashlib.sha256((macros() + metric(dataset)).encode()).hexdigest()


def quoted(text: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def _folder(name: str) -> list[Traversable]:
    folder = files("queries").joinpath(name)
    return sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)

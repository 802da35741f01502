"""The SQL in `queries/`, as data: read once a process, since a small day takes less time than finding it."""

import re
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from graphlib import TopologicalSorter
from importlib.resources import files
from importlib.resources.abc import Traversable

from lake.digests import sha256_of_text

HEAD = re.compile(
    r"(?P<comment>(?:--.*\n)+)create or replace (?P<kind>view|macro) (?P<name>\w+)"
    r"(?:\((?P<parameters>[^)]*)\))? as ?(?P<table>table\n)?",
)
TOKEN = re.compile(r"""--[^\n]*|/\*(?s:.*?)\*/|'(?:[^']|'')*'|"(?:[^"]|"")*"|\w+|[^\w\s]""")
READS = frozenset({"from", "join"})


@dataclass(frozen=True)
class Definition:
    """A file that creates one view or macro, after a comment that says what it is.

    Attributes:
        statement: The whole text of the file.
    """

    statement: str

    @cached_property
    def _head(self) -> re.Match[str]:
        found = HEAD.match(self.statement)
        if not found:
            raise ValueError(f"This is no comment followed by `create or replace`: {self.statement[:200]}")
        return found

    @property
    def name(self) -> str:
        """What it creates."""
        return self._head["name"]

    @property
    def kind(self) -> str:
        """`view`, `macro`, or `macro table` for one that returns rows, as DuckDB's `comment on` has it."""
        return f"{self._head['kind']}{' table' if self._head['table'] else ''}"

    @property
    def call(self) -> str:
        """How it is asked: its name, with the names and defaults of its parameters."""
        parameters = self._head["parameters"]
        return self.name if parameters is None else f"{self.name}({parameters})"

    @property
    def required(self) -> list[str]:
        """The parameters that have no default."""
        each = (self._head["parameters"] or "").split(",")
        return [name.strip() for name in each if name.strip() and ":=" not in name]

    @property
    def meaning(self) -> str:
        """What it answers, in one line."""
        return " ".join(line.removeprefix("--").strip() for line in self._head["comment"].splitlines())

    @property
    def used(self) -> frozenset[str]:
        """The names that it reads from or calls."""
        return used(self.statement)

    def uses(self, other: "Definition") -> bool:
        """Tell whether this one makes use of another."""
        return self != other and other.name in self.used


@cache
def metric(dataset: str) -> str:
    """Return the SELECT that makes one day of a dataset from one day of its inputs."""
    return files("queries").joinpath(f"{dataset}.sql").read_text(encoding="utf-8")


@lru_cache
def used(text: str) -> frozenset[str]:
    """Return the names that some SQL reads from or calls; a column of such a name is neither."""
    words = tokens(text)
    around = zip(("", *words), words, (*words[1:], ""), strict=False)
    return frozenset(word for before, word, after in around if after == "(" or before.lower() in READS)


def macros() -> tuple[Definition, ...]:
    """Return what metrics share, each after those that it makes use of."""
    return _in_order("macros")


def questions() -> tuple[Definition, ...]:
    """Return the analysts' views and macros, each after those that it makes use of."""
    return _in_order("questions")


def definitions() -> tuple[Definition, ...]:
    """Return all macros, views and questions, by name."""
    return tuple(sorted((*macros(), *questions()), key=lambda each: each.name))


def metric_macros(dataset: str) -> str:
    """Return the statements that create the macros of which a dataset's SQL makes use, for one connection only."""
    return _statements(metric(dataset), macros())


def digest(dataset: str) -> str:
    """Return the SHA-256 of what all the SQL says that makes a dataset, whatever its comments and its layout."""
    return _sha256(metric_macros(dataset) + metric(dataset))


def tokens(text: str) -> tuple[str, ...]:
    """Return the words, literals and signs of some SQL, without its comments."""
    return tuple(found for found in TOKEN.findall(text) if not found.startswith(("--", "/*")))


def quoted(text: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


@lru_cache
def _statements(query: str, known: tuple[Definition, ...]) -> str:
    """Return the statements that create the known macros that a query names, itself or through others."""
    users = [Definition(query)]
    used = set()
    while users:
        user = users.pop()
        found = [each for each in known if user.uses(each) and each not in used]
        used.update(found)
        users += found
    return "".join(
        each.statement.replace("replace macro", "replace temporary macro", 1) for each in known if each in used
    )


@lru_cache
def _sha256(text: str) -> str:
    return sha256_of_text(" ".join(tokens(text)))


@cache
def _in_order(name: str) -> tuple[Definition, ...]:
    found = [Definition(file.read_text(encoding="utf-8")) for file in _files(name)]
    uses = {each: [other for other in found if each.uses(other)] for each in found}
    return tuple(TopologicalSorter(uses).static_order())


def _files(name: str) -> list[Traversable]:
    folder = files("queries").joinpath(name)
    return sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)

"""The commands that the program's texts suggest, found in its source.

A command begins with one of our names and ends with its line, with a backtick, or with the text. What a text fills
in is kept as `{expression}`; a name that is assigned a text, in the same function, is replaced by that text.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
PACKAGES = ("lake", "etl", "tasks", "backfill")
PROSE = "alone|at|can|did|has|is|keeps|to|was"  # what else follows the word lake
BEGINNING = rf"(?:lake|backfill) (?!(?:{PROSE})\b)[a-z]|luigi [A-Z{{-]|duckdb -|python -m|pip install"
COMMAND = re.compile(rf"(?:^|(?<=[\s`]))(?:{BEGINNING})[^\n`]*", re.MULTILINE)
SQL_TEXT = re.compile(r"'((?:[^']|'')*)'")


@dataclass(frozen=True)
class Suggestion:
    """A command that a text suggests.

    Attributes:
        place: The module that has the text.
        command: It, with `{expression}` for what is filled in.
        is_example: Whether it is one of a help text: those are texts of examples alone, a line each.
    """

    place: str
    command: str
    is_example: bool


def suggestions() -> Iterator[Suggestion]:
    """Yield all commands of all texts of the program's Python, but docstrings, and of its SQL."""
    for package in PACKAGES:
        for path in sorted((REPOSITORY / package).rglob("*.py")):
            source = path.read_text(encoding="utf-8")
            if re.search(BEGINNING, source):
                yield from _suggested(path, _texts(ast.parse(source)))
    for path in sorted((REPOSITORY / "queries").rglob("*.sql")):
        yield from _suggested(path, SQL_TEXT.findall(path.read_text(encoding="utf-8")))


def _suggested(path: Path, texts: Iterable[str]) -> Iterator[Suggestion]:
    for text in texts:
        for found in COMMAND.finditer(text):
            is_example = text.startswith("\n")
            yield Suggestion(str(path.relative_to(REPOSITORY)), found[0].strip(), is_example)


def _texts(tree: ast.Module) -> Iterator[str]:
    nodes = list(ast.walk(tree))
    documentation = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    names = {id(key) for node in nodes if isinstance(node, ast.Dict) for key in node.keys}
    names |= {id(node.args[0]) for node in nodes if _is_call_of(node, "epilog")}
    parts = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    others = documentation | names | parts
    filled = {
        id(node.args[0]): node.args[1:]
        for node in nodes
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant)
    }
    for scope in nodes:
        if not isinstance(scope, ast.FunctionDef | ast.Module):
            continue
        known = _assigned(scope) if isinstance(scope, ast.FunctionDef) else {}
        for node in _own(scope):
            if id(node) in others:
                continue
            text = _text(node, known)
            if text is not None:
                yield _formatted(text, filled.get(id(node), []))


def _is_call_of(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name


def _own(scope: ast.AST) -> Iterator[ast.AST]:
    """Yield what is in a scope and in none of the functions in it."""
    for child in ast.iter_child_nodes(scope):
        if not isinstance(child, ast.FunctionDef):
            yield child
            yield from _own(child)


def _assigned(scope: ast.FunctionDef) -> dict[str, str]:
    """Return the texts that names of a function are assigned."""
    known: dict[str, str] = {}
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            text = _text(node.value, known)
            if text is not None:
                known[node.targets[0].id] = text
    return known


def _text(node: ast.AST, known: dict[str, str]) -> str | None:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else _filled_in(part.value, known)
            for part in node.values
            if isinstance(part, ast.Constant | ast.FormattedValue)
        )
    return None


def _filled_in(value: ast.expr, known: dict[str, str]) -> str:
    expression = ast.unparse(value)
    return known.get(expression, f"{{{expression}}}")


def _formatted(text: str, arguments: list[ast.expr]) -> str:
    """Return a text of the logger with what it is given in the place of each %s."""
    expressions = iter(_spread(arguments))
    return re.sub(r"%(?:\.\d)?[sdf]", lambda each: f"{{{next(expressions, each[0])}}}", text)


def _spread(arguments: list[ast.expr]) -> Iterator[str]:
    for each in arguments:
        inner = each.value if isinstance(each, ast.Starred) else each
        yield from map(ast.unparse, inner.elts if isinstance(inner, ast.Tuple) else [inner])

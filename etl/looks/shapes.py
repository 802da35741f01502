"""Guesses at the shape of an application's log, in which a logger writes what it will around each request.

    2026-09-17 10:05:03,123 INFO     192.0.2.7:40000 - "GET /a HTTP/1.1" 200 OK
    $time_iso8601  $field_2  "$request" $status $field_8

Only the time, the request and its status are named, and the upstream's status where a line has both. What stands
between them may be anything: a logger's level changes just where a request fails.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from http import HTTPStatus
from typing import NamedTuple

from etl.lines.formats import UNNAMED
from etl.lines.timestamps import BSD, CLF, UNIX, WORDS, unnamed

METHODS = "GET|HEAD|POST|PUT|DELETE|PATCH|OPTIONS|TRACE|CONNECT|PROPFIND|REPORT|PURGE"
TIME = re.compile(f"(?:{WORDS}|{unnamed(BSD)}|{unnamed(UNIX)})")
CLF_TIME = re.compile(unnamed(CLF))
WITH_OFFSET = re.compile(r".*(?:[Zz]|[+-][0-9]{2}:?[0-9]{2})|[0-9.]+")
REQUEST = re.compile(rf"(?:{METHODS}) [^\s].*")
WHOLE_REQUEST = re.compile(rf"(?:{METHODS}) [^\s]+ HTTP/[0-9.]+")
METHOD = re.compile(METHODS)
TARGET = re.compile(r"/.*|\*|[a-z]+://.*")
STATUSES = frozenset(map(str, (*HTTPStatus, 420, 440, 444, 449, 460, 463, 464, 499, *range(520, 528), 530, 561)))
ANSWERS = r"[1-5][0-9]{2}(?:[,: ]+(?:[1-5][0-9]{2}|-))*"
"""What upstreams answered: a status, or a list of them."""
LABEL = r"(?:[A-Za-z_][\w.-]*[=:])?"
TOKEN = re.compile(
    rf'(?P<before>{LABEL}[\[("<]?)(?P<time>{TIME.pattern})(?P<after>[\])">]?[,;:]*)(?= |$)'
    rf'|(?P<open>{LABEL})"(?P<quoted>(?:[^"\\]|\\.)*)"(?P<close>[,;:]*)(?= |$)'
    r"|\[[^\[\]]*\][^ ]*|[^ ]+"
)
WORD = re.compile(rf"^({LABEL}[\[(<]?)(.*?)([\])>]?[,;:]*)$", re.DOTALL)
PIPE, PADDED = " |  ", "  |  "
"""A pipe between cells, and one after a cell that spaces fill up: they are no part of its value."""
NEARLY_ALL = 0.9
MOST_TOKENS = 60  # of a line


class Token(NamedTuple):
    """What a line has between spaces, the literals around its value, and what separates it from the next."""

    before: str
    value: str
    after: str
    gap: str
    is_time: bool = False


def shapes(lines: Sequence[bytes]) -> Iterator[str]:
    """Yield what `log_format` may be, the best first: fields between pipes or tabs, then between spaces."""
    texts = [line.decode("latin-1").rstrip("\r\n") for line in lines if line.strip()]
    cells = ((lambda text: _cells(text, "|"), True), (lambda text: _cells(text, "\t"), True))
    for split, are_cells in (*cells, (_tokens, False)):
        found = [tokens for text in texts if (tokens := split(text))]
        for shape in _shapes(found, are_cells=are_cells) if 2 * len(found) >= len(texts) else ():
            if shape.isascii() and "$$" not in shape:
                yield shape


def agrees(values: Sequence[str], statuses: Sequence[str]) -> bool:
    """Tell whether values are what upstreams answered: nearly always, the last one is what the client got."""
    told = [(value, status) for value, status in zip(values, statuses, strict=True) if value not in ("", "-")]
    same = sum(re.split("[,: ]+", value)[-1] == status for value, status in told)
    return bool(told) and all(re.fullmatch(ANSWERS, value) for value, _ in told) and same >= NEARLY_ALL * len(told)


def _cells(text: str, separator: str) -> list[Token]:
    """Return the cells of a line; one with a time, or a method and a target, in it is more than one token."""
    parts = text.split(separator)
    if len(parts) < 4:  # noqa: PLR2004 - time, method, target, status
        return []
    found: list[Token] = []
    for number, part in enumerate(parts):
        gap = _between(part, parts[number + 1], separator) if number + 1 < len(parts) else ""
        inner = _tokens(part.strip())
        if WHOLE_REQUEST.fullmatch(part.strip()):  # as one, it may also be what is none: `-` or bytes of TLS
            found.append(Token("", part.strip(), "", gap))
        elif any(each.is_time for each in inner) or (len(inner) > 1 and METHOD.fullmatch(inner[0].value)):
            found += [*inner[:-1], inner[-1]._replace(gap=gap)]
        elif len(inner) == 1:
            found.append(inner[0]._replace(gap=gap))
        else:
            found.append(Token("", part.strip(), "", gap))
    return found


def _between(part: str, following: str, separator: str) -> str:
    """Return the literal between two cells: pipes mostly have spaces around them."""
    has_spaces = separator == "|" and (part.endswith(" ") or following.startswith(" "))
    if not has_spaces:
        return separator
    return PADDED if part.endswith("  ") else PIPE


def _tokens(text: str) -> list[Token]:
    """Return what a line has between spaces."""
    found: list[Token] = []
    at = len(text) - len(text.lstrip(" "))
    while at < len(text) and len(found) < MOST_TOKENS:
        each = TOKEN.match(text, at)
        if not each:  # pragma: no cover - a word is anything
            break
        rest = text[each.end() :]
        gap = rest[: len(rest) - len(rest.lstrip(" "))]
        if each["time"]:
            found.append(Token(each["before"], each["time"], each["after"], gap, is_time=True))
        elif each["quoted"] is not None:
            found.append(Token(each["open"] + '"', each["quoted"], '"' + each["close"], gap))
        else:
            before, value, after = WORD.findall(each[0])[0]
            found.append(Token(before, value, after, gap))
        at = each.end() + len(gap)
    return found


class Places(NamedTuple):
    """Which tokens of a line are its time and its request, and whether that is one: in quotes, or a whole cell."""

    time: int | None
    request: int
    is_quoted: bool

    @property
    def end(self) -> int:
        """The last token of the request: the target, if that is one of its own."""
        return self.request + (not self.is_quoted)


def _places(tokens: Sequence[Token]) -> Places | None:
    """Return where a line has what counts, None for no request. Of several times, one with its offset counts."""
    times = [n for n, each in enumerate(tokens) if each.is_time]
    time = next((n for n in times if WITH_OFFSET.fullmatch(tokens[n].value)), next(iter(times), None))
    for number, each in enumerate(tokens):
        if (each.before.endswith('"') and REQUEST.fullmatch(each.value)) or WHOLE_REQUEST.fullmatch(each.value):
            return Places(time, number, is_quoted=True)
        after = tokens[number + 1] if number + 1 < len(tokens) else None
        if METHOD.fullmatch(each.value) and after and TARGET.fullmatch(after.value):
            return Places(time, number, is_quoted=False)
    return None


def _shapes(lines: Sequence[Sequence[Token]], *, are_cells: bool) -> Iterator[str]:
    """Yield the shape that most lines have, none if they have no request with a status.

    Where two columns hold the same statuses, either may be the upstream's: shapes for each. The wrong one can't
    read the line of a request that no upstream answered, or that several did. Between words the other one is named
    only if it is the next: what follows may hold spaces.
    """
    placed = [(places, line) for line in lines if (places := _places(line))]
    if not placed:
        return
    ((most, _),) = Counter(places for places, _ in placed).most_common(1)
    alike = [line for places, line in placed if places == most]
    statuses = _statuses(most, alike)
    if not statuses:
        return
    first, *others = statuses
    roles = {}
    if most.time is not None:
        roles[most.time] = _time_variable([line[most.time].value for line in alike])
    named = ("request",) if most.is_quoted else ("request_method", "request_uri")
    roles |= {most.request + n: variable for n, variable in enumerate(named)}
    second = next((each for each in others if _are_twins(first, each, alike)), None)
    if second is not None and (are_cells or abs(first - second) == 1):
        yield _written(roles | {first: "status", second: "upstream_status"}, alike, most)
        yield _written(roles | {first: "upstream_status", second: "status"}, alike, most)
    yield _written(roles | {first: "status"}, alike, most)
    if second is not None:
        yield _written(roles | {second: "status"}, alike, most)


def _statuses(places: Places, lines: Sequence[Sequence[Token]]) -> list[int]:
    """Return which tokens are nearly always statuses: those after the request, then the nearest before it."""
    return [
        number
        for number in (*range(places.end + 1, MOST_TOKENS), *range(places.request - 1, -1, -1))
        if sum(len(line) > number and line[number].value in STATUSES for line in lines) >= NEARLY_ALL * len(lines)
    ]


def _are_twins(one: int, other: int, lines: Sequence[Sequence[Token]]) -> bool:
    """Tell whether two tokens of lines are the status of the client and of the upstream, whichever is which."""
    both = [(line[one].value, line[other].value) for line in lines if len(line) > max(one, other)]
    left, right = zip(*both, strict=True)
    several = {a for a, b in both if a == b}  # a size or a duration may be 200 each time
    return len(several) > 1 and (agrees(left, right) or agrees(right, left))


def _time_variable(values: Sequence[str]) -> str:
    if all(CLF_TIME.fullmatch(value) for value in values):
        return "time_local"
    return "msec" if all(re.fullmatch("[0-9.]+", value) for value in values) else "time_iso8601"


def _written(roles: dict[int, str], lines: Sequence[Sequence[Token]], places: Places) -> str:
    """Return the shape in the notation of nginx: what has no role is a nameless field."""
    last, shape, is_passed = max(roles), "", False
    begin = 0 if places.time is None else places.time + 1
    is_open = places.is_quoted and _are_words(lines, begin, places.request)
    for number in range(last + 1):
        if number in roles:
            before, after = _most((line[number].before, line[number].after) for line in lines)
            shape += f"{before}${roles[number]}{after}"
            is_passed = False
        else:
            if is_passed:
                shape = shape[: shape.rindex("$")]  # as many words as there are
            shape += f"${UNNAMED}{number + 1}"
            is_passed = is_open and begin <= number < places.request
        if number < last:
            shape += _gap([line[number].gap for line in lines])
    follow = [line[last].gap for line in lines if len(line) > last + 1]
    return shape + (f"{_gap(follow)}${UNNAMED}{last + 2}" if 2 * len(follow) > len(lines) else "")


def _are_words(lines: Sequence[Sequence[Token]], begin: int, end: int) -> bool:
    """Tell whether a line's tokens can't be taken for the request that follows: in quotes, or a `-` and a word."""
    between = [line[begin:end] for line in lines]
    return (
        all(line[end].before.endswith('"') for line in lines)
        and not any('"' in each.before for tokens in between for each in tokens)
        and not any(each.before + each.value + each.after == "-" for tokens in between for each in tokens[:-1])
    )


def _gap(gaps: Sequence[str]) -> str:
    """Return what separates two fields: one space if it is always one, else a run of them."""
    if all(gap == gaps[0] for gap in gaps) and not gaps[0].startswith("  "):
        return gaps[0]
    if any("|" in gap for gap in gaps):
        return PADDED if PADDED in gaps else PIPE
    return "  "


def _most(found: Iterable[tuple[str, str]]) -> tuple[str, str]:
    ((most, _),) = Counter(found).most_common(1)
    return most

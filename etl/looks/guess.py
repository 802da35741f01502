"""Guesses at how a source of unknown raw logs is to be declared: keys of luigi.cfg and their values."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from itertools import islice
from typing import NamedTuple

import orjson

from etl.lines.formats import PREFIX_TIME, SHAPES, shaped
from etl.lines.timestamps import CLF, ISO, UNIX, unnamed

Settings = Mapping[str, str]
"""Keys of a section `[source.NAME]`."""

VANTAGES = {"alb": "load_balancer", "heroku": "load_balancer", "cloudfront": "edge", "fastly": "edge"}
NO_NAME = "web"
COMMONPLACE = ("access", "log", "logs", "ssl", "json", "txt", "gz")
"""Words that tell nothing of the application in the name of a log."""

STATUSES = r"[1-5][0-9]{2}(?:[,: ]+(?:[1-5][0-9]{2}|-))*"
SECONDS = r"[0-9]+\.[0-9]+"
LINE_END = r"\r?\n?$"
TRAILING = re.compile(
    rb' (?P<before>(?:[A-Za-z_][\w-]*=)?["\[]?)'
    rb'(?P<value>(?<=")(?:[^"\\]|\\.)*|(?<=\[)[^"\[\]]*|[^ "\[\]]+)(?P<after>["\]]?)',
    re.DOTALL,
)
"""A field of a line: bare, in quotes or in brackets, maybe after a label like `rt=`."""
VARIABLES = {
    "request_time": SECONDS,
    "upstream_response_time": rf"{SECONDS}(?:[,: ]+(?:{SECONDS}|-))*",
    "upstream_status": STATUSES,
    "upstream_addr": r"(?:(?:[0-9]{1,3}\.){3}[0-9]{1,3}:[0-9]{1,5}|unix:[^ ]+)(?:[,: ]+.*)?",
    "host": r"(?:[A-Za-z0-9_-]+\.)+[A-Za-z]{2,}(?::[0-9]{1,5})?",
}
"""nginx's variables that a further field of a line may be, and what their values look like."""

DURATIONS = ("request_time", "duration", "latency", "elapsed", "took", "response_time")
UNITS = ("", "_s", "_seconds", "_ms", "_us")
KEYS = {
    "time": (
        ("time_iso8601", "time_local", "timestamp", "@timestamp", "time", "ts", "datetime"),
        f"{unnamed(CLF)}|{unnamed(ISO)}|{unnamed(UNIX)}",
    ),
    "request": (("request", "request_line"), r"[A-Z-]+ .+"),
    "method": (("request_method", "method", "http_method", "verb"), r"[A-Z-]+"),
    "target": (("request_uri", "uri", "url", "path", "target"), r"/.*|\*|[a-z]+://.*"),
    "status": (("response_status", "status", "status_code", "response_code", "code"), r"[1-5][0-9]{2}"),
    "response_bytes": (
        ("body_bytes_sent", "bytes_sent", "response_bytes", "response_size", "bytes", "size"),
        r"-|[0-9]+",
    ),
    "duration": (tuple(word + unit for word in DURATIONS for unit in UNITS), r"[0-9][0-9.e-]*(?:[mu]?s)?"),
    "upstream_status": (("upstream_status",), STATUSES),
    "upstreams": (("upstream_addr",), r".+"),
    "host": (("host", "http_host", "vhost", "domain", "server_name"), r"[^ /]+"),
    "user_agent": (("user_agent", "http_user_agent", "agent"), r".+"),
}
"""What `fields` gives the key of: the names that the key may have, best first, and what its values look like."""
KEY = re.compile(r"[^\s,;#.]+(?:\.[^\s,;#.]+)*")
PAIR = re.compile(rb'(?<![^ ="])([^ ="]+)=("(?:[^"\\]|\\.)*"|[^ "]*)', re.DOTALL)
MOST_PARTS = 50  # fields that may follow those of a known format
DEEPEST = 8  # nested objects are looked into so far
RARE = 0.2  # share of the lines: a key that fewer have is passed over

DATE = re.compile(
    r"(?<![0-9])(?P<year>(?:19|20)[0-9]{2})(?P<sep>[-_./]?)(?P<month>[01][0-9])(?P=sep)(?P<day>[0-3][0-9])"
    r"(?=(?:[0-9]{2})?(?![0-9]))"
)
MISLEADING = re.compile(r"[*\[{}%~;#\s]")
MOST_NEIGHBOURS = 7


class Part(NamedTuple):
    """A field of a line, and the literals around it."""

    before: str
    value: str
    after: str


def name(path: str) -> str:
    """Return a name for a source and its application: the first word of the file's name that says something."""
    words = re.findall(r"[a-z]{2,63}", path.rpartition("/")[2].lower())
    return next((word for word in words if word not in COMMONPLACE), NO_NAME)


def files(path: str, times: Sequence[datetime]) -> Settings:
    """Return `files` for logs named as this one, and `neighbour_days` where its lines ask for that.

    A date in the name is taken for the day of the lines if it is the only one, and theirs or a few days from it;
    an hour after it, if it is that of the first line.

    Args:
        path: The name.
        times: When the requests in it were logged, in order.
    """
    path = "".join(c if c.isprintable() else "?" for c in MISLEADING.sub("?", path))
    days = {found[0]: _day(found) for found in DATE.finditer(path)}
    (day,) = set(days.values()) if len(set(days.values())) == 1 else (None,)
    if day is None or not times:
        return {"files": path}
    far = max(abs((time.date() - day).days) for time in times)
    if far > MOST_NEIGHBOURS:
        return {"files": path}
    before, found, after = _rpartition(path)
    hour = rf"(?<![0-9]){times[0].hour:02}(?![0-9])"
    if len(re.findall(hour, after)) == 1:
        after = re.sub(hour, "{HH}", after)
    dated = DATE.sub(r"{YYYY}\g<sep>{MM}\g<sep>{DD}", before + found) + after
    return {"files": dated} | ({"neighbour_days": str(far)} if far else {})


def _rpartition(path: str) -> tuple[str, str, str]:
    """Return what stands before the last date in a name, the date, and what follows it."""
    last = list(DATE.finditer(path))[-1]
    return path[: last.start()], last[0], path[last.end() :]


def _day(found: re.Match[str]) -> date | None:
    with suppress(ValueError):
        return date(int(found["year"]), int(found["month"]), int(found["day"]))
    return None


def trailing(lines: Sequence[bytes]) -> Iterator[Settings]:
    """Yield the formats of SHAPES that lines begin as, the longest first, with a guess at what follows."""
    for base in reversed(SHAPES):
        known = shaped(base, SHAPES[base])
        begins = re.compile(known.pattern.removesuffix(LINE_END).encode())
        ends = [line[found.end() :].rstrip(b"\r\n") for line in lines if (found := begins.match(line))]
        split = [parts for end in ends if (parts := _parts(end))]
        if split:
            yield {"format": base, "trailing": _shape(split, len(known.fields) + 1)}


def _parts(text: bytes) -> list[Part]:
    """Return the fields of a line's end, none if it is no list of fields after spaces."""
    found = list(islice(TRAILING.finditer(text), MOST_PARTS + 1))
    if len(found) > MOST_PARTS or b"".join(each[0] for each in found) != text:
        return []
    return [Part(*(each[group].decode("latin-1") for group in ("before", "value", "after"))) for each in found]


def _shape(lines: Sequence[Sequence[Part]], number: int) -> str:
    """Return the shape that most lines have; `number` is that of its first field in the line."""
    literals = [tuple((part.before, part.after) for part in line) for line in lines]
    ((shape, _),) = Counter(literals).most_common(1)
    alike = [line for line, each in zip(lines, literals, strict=True) if each == shape]
    left, fields = dict(VARIABLES), []
    for index, (before, after) in enumerate(shape):
        values = [line[index].value for line in alike]
        variable = next((v for v, pattern in left.items() if _most(values, pattern)), f"field_{number + index}")
        left.pop(variable, None)
        fields.append(f"{before}${variable}{after}")
    return " ".join(fields)


def _most(values: Sequence[str], pattern: str) -> bool:
    """Tell whether at least half of the values that are any look like that."""
    told = [value for value in values if value not in ("", "-")]
    return bool(told) and 2 * sum(bool(re.fullmatch(pattern, value)) for value in told) >= len(told)


def fields(lines: Sequence[bytes]) -> Iterator[Settings]:
    """Yield json and logfmt with the keys that lines have, as far as their names and values tell what they are."""
    for log_format, read in (("json", _json_values), ("logfmt", _logfmt_values)):
        found = [values for line in lines if (values := read(line))]
        by_key: dict[str, list[str]] = {}
        for values in found:
            for key, value in values.items():
                by_key.setdefault(key, []).append(value)
        often = {key: values for key, values in by_key.items() if len(values) >= RARE * len(found)}
        chosen = {role: best for role in KEYS if (best := _key(often, role))}
        if log_format == "logfmt":
            chosen.setdefault("time", PREFIX_TIME)
        pairs = [f"{_with_unit(role, key)} = {key}" for role, key in chosen.items()]
        yield {"format": log_format, "fields": "\n".join(["", *pairs])}


def _key(values: Mapping[str, Sequence[str]], role: str) -> str | None:
    """Return the key that is most probably what `fields` calls so: by its name, then the one nested least."""
    names, pattern = KEYS[role]
    found = [
        (names.index(known), key.count("."), key)
        for key in values
        for known in _names(key)
        if known in names and _most(values[key], pattern)
    ]
    return min(found)[2] if found else None


def _names(key: str) -> tuple[str, str]:
    """Return what to know a key by: its last part, and its last two."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).lower().replace("-", "_").split(".")
    return words[-1], "_".join(words[-2:])


def _with_unit(role: str, key: str) -> str:
    unit = _names(key)[0].rpartition("_")[2]
    return f"{role}_{unit}" if role == "duration" and unit in ("ms", "us") else role


def _json_values(line: bytes) -> dict[str, str]:
    with suppress(orjson.JSONDecodeError):
        found = orjson.loads(line)
        return dict(_leaves("", found)) if isinstance(found, dict) else {}
    return {}


def _leaves(prefix: str, found: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield texts and numbers by their dotted keys."""
    for key, value in found.items():
        if "." in key:  # would be taken for a nested one
            continue
        if isinstance(value, dict) and prefix.count(".") < DEEPEST:
            yield from _leaves(f"{prefix}{key}.", value)
        elif isinstance(value, str | int | float) and KEY.fullmatch(prefix + key) and key.isprintable():
            yield prefix + key, str(value)


def _logfmt_values(line: bytes) -> dict[str, str]:
    pairs = ((key.decode("latin-1"), value.strip(b'"').decode("latin-1")) for key, value in PAIR.findall(line))
    return {key: value for key, value in pairs if KEY.fullmatch(key) and key.isascii()}

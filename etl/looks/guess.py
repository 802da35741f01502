"""Guesses at how a source of unknown raw logs is to be declared: keys of luigi.cfg and their values."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from itertools import islice
from typing import NamedTuple

from etl.lines.formats import COMBINED, COMMON, MAY_FOLLOW, PREFIX_TIME, SHAPES, UNNAMED, Role, shaped
from etl.lines.timestamps import BSD, CLF, ISO, UNIX, unnamed
from etl.looks import pods
from etl.looks.shapes import ANSWERS, NEARLY_ALL, agrees, shapes
from etl.looks.siblings import MONTH, is_random

Settings = Mapping[str, str]
"""Keys of a section `[source.NAME]`."""

VANTAGES = {"alb": "load_balancer", "heroku": "load_balancer", "cloudfront": "edge", "fastly": "edge"}
NO_NAME = "web"
COMMONPLACE = frozenset(
    (
        *("access", "log", "logs", "ssl", "json", "txt", "csv", "ndjson", "out", "stdout", "stderr", "part", "ex"),
        *(
            "gz",
            "bz",
            "xz",
            "zst",
            "zip",
            "tar",
            "tgz",
            "syslog",
            "localhost",
            "host",
            "hosts",
            "vhost",
            "vhosts",
            "other",
            "old",
            "bak",
            "save",
            "copy",
            "tmp",
        ),
        *("request", "requests", "production", "combined", "common", "extend", "current", "daily", "hourly"),
    )
)
"""Words that tell nothing of the application in the name of a log."""

EXTENSIONS = re.compile(
    r"(?:[.*](?:log|txt|json[l5]?|ndjson|[ct]sv|out|err|old|bak|[0-9*]+|tar|t?gz(?:ip)?|t?bz2?|tbz2|t?xz|t?zstd?|lz4|lzma|7z"
    r"|br|zip|z|parquet|utf-?(?:8|16)))*\*?$"
)
"""Ends of names, which are no part of a log's own one."""

FORWARDED = "$http_x_forwarded_for"
LIST = re.compile(rb'[^ "\[\]]+, ')
SECONDS = r"[0-9]+\.[0-9]+"
LINE_END = r"\r?\n?$"
TRAILING = re.compile(
    rb' (?P<before>(?:[A-Za-z_][\w-]*=)?["\[]?)'
    rb'(?P<value>(?<=")(?:[^"\\]|\\.)*|(?<=\[)[^"\[\]]*|[^ "\[\]]+)(?P<after>["\]]?)',
    re.DOTALL,
)
"""A field of a line: bare, in quotes or in brackets, maybe after a label like `rt=`."""
OWN_UNIT = r"(?:(?:[0-9]+h)?[0-9]+m)?[0-9]+(?:\.[0-9]+)?(?:[mun]|\u00c2?\u00b5|\u03bc|\u00ce\u00bc)?s"
"""A duration with its unit, as Go writes it; the sign of micro may be the bytes of UTF-8, read as Latin-1."""
TIMES = rf"{SECONDS}(?:[,: ]+(?:{SECONDS}|-))*"
VARIABLES = {
    "request_time": f"{SECONDS}|{OWN_UNIT}",
    "upstream_connect_time": TIMES,
    "upstream_header_time": TIMES,
    "upstream_response_time": TIMES,
    "upstream_status": ANSWERS,
    "upstream_addr": r"(?:(?:[0-9]{1,3}\.){3}[0-9]{1,3}:[0-9]{1,5}|unix:[^ ]+)(?:[,: ]+.*)?",
    "host": r"(?:[A-Za-z0-9_-]+\.)+[A-Za-z]{2,}(?::[0-9]{1,5})?",
}
"""nginx's variables that a further field of a line may be, and what their values look like."""
LABELS = {
    "rt": "request_time",
    "uct": "upstream_connect_time",
    "uht": "upstream_header_time",
    "urt": "upstream_response_time",
    **{variable: variable for variable in VARIABLES},
}
"""What a label such as `rt=` says that a field is, as in nginx' documentation."""
TIMED = ("request_time", "upstream_response_time")
LABELLED = ("upstream_connect_time", "upstream_header_time")
"""Variables that only a label tells from another one."""

HOST = re.compile(r"(?:[a-z0-9_-]+\.)+[a-z][a-z0-9-]*[a-z]")
MACHINE = re.compile(
    r"\.(?:local|localdomain|lan|internal|intranet|cluster|node|pod|compute|amazonaws\.com)$|^(?:ip-[0-9]|localhost)"
)
"""Names of machines, which are no applications."""
DURATIONS = ("request_time", "duration", "latency_human", "latency", "elapsed", "took", "response_time")
UNITS = ("", "_s", "_seconds", "_ms", "_us")
KEYS = {
    "time": (
        ("time_iso8601", "time_local", "timestamp", "@timestamp", "time", "ts", "datetime"),
        f"{unnamed(CLF)}|{unnamed(ISO)}|{unnamed(UNIX)}|{unnamed(BSD)}",
    ),
    "request": (("request", "request_line"), r"[A-Z-]+ .+"),
    "method": (("request_method", "method", "http_method", "verb"), r"[A-Z-]+"),
    "target": (
        ("request_uri", "uri", "url", "path", "target", "request_url", "request_path", "request"),
        r"/.*|\*|[a-z]+://.*",
    ),
    "status": (("response_status", "status", "status_code", "response_code", "code"), r"[1-5][0-9]{2}"),
    "response_bytes": (
        ("body_bytes_sent", "bytes_sent", "response_bytes", "response_size", "bytes", "size"),
        r"-|[0-9]+",
    ),
    "duration": (tuple(word + unit for word in DURATIONS for unit in UNITS), rf"[0-9][0-9.e-]*|{OWN_UNIT}"),
    "upstream_status": (("upstream_status",), ANSWERS),
    "upstreams": (("upstream_addr",), r".+"),
    "host": (("host", "http_host", "vhost", "domain", "server_name"), r"[^ /]+"),
    "user_agent": (("user_agent", "http_user_agent", "agent"), r".+"),
}
"""What `fields` gives the key of: the names that the key may have, best first, and what its values look like."""
KEY = re.compile(r"[^\s,;#.]+(?:\.[^\s,;#.]+)*")
PAIR = re.compile(rb'(?<![^ ="])([^ ="]+)=("(?:[^"\\]|\\.)*"|[^ "]*)', re.DOTALL)
FINE = r"[0-9]+\.[0-9]{3,9}"
LONG = 60  # seconds, that hardly a request takes which is answered
ANSWERED = re.compile("[2-4][0-9]{2}(?<!408)(?<!499)")
"""Statuses of requests that did not end because somebody had waited for so long."""
MOST_PARTS = 50  # fields that may follow those of a known format
DEEPEST = 8  # nested objects are looked into so far
RARE = 0.2  # share of the lines: a key that fewer have is passed over


class Part(NamedTuple):
    """A field of a line, and the literals around it."""

    before: str
    value: str
    after: str


def name(path: str) -> str:
    """Return a name for a source and its application: the workload's, or the first word that says something."""
    if of_pods := pods.name(path):
        return of_pods
    text = re.sub(r"\{[A-Z]+\}", "-", path).rpartition("/")[2]
    text = MONTH.sub("-", re.sub(r"(?:\*|\.[0-9*]+)+$", "", text.lower()))
    parts = re.findall(r"[a-z0-9]+", EXTENSIONS.sub("", text))
    words = (word for part in parts if not is_random(part) for word in re.findall("[a-z]{2,63}", part))
    return next((word for word in words if word not in COMMONPLACE), NO_NAME)


def trailing(lines: Sequence[bytes]) -> Iterator[Settings]:
    """Yield the formats of SHAPES that lines begin as, the longest first, with a guess at what follows."""
    for base in reversed(SHAPES):
        if end := _end(lines, SHAPES[base]):
            yield {"format": base, "trailing": end + MAY_FOLLOW}


def forwarded(lines: Sequence[bytes]) -> Iterator[Settings]:
    """Yield what lines may be that begin with X-Forwarded-For, if one is a list, and go on as a common format."""
    if any(LIST.match(line) for line in lines):
        for base in (COMBINED, COMMON):
            shape = f"{FORWARDED} {base}"
            end = _end(lines, shape)
            yield {"format": "log_format", "log_format": f"{shape} {end}" if end else shape}


def _end(lines: Sequence[bytes], shape: str) -> str:
    """Return a guess at what follows a shape that lines begin with, nothing if that is no list of fields."""
    known = shaped("", shape)
    status = next(n for n, field in enumerate(known.fields) if field.role is Role.STATUS)
    begins = re.compile(known.pattern.removesuffix(LINE_END).encode())
    found = [
        (each[f"f{status}"].decode("latin-1"), line[each.end() :])
        for line in lines
        if (each := begins.match(line))
    ]
    split = [(told, parts) for told, end in found if (parts := _parts(end.rstrip(b"\r\n")))]
    return _shape(split, len(known.fields) + 1) if split else ""


def log_formats(lines: Sequence[bytes]) -> Iterator[Settings]:
    """Yield what an application's log may be declared as, if its lines have a request and a status."""
    for shape in shapes(lines):
        yield {"format": "log_format", "log_format": shape}


def exchanged(log_format: str) -> str:
    """Return a log_format in which the client's status and the upstream's have changed places."""
    of_variable = {"$status": "$upstream_status", "$upstream_status": "$status"}
    return re.sub(r"\$(?:upstream_)?status\b", lambda found: of_variable[found[0]], log_format)


def _parts(text: bytes) -> list[Part]:
    """Return the fields of a line's end, none if it is no list of fields after spaces."""
    found = list(islice(TRAILING.finditer(text), MOST_PARTS + 1))
    if len(found) > MOST_PARTS or b"".join(each[0] for each in found) != text:
        return []
    return [Part(*(each[group].decode("latin-1") for group in ("before", "value", "after"))) for each in found]


def _shape(lines: Sequence[tuple[str, Sequence[Part]]], number: int) -> str:
    """Return the shape that most lines have; `number` is that of its first field in the line."""
    literals = [tuple((part.before, part.after) for part in line) for _, line in lines]
    ((shape, _),) = Counter(literals).most_common(1)
    alike = [line for line, each in zip(lines, literals, strict=True) if each == shape]
    statuses = [status for status, _ in alike]
    columns = [[line[index].value for _, line in alike] for index in range(len(shape))]
    labels = [LABELS.get(before.rstrip('["=')) for before, _ in shape]
    names = [f"{UNNAMED}{number + index}" for index in range(len(shape))]
    left = [*range(len(shape))]
    for variable, pattern in VARIABLES.items():
        labelled = [index for index in left if labels[index] == variable]
        fitting = [
            index
            for index in labelled or ([] if variable in LABELLED else left)
            if labels[index] in (None, variable)
            and _most(columns[index], pattern)
            and _means(variable, columns[index], statuses)
        ]
        if fitting:
            chosen = _longest(fitting, columns) if variable in TIMED else fitting[0]
            names[chosen] = variable
            left.remove(chosen)
    return " ".join(f"{before}${name}{after}" for (before, after), name in zip(shape, names, strict=True))


def _means(variable: str, values: Sequence[str], statuses: Sequence[str]) -> bool:
    """Tell whether values that look like those of one of VARIABLES mean what it says."""
    if variable == "upstream_status":
        return agrees(values, statuses)
    return variable != "request_time" or are_durations(values, statuses)


def _longest(fitting: Sequence[int], columns: Sequence[Sequence[str]]) -> int:
    """Return which column of durations is the whole one: the first, unless another hardly ever is less than it.

    A request takes as long as its upstream or longer, and some time if there is none. Clocks are a bit coarse.
    """
    chosen, *others = fitting
    for other in others:
        both = [*zip(map(_length, columns[chosen]), map(_length, columns[other]), strict=True)]
        longer = sum(one < another for one, another in both)
        shorter = sum(one > another for one, another in both)
        if shorter < (1 - NEARLY_ALL) * longer:
            chosen = other
    return chosen


def _length(value: str) -> Decimal:
    """Return a number of seconds, the sum of a list of them, or -1 if there is none."""
    told = [Decimal(each) for each in re.findall(r"[0-9]+\.?[0-9]*", value)]
    return sum(told, Decimal(0)) if told else Decimal(-1)


def are_durations(values: Sequence[str], statuses: Sequence[str]) -> bool:
    """Tell whether the unit of durations is shown: each value has its own, or those of answers are seconds."""
    told = [value for value in values if value not in ("", "-")]
    own = bool(told) and all(re.fullmatch(OWN_UNIT, value) for value in told)
    answered = [value for value, status in zip(values, statuses, strict=True) if ANSWERED.fullmatch(status)]
    return own or are_seconds(answered)


def are_seconds(values: Sequence[str]) -> bool:
    """Tell whether durations are shown to be seconds: fractions to a millisecond or less, and hardly any is long.

    Of milliseconds most would be larger; whole numbers may be anything.
    """
    told = sorted(Decimal(value) for value in values if re.fullmatch(FINE, value))
    whole = sum(bool(re.fullmatch("[0-9.]+", value)) for value in values)
    return bool(told) and len(told) == whole and told[len(told) // 2] < 1 and told[int(0.99 * len(told))] < LONG


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
        if not _are_sure(chosen, found):
            del chosen["duration"]
        if "host" in chosen and not are_applications(by_key[chosen["host"]]):
            del chosen["host"]
        if log_format == "logfmt":
            chosen.setdefault("time", PREFIX_TIME)
        pairs = [f"{_with_unit(role, key)} = {key}" for role, key in chosen.items()]
        yield {"format": log_format, "fields": "\n".join(["", *pairs])}


def _are_sure(chosen: Mapping[str, str], lines: Sequence[Mapping[str, str]]) -> bool:
    """Tell whether the unit of durations is shown: by the key, by the values' own, or by what they are."""
    key = chosen.get("duration")
    if key is None or _names(key)[0].rpartition("_")[2] in ("s", "seconds", "ms", "us"):
        return True
    durations, statuses = ([line.get(name, "") for line in lines] for name in (key, chosen.get("status", "")))
    return are_durations(durations, statuses)


def are_applications(hosts: Sequence[str]) -> bool:
    """Tell whether hosts are what clients asked for, not the machines that answered."""
    named = [re.sub(":[0-9]+$", "", host).lower() for host in hosts if host not in ("", "-")]
    return bool(named) and 2 * sum(
        bool(HOST.fullmatch(host)) and not MACHINE.search(host) for host in named
    ) >= len(named)


def are_vhosts(hosts: Sequence[str]) -> bool:
    """Tell whether there are several hosts, and of several names, not of one with several numbers."""
    return len(hosts) > 1 and len({re.sub("[0-9]+", "", host) for host in hosts}) == len(hosts)


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


def values_by_key(lines: Sequence[bytes]) -> dict[str, list[str]]:
    """Return the values of each key of lines that are objects of JSON."""
    found: dict[str, list[str]] = {}
    for line in lines:
        for key, value in _json_values(line).items():
            found.setdefault(key, []).append(value)
    return found


def _json_values(line: bytes) -> dict[str, str]:
    with suppress(ValueError, RecursionError):
        found = json.loads(line, parse_float=str)  # as it is written: 0.160 shows what 0.16 doesn't
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

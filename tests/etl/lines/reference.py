"""A second opinion on what log lines mean: one line at a time, slow and obvious, sharing no code with etl."""

import contextlib
import json
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

MEBIBYTE = 1024 * 1024
MONTHS = b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
METHODS = set(
    b"ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT CONNECT COPY DELETE GET HEAD LABEL LINK LOCK MERGE MKACTIVITY "
    b"MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE MOVE OPTIONS ORDERPATCH PATCH POST PRI PROPFIND PROPPATCH PUT "
    b"QUERY REBIND REPORT SEARCH TRACE UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE UPDATEREDIRECTREF "
    b"VERSION-CONTROL".split()
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CLF_LOCAL = rb"\d\d/(?:" + b"|".join(MONTHS) + rb")/\d{4}[: ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?"
CLF_OFFSET = rb" [+-]\d{4}"
CLF = CLF_LOCAL + CLF_OFFSET
SLASHED = rb"\d{4}/\d\d/\d\d(?: | - )\d\d:\d\d:\d\d(?:[.,]\d{1,9})?"
OFFSET = rb"(?:[Zz]|[+-]\d\d(?::?\d\d)?)"
ISO = rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?"
DIRECTIVE = rb"(?i)#(?:Version|Fields|Software|Date|Start-Date|End-Date|Remark):"

# What nginx's variables are read for; `vhost` stands for Apache's %v:%p.
VARIABLES = {
    "time_local": "time",
    "time_iso8601": "time",
    "msec": "time",
    "request": "request",
    "request_method": "method",
    "request_uri": "target",
    "uri": "target",
    "status": "status",
    "body_bytes_sent": "response_bytes",
    "bytes_sent": "response_bytes",
    "request_time": "duration",
    "upstream_status": "upstream_status",
    "upstream_addr": "upstreams",
    "upstream_response_time": "upstreams",
    "upstream_connect_time": "upstreams",
    "upstream_header_time": "upstreams",
    "host": "host",
    "http_host": "host",
    "server_name": "host",
    "vhost": "host",
    "http_user_agent": "user_agent",
}


class Verdict(NamedTuple):
    """What becomes of a line: the day it shows, and either a row or the reason why there is none."""

    day: date | None
    reason: str | None
    row: dict[str, Any] | None


@dataclass(frozen=True)
class Dialect:
    """How lines are written, and which of their fields is read for what.

    Attributes:
        style: delimited, headed, json or logfmt.
        notation: A delimited line in nginx's notation.
        roles: For what is read, the names of the fields that tell, the preferred first.
        scales: A duration's field is in units of 10**-scale seconds; 0 if not here.
        first_duration: Whether the first duration counts, and not their sum.
        dashes: Whether `-` may stand for what is in quotes.
        no_values: Whether `-` is no value.
        extra: Whether more may follow after a space.
        separator: Between the fields of a headed line.
        header: The names that the last `#Fields:` line gave.
        host: The field that is the application, or `authority`; `web` is the application if None.
    """

    style: str
    notation: str = ""
    roles: dict[str, tuple[str, ...]] = field(default_factory=dict)
    scales: dict[str, int] = field(default_factory=dict)
    extra: bool = False
    separator: str = ""
    header: tuple[str, ...] | None = None
    zero_status: bool = False
    first_duration: bool = False
    dashes: bool = False
    no_values: bool = False
    timezone: str | None = None
    host: str | None = None
    health_check_paths: tuple[str, ...] = ()
    synthetic_user_agents: tuple[str, ...] = ()


def nginx(notation: str, **settings: Any) -> Dialect:
    """Return the dialect of lines written in nginx's notation."""
    names = re.findall(r"\$\{?(\w+)\}?", notation)
    settings = {"dashes": notation not in (COMMON, COMBINED, "$vhost " + COMBINED)} | settings
    return Dialect("delimited", notation, roles_of(names), **settings)


def roles_of(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return which of nginx's variables are read for what, in their order, body_bytes_sent before bytes_sent."""
    roles: dict[str, tuple[str, ...]] = {}
    for name in sorted(names, key="bytes_sent".__eq__):
        if name in VARIABLES:
            roles[VARIABLES[name]] = (*roles.get(VARIABLES[name], ()), name)
    return roles


COMMON = '$remote_addr $remote_logname $remote_user [$time_local] "$request" $status $body_bytes_sent'
COMBINED = COMMON + ' "$http_referer" "$http_user_agent"'
TRAILING = ' $request_time "$upstream_status" $host'
ALB = (
    "$type $time $elb $client_port $target_port $request_processing_time $target_processing_time"
    " $response_processing_time $elb_status_code $target_status_code $received_bytes $sent_bytes"
    ' "$request" "$user_agent" $ssl_cipher $ssl_protocol $target_group_arn "$trace_id" "$domain_name"'
    ' "$chosen_cert_arn" $matched_rule_priority $request_creation_time "$actions_executed" "$redirect_url"'
    ' "$error_reason" "$target_port_list" "$target_status_code_list"'
)
W3C_ROLES = {
    "time": ("date", "timestamp(ms)"),
    "clock": ("time",),
    "method": ("cs-method",),
    "target": ("cs-uri-stem", "cs-uri"),
    "status": ("sc-status",),
    "response_bytes": ("sc-bytes", "bytes"),
    "duration": ("time-taken",),
    "host": ("x-host-header", "cs-host", "cs(Host)"),
    "user_agent": ("cs(User-Agent)",),
}
DIALECTS = {
    "common": nginx(COMMON),
    "combined": nginx(COMBINED),
    "vhost_combined": nginx("$vhost " + COMBINED, host="vhost"),
    "combined_trailing": nginx(COMBINED + TRAILING),
    "json": Dialect("json", roles=roles_of(VARIABLES), zero_status=True),
    "fastly": Dialect(
        "json",
        roles={
            "time": ("timestamp",),
            "method": ("request_method",),
            "target": ("url",),
            "status": ("response_status",),
            "response_bytes": ("response_body_size",),
            "host": ("host",),
            "user_agent": ("request_user_agent",),
        },
    ),
    "alb": Dialect(
        "delimited",
        ALB,
        roles={
            "time": ("time",),
            "request": ("request",),
            "status": ("elb_status_code",),
            "response_bytes": ("sent_bytes",),
            "duration": ("request_processing_time", "target_processing_time", "response_processing_time"),
            "upstream_status": ("target_status_code",),
            "upstreams": ("target_port_list", "target_status_code_list"),
            "host": ("domain_name",),
            "user_agent": ("user_agent",),
        },
        extra=True,
        dashes=True,
    ),
    "cloudfront": Dialect("headed", roles=W3C_ROLES, separator="\t", zero_status=True),
    "w3c": Dialect("headed", roles=W3C_ROLES, separator=" "),
    "iis": Dialect("headed", roles=W3C_ROLES, separator=" ", scales={"time-taken": 3}),
    "heroku": Dialect(
        "logfmt",
        roles={
            "time": ("prefix_time",),
            "method": ("method",),
            "target": ("path",),
            "status": ("status",),
            "response_bytes": ("bytes",),
            "duration": ("connect", "service"),
            "host": ("host",),
        },
        scales={"connect": 3, "service": 3},
    ),
}


class MisfitError(Exception):
    """The line has not the shape of its format."""


class WrongType:
    """Stands for a JSON value of a type that its field can't have."""


Value = bytes | WrongType | None


# A line's verdict


def judge_all(lines: Iterable[bytes], dialect: Dialect) -> Iterator[Verdict]:
    """Yield what becomes of each line of a file, given with its end; a directive's reason is `directive`."""
    for line in lines:
        content = content_of(line)
        if dialect.style == "headed" and len(line) <= MEBIBYTE and re.match(DIRECTIVE, content):
            directive, _, text = content.partition(b":")
            if directive.lower() == b"#fields":
                dialect = headed_by(dialect, text)
            yield Verdict(None, "directive", None)
        else:
            yield judge(line, dialect)


def headed_by(dialect: Dialect, names: bytes) -> Dialect:
    """Return the dialect of the lines after a `#Fields:` line."""
    header = tuple(name.decode("latin-1") for name in names.split())
    return replace(dialect, header=header)


def judge(line: bytes, dialect: Dialect | str) -> Verdict:
    """Say what becomes of a line, given with its end, in a dialect or in the one of that name."""
    if isinstance(dialect, str):
        dialect = DIALECTS[dialect]
    content = content_of(line)
    if not content:
        return Verdict(None, "blank", None)
    if len(line) > MEBIBYTE:
        return Verdict(day_of(shown_time(line, dialect)), "too_long", None)
    try:
        fields = fields_of(content, dialect)
    except MisfitError:
        return Verdict(day_of(shown_time(line, dialect)), "shape", None)
    time = time_told(fields, dialect)
    reason = reason_of(time, fields, dialect)
    return Verdict(day_of(time), reason, None if reason else row_of(time, fields, dialect))


def content_of(line: bytes) -> bytes:
    """Return a line without its end, LF or CRLF."""
    return line.removesuffix(b"\n").removesuffix(b"\r")


def day_of(time: datetime | None) -> date | None:
    """Return a time's day, None for none."""
    return time.date() if time else None


def reason_of(time: datetime | None, fields: dict[str, Value], dialect: Dialect) -> str | None:
    """Return the gravest fault of a line of the right shape, None if there is none."""
    if time is None:
        return "time"
    try:
        status_of(fields, dialect)
    except ValueError:
        return "status"
    return None


def row_of(time: datetime | None, fields: dict[str, Value], dialect: Dialect) -> dict[str, Any]:
    """Return what a line without fault says of its request."""
    request = request_told(fields, dialect)
    path = path_of(request)
    return {
        "ts": time,
        "application": application_told(fields, dialect),
        "method": method_of(request),
        "path": path,
        "status": status_of(fields, dialect),
        "response_bytes": response_bytes_of(fields, dialect),
        "duration_seconds": duration_of(fields, dialect),
        "upstream_status": upstream_status_of(fields, dialect),
        "retried": retried(fields, dialect),
        "traffic_class": traffic_class_of(path, value_for("user_agent", fields, dialect), dialect),
    }


# Fields of a line


def fields_of(content: bytes, dialect: Dialect) -> dict[str, Value]:
    """Return the fields of a line without its end by name; MisfitError if it has another shape."""
    if dialect.style == "json":
        return json_fields(content, dialect)
    if dialect.style == "logfmt":
        return logfmt_fields(content)
    if dialect.style == "headed":
        return headed_fields(content, dialect)
    tokens = tokens_of(dialect.notation)
    values = matched(content, tokens, extra=dialect.extra, dashes=dialect.dashes)
    if values is None:
        raise MisfitError
    fields: dict[str, Value] = {}
    for token, value in zip([token for token in tokens if token.kind], values, strict=True):
        fields.setdefault(token.text, value)
    return fields


def headed_fields(content: bytes, dialect: Dialect) -> dict[str, Value]:
    """Return the fields of a line whose names a `#Fields:` line gave; a dash is none, but for bytes."""
    if not dialect.header:
        raise MisfitError
    values = headed_values(content, len(dialect.header), dialect.separator.encode())
    if values is None:
        raise MisfitError
    fields: dict[str, Value] = {}
    for name, value in zip(dialect.header, values, strict=True):
        is_none = value == b"-" and name not in dialect.roles["response_bytes"]
        fields.setdefault(name, None if is_none else value)
    return fields


TIMES = {"time_local", "time_iso8601", "msec", "time", "start_time", "accept_date"}


def headed_values(content: bytes, count: int, separator: bytes) -> list[bytes] | None:
    """Return so many values, each without the separator or in quotes; None if there is no way."""
    if count == 0:
        return [] if not content else None
    quoted = re.match(rb'"[^"\r\n]*"', content)
    for end in ([quoted.end()] if quoted else []) + [run(content, separator + b"\r\n")]:
        rest = content[end:]
        if end == 0 or (rest[:1] != separator if count > 1 else rest):
            continue
        values = headed_values(rest[1:], count - 1, separator)
        if values is not None:
            return [content[:end], *values]
    return None


class Token(NamedTuple):
    """A piece of a notation: a literal (no kind), or a field's name and the kind of its value."""

    text: str
    kind: str


def tokens_of(notation: str) -> list[Token]:
    """Take a notation apart."""
    pieces = re.split(r"(\$\{\w+\}|\$\w+)", notation)
    tokens = []
    for n, piece in enumerate(pieces):
        if n % 2 == 0:
            tokens.append(Token(piece, ""))
            continue
        name = piece.strip("${}")
        before, after = pieces[n - 1][-1:], pieces[n + 1][:1]
        tokens.append(Token(name, kind_of(name, before, after, pieces[n + 1].strip())))
    return [token for token in tokens if token.kind or token.text]


def without_quotes(text: bytes, tokens: list[Token], *, extra: bool) -> list[bytes] | None:
    """Return the values if a dash stands for the quoted text that comes next, None if none does."""
    before, _, after, *others = tokens
    dash = before.text[:-1].encode() + b"-"
    if not text.startswith(dash):
        return None
    rest = [after._replace(text=after.text[1:]), *others]
    values = matched(text[len(dash) :], rest, extra=extra, dashes=True)
    return None if values is None else [b"", *values]


def kind_of(name: str, before: str, after: str, following: str) -> str:
    """Return how a field is written, by its name and what stands around it."""
    is_client = name == "remote_addr" and after == " " and following[:1] not in {":", "|"}
    ways = {
        "quoted": (before, after) == ('"', '"'),
        "bracketed": (before, after) == ("[", "]"),
        "user": name == "remote_user",
        "time": name in TIMES,
        "anything": re.fullmatch(r"_\w*|field_\d+", name),
        "host": name in {"host", "http_host", "vhost", "client_port", "target_port"},
        "list": is_client or name.startswith("upstream_"),
    }
    return next((kind for kind, is_so in ways.items() if is_so), "word")


def matched(text: bytes, tokens: list[Token], *, extra: bool, dashes: bool = False) -> list[bytes] | None:
    """Return the values of the fields of a line, None if it has another shape; tries every way to read it."""
    if not tokens:
        is_end = not text or (extra and text.startswith(b" ") and b"\r" not in text and b"\n" not in text)
        return [] if is_end else None
    token, *others = tokens
    if not token.kind:
        literal = token.text.encode()
        if dashes and token.text.endswith('"') and others and others[0].kind == "quoted":
            values = without_quotes(text, tokens, extra=extra)
            if values is not None:
                return values
        if not text.startswith(literal):
            return None
        return matched(text[len(literal) :], others, extra=extra, dashes=dashes)
    stop = others[0].text[:1].encode() if others else b""
    for length in lengths(text, token.kind, stop):
        values = matched(text[length:], others, extra=extra, dashes=dashes)
        if values is not None:
            return [text[:length], *values]
    return None


def lengths(text: bytes, kind: str, stop: bytes) -> Iterator[int]:
    """Yield how many bytes of a text may be a field of that kind before a literal that begins with `stop`."""
    if kind == "quoted":
        position = 0
        while position < len(text) and text[position : position + 1] != b'"':
            position += 2 if text[position : position + 1] == b"\\" else 1
        if position <= len(text):
            yield position
    elif kind == "bracketed":
        yield run(text, b'"[]')
    elif kind == "anything":
        yield from range(run(text, b"\r\n") + 1)
    elif kind == "time":
        shapes = (CLF, CLF_LOCAL, ISO + b" ?" + OFFSET, ISO, SLASHED)
        yield from (found.end() for shape in shapes if (found := re.match(shape, text)))
        yield from word_lengths(text, stop)
    elif kind == "user" and stop not in {b"|", b"\t"}:
        yield from user_lengths(text)
    elif kind == "list":
        yield from list_lengths(text, stop)
    else:
        yield from (address_lengths(text) if kind == "host" else ())
        yield from word_lengths(text, stop)


def word_lengths(text: bytes, stop: bytes) -> Iterator[int]:
    """Yield the length of a word, if there is one."""
    if stop in {b"|", b"\t"}:
        yield from range(run(text, b"\r\n" + stop) + 1)
        return
    length = run(text, b' "[]\r\n' + stop)
    if length:
        yield length


def address_lengths(text: bytes) -> Iterator[int]:
    """Yield the lengths of an IPv6 address in brackets, with its port and without, if there is one."""
    address = re.match(rb"\[[0-9A-Fa-f:.]+\]", text)
    if address:
        port = re.match(rb":\d+", text[address.end() :])
        yield from ([address.end() + port.end()] if port else []) + [address.end()]


def run(text: bytes, stops: bytes) -> int:
    """Return how many bytes stand before the first of the stops."""
    return next((n for n, byte in enumerate(text) if byte in stops), len(text))


def user_lengths(text: bytes) -> Iterator[int]:
    """Yield the lengths a user may have: words with single spaces between, none but the first with a dash."""
    if text.startswith(b'""'):
        yield 2
    found = [length := run(text, b' "[]')]
    while length and text[length : length + 1] == b" " and text[length + 1 : length + 2] != b"-":
        more = run(text[length + 1 :], b' "[]')
        if not more:
            break
        length += 1 + more
        found.append(length)
    yield from (length for length in reversed(found) if length)


def list_lengths(text: bytes, stop: bytes) -> Iterator[int]:
    """Yield the lengths a list of words or addresses may have: `502, 200` or `502 : 200`."""
    ends = list(address_lengths(text))
    for length in word_lengths(text, stop):
        ends += [length, length - 1] if length > 1 and text[:length].endswith(b",") else [length]
    for end in ends:
        for separator in (b", ", b" : "):
            if text[end:].startswith(separator):
                begin = end + len(separator)
                yield from (begin + more for more in list_lengths(text[begin:], stop))
        yield end


# JSON


def json_fields(content: bytes, dialect: Dialect) -> dict[str, Value]:
    """Return the values of a JSON object by key (dotted where nested), each as its text."""
    escaped = corrected(content) if rb"\x" in content else content
    may_be_corrected = len(escaped) <= 1 << 16 and escaped.lstrip(b" \t").startswith(b"{")
    found = None
    for correct in (bytes, lambda _: escaped, quoted_values if may_be_corrected else bytes):
        with contextlib.suppress(ValueError):
            found = strict_json(correct(escaped if correct is quoted_values else content))
            break
    if not isinstance(found, dict):
        raise MisfitError
    texts = {
        name: text_for(role, value_at(found, name)) for role, names in dialect.roles.items() for name in names
    }
    if dialect.no_values:
        for name in texts.keys() - set(dialect.roles["response_bytes"]):
            texts[name] = None if texts[name] == b"-" else texts[name]
    return texts


def strict_json(text: bytes) -> Any:
    """Parse JSON as RFC 8259 has it, in UTF-8, numbers within what a double holds; ValueError if it is none."""
    try:
        return json.loads(
            text.decode(),
            object_pairs_hook=checked_object,
            parse_int=checked_integer,
            parse_float=checked_float,
            parse_constant=refuse,
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None


def checked_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of which the last of equal keys counts, after a look at all strings in it."""
    for pair in pairs:
        check_strings(pair)
    return dict(pairs)


def check_strings(value: Any) -> None:
    """Raise ValueError if a string is no text: half a surrogate pair."""
    if isinstance(value, str):
        value.encode()
    elif isinstance(value, list | tuple):
        for item in value:
            check_strings(item)


def checked_integer(text: str) -> int | float:
    """Return an integer if 64 bits hold it, else a float."""
    if len(text) <= 20 and -(2**63) <= int(text) < 2**64:
        return int(text)
    return checked_float(text)


def checked_float(text: str) -> float:
    """Return a float if it is finite."""
    if math.isinf(float(text)):
        raise ValueError(text)
    return float(text)


def refuse(text: str) -> None:
    """Refuse NaN and Infinity, which Python takes for JSON."""
    raise ValueError(text)


def corrected(content: bytes) -> bytes:
    r"""Return JSON in whose strings each of nginx's `\xHH` is written as JSON writes that byte."""
    done, in_string = [], False
    for piece in re.findall(rb'\\x[0-9A-Fa-f]{2}|\\.|"|[^"\\]+|\\', content, re.DOTALL):
        if in_string and piece.startswith(b"\\x") and len(piece) == 4:
            byte = bytes.fromhex(piece[2:].decode())
            # a letter as it is would complete a `\u` before it that lacks a digit
            done.append(b"\\u%04x" % ord(byte) if byte < b"\x80" else byte)
        else:
            done.append(piece)
            in_string ^= piece == b'"'
    return b"".join(done)


def quoted_values(content: bytes) -> bytes:
    """Return JSON in which values that are none, as nginx writes them without quotes, are strings."""
    done, rest = b"", content
    while rest:
        text = re.match(rb'"(?:[^"\\]|\\.)*"', rest, re.DOTALL)
        if text:
            done, rest = done + text[0], rest[text.end() :]
            continue
        done, rest = done + rest[:1], rest[1:]
        if not done.endswith(b":"):
            continue
        blank = len(rest) - len(rest.lstrip(b" \t"))
        end = run(rest, b'"{}[]\\\r\n')
        value = rest[blank:end]
        if rest[end : end + 1] == b'"':
            value = re.sub(rb"[ \t]*,[ \t]*\Z", b"", value) if re.search(rb",[ \t]*\Z", value) else None
        elif rest[end : end + 1] == b"}":
            value = value.rstrip(b" \t")
        else:
            value = None
        if value is None or re.match(rb"\s", value) or len(value) > 201:
            continue
        try:
            strict_json(value)
        except ValueError:
            done, rest = done + rest[:blank] + b'"' + value + b'"', rest[blank + len(value) :]
    return done


def value_at(found: Any, name: str) -> Any:
    """Return the value at a dotted path of keys, each of which may be of several parts; None if there is none."""
    if isinstance(found, list):
        head, _, tail = name.partition(".")
        if head != "0" or not found:
            return None
        return value_at(found[0], tail) if tail else found[0]
    if not isinstance(found, dict):
        return None
    for dot in [*(each.start() for each in re.finditer(r"\.", name)), len(name)]:
        value, tail = found.get(name[:dot]), name[dot + 1 :]
        value = value_at(value, tail) if tail else value
        if value is not None:
            return value
    return None


def text_for(role: str, value: Any) -> Value:
    """Return a JSON value as the text it would be in a line, WrongType where its type tells nothing."""
    if value is None:
        return None
    if isinstance(value, str):
        return value.encode()
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if role in {"time", "clock", "status", "response_bytes", "duration", "upstream_status", "upstreams"}:
        if role == "duration" and isinstance(value, float):
            # a program's difference of two clocks has many digits
            is_short = re.fullmatch(r"-?\d+\.\d{1,9}", repr(value))
            return (repr(value) if is_short else f"{value:.9f}").encode()
        return repr(value).encode() if is_number else WrongType()
    return None


# logfmt


def logfmt_fields(content: bytes) -> dict[str, Value]:
    """Return the values of `key=value` pairs, and as `prefix_time` the first timestamp of the words before.

    Values may be in single quotes, of which the last is the first before another pair or the end; unless the line
    has no such shape.
    """
    with contextlib.suppress(MisfitError):
        return quoted_fields(content, rb"'((?:[^']|'(?! +[^ =\"]+=| *\Z))*)'|(?!')")
    return quoted_fields(content, rb"(?!)()|")


def quoted_fields(content: bytes, single: bytes) -> dict[str, Value]:
    """Return likewise, with what else a value may be before one without quotes."""
    fields: dict[str, Value] = {}
    words: list[bytes] = []
    rest = content
    while rest:
        pair = re.match(rb'([^ ="]+)=(?:"((?:[^"\\]|\\.)*)"|%s([^ "]*))(?= |\Z)' % single, rest, re.DOTALL)
        word = re.match(rb'[^ ="]+(?= |\Z)', rest)
        if pair and pair[1].decode("latin-1") not in fields:
            is_bare = pair[2] is None
            value = pair[3] or bare_value(pair[4]) if is_bare else re.sub(rb'\\(["\\])', rb"\1", pair[2])
            fields[pair[1].decode("latin-1")] = value
        elif word and not fields:
            words.append(word[0])
        else:
            raise MisfitError
        rest = rest[(pair or word).end() :].lstrip(b" ")
    if not fields:
        raise MisfitError
    candidates = [*words, *(word[1:] for word in words if word.startswith(b"["))]
    fields["prefix_time"] = next((each for each in candidates if re.fullmatch(ISO + OFFSET + b"?", each)), None)
    return fields


def bare_value(text: bytes | None) -> bytes | None:
    """Return text without single quotes around it; nothing is none."""
    return re.sub(b"^'(.*)'$", rb"\1", text or b"", flags=re.DOTALL) or None


# What fields mean


def value_for(role: str, fields: dict[str, Value], dialect: Dialect) -> Value:
    """Return the value of the first field that is read for something, None if it is missing."""
    values = [fields.get(name) for name in dialect.roles.get(role, ())]
    return next((value for value in values if value is not None), None)


def text_of(value: Value) -> bytes:
    """Return a value that has to be there; ValueError if it isn't."""
    if not isinstance(value, bytes):
        raise ValueError(value)  # noqa: TRY004 - a value of the wrong type is a wrong value
    return value


def time_told(fields: dict[str, Value], dialect: Dialect) -> datetime | None:
    """Return the time in UTC, without zone, None if there is none to be read."""
    try:
        text = text_of(value_for("time", fields, dialect))
        has_date_only = "clock" in dialect.roles and not (dialect.header and "date" not in dialect.header)
        if has_date_only:
            text += b"T" + text_of(value_for("clock", fields, dialect)) + b"Z"
    except ValueError:
        return None
    return time_of(text, dialect.timezone)


def time_of(text: bytes, zone: str | None = None) -> datetime | None:
    """Return the time in UTC, without zone; None if the text is no time that exists, from 1970 on."""
    try:
        if re.fullmatch(CLF_LOCAL + b"(?:" + CLF_OFFSET + b")?", text):
            return clf_time(text, zone)
        if re.fullmatch(SLASHED, text):
            return iso_time(text.replace(b"/", b"-").replace(b" - ", b" "), zone)
        if re.fullmatch(ISO + b"(?: ?" + OFFSET + b")?", text):
            return iso_time(text, zone)
        return epoch_time(text)
    except (ValueError, OverflowError):
        return None


def clf_time(text: bytes, zone: str | None) -> datetime:
    """Return the time of `17/May/2015:10:05:03.5 +0000`, or in a zone if it has no offset."""
    day, month, year, *rest = re.split(rb"[/: ]", text[:20])
    number = b"%02d" % (MONTHS.index(month) + 1)
    return iso_time(b"%s-%s-%s %s" % (year, number, day, b":".join(rest)) + text[20:], zone)


def iso_time(text: bytes, zone: str | None) -> datetime:
    """Return the time of `2015-05-17T10:05:03.123Z`, or in a zone if it has no offset."""
    year, month, day, hour, minute, second = (int(part) for part in re.split(rb"[-T :]", text[:19]))
    fraction, offset = re.fullmatch(rb"(?:[.,](\d+))? ?(.*)", text[19:]).groups()
    microsecond = int((fraction or b"").ljust(6, b"0")[:6])
    local = datetime(year, month, day, hour, minute, second, microsecond)
    return utc(local, offset) if offset else in_zone(local, zone)


def utc(local: datetime, offset: bytes) -> datetime:
    """Return a local time in UTC; ValueError if the year or the offset is none."""
    digits = offset[1:].replace(b":", b"").ljust(4, b"0")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if local.year < EPOCH.year or hours > 14 or minutes > 59:
        raise ValueError(local)
    return local - timedelta(hours=hours, minutes=minutes) * (-1 if offset.startswith(b"-") else 1)


def in_zone(local: datetime, zone: str | None) -> datetime:
    """Return the first of the times in UTC at which clocks of a zone show a local time; ValueError if none do."""
    if local.year < EPOCH.year or zone is None:
        raise ValueError(local)
    time = local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    if time.astimezone(ZoneInfo(zone)).replace(tzinfo=None) != local:
        raise ValueError(local)
    return time.replace(tzinfo=None)


def epoch_time(text: bytes) -> datetime:
    """Return the time of seconds (with a fraction), milli-, micro- or nanoseconds since 1970."""
    if re.fullmatch(rb"\d{19}", text):
        text = text[:16]
    found = re.fullmatch(rb"(\d{10})(?:\.(\d{1,9}))?|(\d{13})|(\d{16})", text)
    if not found:
        raise ValueError(text)
    seconds, fraction, milliseconds, microseconds = (int(part or 0) for part in found.groups())
    fraction = int((found[2] or b"").ljust(6, b"0")[:6])
    since = timedelta(seconds=seconds, milliseconds=milliseconds, microseconds=microseconds + fraction)
    return (EPOCH + since).replace(tzinfo=None)


def shown_time(line: bytes, dialect: Dialect) -> datetime | None:
    """Return the time of the first thing in a line, of whatever shape, that is written like a timestamp."""
    begin = line[:MEBIBYTE]
    tokens = tokens_of(dialect.notation)
    if any(token.kind == "bracketed" and (token.text,) == dialect.roles.get("time", ())[:1] for token in tokens):
        shapes = (CLF, CLF_LOCAL, ISO + b"(?: ?" + OFFSET + b")?", SLASHED)
        found = re.search(rb"\[(" + b"|".join(shapes) + rb")\]", begin)
        return time_of(found[1], dialect.timezone) if found else None
    shapes = [CLF, ISO + OFFSET]
    if dialect.style == "headed":
        separator = dialect.separator.encode()
        shapes.append(rb"\d{4}-\d\d-\d\d" + separator + rb"\d\d:\d\d:\d\d")
    found = re.search(b"|".join(shapes), begin)
    if not found:
        return time_in_place(begin, tokens, dialect)
    if dialect.style == "headed" and not re.fullmatch(CLF + b"|" + ISO + OFFSET, found[0]):
        return time_of(found[0].replace(separator, b"T") + b"Z")
    return time_of(found[0])


def time_in_place(line: bytes, tokens: list[Token], dialect: Dialect) -> datetime | None:
    """Return the time that a line has where its format does, if there are only words before that."""
    before = b""
    for n, token in enumerate(tokens[:-1]):
        if token.kind == "time" and (token.text,) == dialect.roles.get("time", ())[:1]:
            shapes = (CLF_LOCAL + b"(?:" + CLF_OFFSET + b")?", ISO + b"(?: ?" + OFFSET + b")?", SLASHED)
            end = re.escape(tokens[n + 1].text[:1].encode())
            found = re.match(before + b"(" + b"|".join(shapes) + b")" + end, line)
            return time_of(found[1], dialect.timezone) if found else None
        if token.kind not in {"", "word"}:
            return None
        before += rb'[^ "\[\]\r\n]+' if token.kind else re.escape(token.text.encode())
    return None


def status_of(fields: dict[str, Value], dialect: Dialect) -> int:
    """Return the status; ValueError if it is none."""
    text = text_of(value_for("status", fields, dialect))
    if value_for("beside", fields, dialect) is not None:
        raise ValueError(text)
    if dialect.zero_status and text in {b"000", b"0", b"-1"}:
        return 0
    if not re.fullmatch(rb"[1-5]\d\d", text):
        raise ValueError(text)
    return int(text)


def response_bytes_of(fields: dict[str, Value], dialect: Dialect) -> int | None:
    """Return the response's size, a dash being 0; None if it is none."""
    value = value_for("response_bytes", fields, dialect)
    if not isinstance(value, bytes) or not re.fullmatch(rb"-|\d{1,18}", value):
        return None
    return 0 if value == b"-" else int(value)


def duration_of(fields: dict[str, Value], dialect: Dialect) -> float | None:
    """Return the sum of the durations in seconds, or the first; None if one of them is none."""
    total = Decimal(0)
    names = dialect.roles.get("duration", ())
    if dialect.first_duration:
        names = [name for name in names if fields.get(name) is not None][:1]
    for name in names:
        seconds = seconds_of(fields.get(name), dialect.scales.get(name, 0))
        if seconds is None:
            return None
        total += seconds
    return float(total) if names else None


def seconds_of(value: Value, scale: int) -> Decimal | None:
    """Return a duration, with or without a unit, None if it is none."""
    if not isinstance(value, bytes):
        return None
    text = value.decode("latin-1").replace("\xc2\xb5s", "us").replace("\xce\xbcs", "us")
    found = re.fullmatch(r"((?:\d{1,6}h)?\d{1,2}m)?(\d{1,18}(?:\.\d{1,9})?)(s|ms|us|ns)?", text, re.ASCII)
    if not found or (found[1] and not found[3]):
        return None
    seconds = Decimal(found[2]).scaleb(-{"s": 0, "ms": 3, "us": 6, "ns": 9, None: scale}[found[3]])
    for count, unit in re.findall(r"(\d+)([hm])", found[1] or ""):
        seconds += int(count) * (3600 if unit == "h" else 60)
    return seconds


def list_of(value: Value) -> list[bytes]:
    """Return the elements of a list of upstreams, none for what is missing."""
    if not isinstance(value, bytes) or value in {b"", b"-"}:
        return []
    return re.split(rb", | : |,| ", value)


def upstream_status_of(fields: dict[str, Value], dialect: Dialect) -> int | None:
    """Return the status of the last upstream, None if none was asked, or it is none."""
    value = value_for("upstream_status", fields, dialect)
    last = (list_of(value) or [b"-"])[-1]
    return int(last) if re.fullmatch(rb"[0-5]\d\d", last) else None


def retried(fields: dict[str, Value], dialect: Dialect) -> bool | None:
    """Return whether more than one upstream was asked, None if the format has no list of them."""
    names = dialect.roles.get("upstream_status", ())[:1] + dialect.roles.get("upstreams", ())
    return any(len(list_of(fields.get(name))) > 1 for name in names) if names else None


def application_told(fields: dict[str, Value], dialect: Dialect) -> str:
    """Return the application of a line."""
    if dialect.host is None:
        return "web"
    if dialect.host != "authority" or "authority" in dialect.roles.get("host", ()):
        value = fields.get(dialect.host)
        return application_of(value) if isinstance(value, bytes) else "(invalid)"
    target = target_of(request_told(fields, dialect)) or b""
    authority = re.match(rb"[A-Za-z][A-Za-z0-9+.-]*://([^/?#; ]*)", target)
    return application_of(authority[1].split(b"@")[-1]) if authority else "(invalid)"


def application_of(vhost: bytes) -> str:
    """Return a virtual host's name in lower case, without its port."""
    name = re.sub(r":\d{1,5}\Z", "", vhost.decode("latin-1").lower(), flags=re.ASCII)
    is_address = re.fullmatch(r"[\d.]+", name)
    return name if re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,252}", name, re.ASCII) and not is_address else "(invalid)"


def traffic_class_of(path: str | None, user_agent: Value, dialect: Dialect) -> str:
    """Return whose request it is, by its path or else by its user agent."""
    for check in dialect.health_check_paths:
        if path is not None and (path.startswith(check[:-1]) if check.endswith("*") else path == check):
            return "health_check"
    agent = user_agent.lower() if isinstance(user_agent, bytes) else b""
    texts = [agent]
    if dialect.style == "headed" or dialect.no_values:
        texts.append(agent.replace(b"+", b" ").replace(b"%20", b" "))
    is_synthetic = any(part.lower().encode() in text for part in dialect.synthetic_user_agents for text in texts)
    return "synthetic" if is_synthetic else "user"


# Requests


def request_told(fields: dict[str, Value], dialect: Dialect) -> bytes:
    """Return the request, put together where its parts are apart."""
    request = value_for("request", fields, dialect)
    if request is not None or not ("method" in dialect.roles or "target" in dialect.roles):
        return request or b""
    method = value_for("method", fields, dialect) or b"-"
    target = value_for("target", fields, dialect)
    return method if target is None else method + b" " + target + b" HTTP/1.1"


def method_of(request: bytes) -> str | None:
    """Return the registered method that a request begins with."""
    method = request.split(b" ")[0]
    return method.decode() if method in METHODS else None


def target_of(request: bytes) -> bytes | None:
    """Return what a request asks for, as it is written."""
    method, _, target = request.partition(b" ")
    if not re.fullmatch(rb"[A-Z-]+", method):
        return None
    version = re.search(rb" HTTP/\d(\.\d)?\Z", target)
    if version:
        return target[: version.start()]
    return None if b" " in target or target == b"*" else target


def path_of(request: bytes) -> str | None:
    """Return the path that a request asks for, as it may be kept."""
    target = target_of(request) or b""
    absolute = re.match(rb"[A-Za-z][A-Za-z0-9+.-]*://[^/?#; ]*(?=/)", target)
    if absolute:
        target = target[absolute.end() :]
    if not target.startswith(b"/") and target != b"*":
        return None
    target = re.split(rb"[?#;]|%(?:25)*(?:3[BbFf]|23)", target)[0]
    text = "".join(chr(byte) if 33 <= byte <= 126 else f"%{byte:02X}" for byte in target)
    return "/".join(masked_segment(segment) for segment in text.split("/"))[:1000]


def masked_segment(segment: str) -> str:
    """Return one segment of a path with what may be personal masked, if need be as it is without encoding."""
    plain = re.sub(
        "%(?:25)*([2-7][0-9A-Fa-f])",
        lambda found: sign if (sign := chr(int(found[1], 16))).isalnum() or sign in "@:._+-" else found[0],
        segment,
    )
    masked = masked_text(plain)
    return masked_text(segment) if masked == plain else masked


def masked_text(segment: str) -> str:
    """Return a segment, no longer or still encoded, with what may be personal masked."""
    for run_of_text in re.findall(r"[\w-]{20,}", segment, re.ASCII):
        if re.search(r"\d", run_of_text) and run_of_text.upper() != run_of_text != run_of_text.lower():
            return "{token}"
    if "@" in segment or re.search("%(25)*40", segment):
        return "{email}"
    hexadecimal = "[0-9A-Fa-f]"
    if re.search(rf"[0-9A-Za-z]{{20}}|{hexadecimal}{{16}}|{hexadecimal}{{8}}(-{hexadecimal}{{4}}){{2}}-", segment):
        return "{token}"
    colon = "(?::|%(?:25)*3[Aa])"
    address = rf"\d{{1,3}}(?:\.\d{{1,3}}){{3}}|(?:{hexadecimal}{{0,4}}{colon}){{2,7}}{hexadecimal}{{0,4}}"
    return re.sub(r"\d(?:[+-]?\d){8,}", "{number}", re.sub(address, "{address}", segment))

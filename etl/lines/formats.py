"""Log formats, as declarations: which fields a line has, and what each is read for. One parser serves them all.

    Format ─┬─ Delimited   fields between literals: Apache, nginx, AWS load balancers
            ├─ Headed      fields named by a `#Fields:` line: W3C, IIS, CloudFront
            ├─ Json        one JSON object a line
            └─ Logfmt      key=value pairs: Heroku's router

Shapes are written as nginx's log_format writes them; a variable is nginx's own where there is one. Sources:
Apache's mod_log_config (`common`, `combined`) and Debian's apache2.conf (`vhost_combined`); nginx's
ngx_http_log_module and ngx_http_upstream_module; AWS, "Access logs for your Application Load Balancer" and, of
CloudFront, "Standard logging reference"; the W3C working draft WD-logfile and IIS's "W3C logging"; Fastly's
default log format; Heroku's "HTTP routing".
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum, StrEnum
from functools import cached_property

from lake.errors import ConfigError


class Role(StrEnum):
    """What a field is read for; a field without a role only has to be there."""

    TIME = "time"
    CLOCK = "clock"
    """The time of day in UTC, where TIME holds only the date."""
    REQUEST = "request"
    """`METHOD TARGET PROTOCOL`."""
    METHOD = "method"
    TARGET = "target"
    STATUS = "status"
    RESPONSE_BYTES = "response_bytes"
    DURATION = "duration"
    UPSTREAM_STATUS = "upstream_status"
    UPSTREAMS = "upstreams"
    """A list with an element for each upstream that was asked."""
    HOST = "host"
    USER_AGENT = "user_agent"


class Kind(Enum):
    """How a field of a delimited line is written, which decides where it ends."""

    WORD = "word"
    HOST = "host"
    """A word, or an IPv6 address in brackets, with or without a port."""
    USER = "user"
    """Words: basic authentication allows spaces."""
    BRACKETED = "bracketed"
    QUOTED = "quoted"
    """In quotes, in which a backslash guards the next character."""
    LIST = "list"
    """Hosts between commas and colons, as nginx writes its $upstream_ variables."""
    PLAIN = "plain"
    """Anything but the separator; `-` stands for nothing, and `+` or `%20` for a space."""


REST = r'(?: (?:[^ "\[\]\r\n]*=)?(?:[^ "\[\]\r\n]*|"(?:[^"\\]|\\.)*"|\[[^"\[\]/]*(?:/[^"\[\]/:]*)*\]))*'
"""What may follow instead of fields that not every line has: any fields but a time of CLF in brackets, by which a
line is known that is glued to this one."""
READABLE: dict[Role | None, str] = {
    Role.DURATION: r"-|[0-9]{1,9}(?:\.[0-9]{1,9})?(?:s|ms|us)?",
    Role.UPSTREAM_STATUS: r"(?:[0-5][0-9]{2}|-)(?:(?:, | : )(?:[0-5][0-9]{2}|-))*",
}
"""How values are written that could make a line a reject."""
MAY_FOLLOW = " ..."
"""Ends a `trailing` whose fields not every line has."""
UNNAMED = "field_"
"""How a variable is called that nobody could name; it may hold a list, as nginx' $upstream_ variables do."""

SEVERAL = (Role.HOST, Role.UPSTREAMS, Role.DURATION)
"""Roles that several fields of a line may have: a source chooses one host; durations are summed."""


@dataclass(frozen=True)
class Field:
    """A field of a format.

    Attributes:
        name: As the format calls it; in JSON its key, dotted where objects are nested.
        scale: A duration is in units of 10**-scale seconds: 0, 3 or 6.
    """

    name: str
    role: Role | None = None
    kind: Kind = Kind.WORD
    scale: int = 0


@dataclass(frozen=True)
class Format:
    """A log format.

    Attributes:
        zero_status: Whether 000 is a status: the client left before there was one.
        timezone: Name of the IANA time zone of times that are written without an offset.
        separator: The character between fields, a date and its time of day among them, if it is always the same.
    """

    name: str
    fields: tuple[Field, ...]
    zero_status: bool = False
    timezone: str | None = None
    separator: str = ""

    def has(self, *roles: Role) -> bool:
        """Tell whether a field has one of these roles."""
        return any(field.role in roles for field in self.fields)

    @property
    def hosts(self) -> list[str]:
        """The names of the fields that may tell the application."""
        return [field.name for field in self.fields if field.role is Role.HOST]


@dataclass(frozen=True, kw_only=True)
class Delimited(Format):
    """Fields between literals.

    Attributes:
        literals: What stands before each field, and after the last.
        extra: Whether further fields may follow, after a space.
        sure: How many fields every line has, None for all. Those after them are read where all of them are as
            declared; whatever else follows makes no line a reject.
    """

    literals: tuple[str, ...]
    extra: bool = False
    sure: int | None = None

    @cached_property
    def pattern(self) -> str:
        """The regular expression that a whole line with its LF or CRLF matches, as RE2 and `re` read it.

        The field at index n is the group `f<n>`, if it has a role. The pattern decides where a field ends; what it
        holds is checked later, so that a reject names the field. A second line glued to a cut-off one must not
        fit: no field holds a bare quote, and none but the quoted and plain ones a bracket.
        """
        sure = len(self.fields) if self.sure is None else self.sure
        begin, then = self._fields(0, sure), r"(?: [^\r\n]*)?" if self.extra else ""
        if sure < len(self.fields):
            label = self.literals[sure].partition(" ")[2]
            begin = begin.removesuffix(re.escape(f" {label}"))
            then = f"(?: {re.escape(label)}{self._fields(sure, len(self.fields))}|{REST}){then}"
        return f"(?s)^{re.escape(self.literals[0])}{begin}{then}\\r?\\n?$"

    def _fields(self, begin: int, end: int) -> str:
        """Return the regular expression of some fields, each with the literal after it."""
        parts = []
        for number, field in enumerate(self.fields[begin:end], begin):
            after = self.literals[number + 1]
            body = field_pattern(field.kind, self.separator or after[:1])
            if self.sure is not None and number >= self.sure:
                body = READABLE.get(field.role, body)
            parts += [f"(?P<f{number}>{body})" if field.role else f"(?:{body})", re.escape(after)]
        return "".join(parts)


@dataclass(frozen=True)
class Headed(Format):
    """Fields in the order that the last `#Fields:` line before them gives; `fields` is what we know the names of.

    The separator is that between fields; between the names may be any white space.
    """

    def with_header(self, names: Sequence[str]) -> Delimited:
        """Return the format of the lines that follow a `#Fields:` line with these names."""
        known = {field.name: field for field in self.fields}
        if "date" not in names:  # then the clock belongs to no date, and another field has to have the time
            known.pop("time", None)
        order = {name: number for number, name in enumerate(known)}
        fields = [known.get(name, Field(name, kind=Kind.PLAIN)) for name in names]
        return Delimited(
            self.name,
            _one_a_role(fields, lambda field: order.get(field.name, len(order))),
            self.zero_status,
            self.timezone,
            self.separator,
            literals=("", *[self.separator] * (len(names) - 1), "")[: len(names) + 1],
        )


@dataclass(frozen=True)
class Json(Format):
    """One JSON object a line. Of several fields with one role the first that a line has counts."""


@dataclass(frozen=True)
class Logfmt(Format):
    """Pairs key=value; as in Json, the first field that a line has counts.

    Words without `=` may stand before the first pair. The first of them that is an ISO timestamp is the field
    `prefix_time`.
    """


PREFIX_TIME = "prefix_time"


def field_pattern(kind: Kind, delimiter: str) -> str:
    """Return the regular expression of a field that is written so, up to a delimiter."""
    delimiter = re.escape(delimiter)
    word = rf'[^ "\[\]\r\n{delimiter}]+'
    host = rf"(?:\[[0-9A-Fa-f:.]+\](?::[0-9]+)?|{word})"
    return {
        Kind.WORD: word,
        Kind.HOST: host,
        Kind.USER: r'(?:""|[^ "\[\]]+(?: [^ "\[\]-][^ "\[\]]*)*)',
        Kind.BRACKETED: r'[^"\[\]]*',
        Kind.QUOTED: r'(?:[^"\\]|\\.)*',
        Kind.LIST: rf"{host}(?:(?:, | : ){host})*",
        Kind.PLAIN: rf"[^{delimiter}\r\n]+",
    }[kind]


def _one_a_role(fields: Sequence[Field], rank: Callable[[Field], int]) -> tuple[Field, ...]:
    """Return the fields with a role for the first of lowest rank only, but for the roles of SEVERAL."""
    found, taken = list(fields), set()
    for number in sorted(range(len(found)), key=lambda n: rank(found[n])):
        field = found[number]
        key = field.name if field.role in SEVERAL else field.role
        if key in taken:
            found[number] = replace(field, role=None)
        taken.add(key)
    return tuple(found)


VARIABLES = (
    Field("time_local", Role.TIME),
    Field("time_iso8601", Role.TIME),
    Field("msec", Role.TIME),
    Field("request", Role.REQUEST),
    Field("request_method", Role.METHOD),
    Field("request_uri", Role.TARGET),
    Field("uri", Role.TARGET),
    Field("status", Role.STATUS),
    Field("body_bytes_sent", Role.RESPONSE_BYTES),
    Field("bytes_sent", Role.RESPONSE_BYTES),
    Field("request_time", Role.DURATION),
    Field("upstream_status", Role.UPSTREAM_STATUS),
    Field("upstream_addr", Role.UPSTREAMS),
    Field("upstream_response_time", Role.UPSTREAMS),
    Field("upstream_connect_time", Role.UPSTREAMS),
    Field("upstream_header_time", Role.UPSTREAMS),
    Field("host", Role.HOST),
    Field("http_host", Role.HOST),
    Field("server_name", Role.HOST),
    Field("vhost", Role.HOST),
    Field("http_user_agent", Role.USER_AGENT),
)
"""nginx's variables that have a role, and `vhost`, which is Apache's %v:%p."""
ADDRESSES = ("host", "http_host", "vhost", "client_port", "target_port")
WITH_SPACES = ("time_local", "request", "http_user_agent")
"""Variables that hold spaces as a rule, so that bare ones don't show where they end."""


def _kind(name: str, before: str, after: str) -> Kind:
    """Return how a variable is written, by what stands around it."""
    if before.endswith('"') and after.startswith('"'):
        return Kind.QUOTED
    if before.endswith("[") and after.startswith("]"):
        return Kind.BRACKETED
    if name == "remote_user":
        return Kind.USER
    if name in ADDRESSES:
        return Kind.HOST
    return Kind.LIST if name.startswith(("upstream_", UNNAMED)) else Kind.WORD


def shaped(name: str, shape: str, variables: Iterable[Field] = VARIABLES, *, extra: bool = False) -> Delimited:
    """Return the format whose lines have a shape, in the notation of nginx's log_format.

    Raises:
        ConfigError: It is no such shape, or one in which a field's end can't be told.
    """
    known = {field.name: field for field in variables}
    literals, names = _split(shape)
    fields = []
    for number, variable in enumerate(names):
        before, after = literals[number : number + 2]
        kind = _kind(variable, before, after)
        if not after and number + 1 < len(names):
            raise ConfigError(f"${variable}${names[number + 1]}: put a separator between the two.")
        if kind is Kind.WORD and variable in WITH_SPACES:
            raise ConfigError(f'${variable} may hold spaces: write "${variable}", in the server\'s settings too.')
        fields.append(replace(known.get(variable, Field(variable)), kind=kind))
    ranked = _one_a_role(fields, lambda field: field.name == "bytes_sent")  # body_bytes_sent goes before it
    return Delimited(name, ranked, literals=tuple(literals), extra=extra)


def _split(shape: str) -> tuple[list[str], list[str]]:
    """Return the literals of a shape, one more than variables, and the names of its variables."""
    parts = re.split(r"\$(?:(\w+)|\{(\w+)\})", shape)
    literals, names = parts[::3], [bare or braced for bare, braced in zip(parts[1::3], parts[2::3], strict=True)]
    wrong = next((text for text in literals if "$" in text or "\n" in text or not text.isascii()), None)
    if wrong is not None or shape.startswith("'"):
        raise ConfigError(
            "expected one line of ASCII as the server writes it, with nginx's $variables and without nginx.conf's "
            f"own quotes, found {shape if wrong is None else wrong!r}."
        )
    return literals, names


COMMON = '$remote_addr $remote_logname $remote_user [$time_local] "$request" $status $body_bytes_sent'
COMBINED = COMMON + ' "$http_referer" "$http_user_agent"'
VHOST_COMBINED = "$vhost " + COMBINED.replace("$body_bytes_sent", "$bytes_sent")
SHAPES = {"common": COMMON, "combined": COMBINED, "vhost_combined": VHOST_COMBINED}

# AWS has added fields at the end over the years. What we read has been there since 2019.
ALB = (
    "$type $time $elb $client_port $target_port $request_processing_time $target_processing_time "
    "$response_processing_time $elb_status_code $target_status_code $received_bytes $sent_bytes "
    '"$request" "$user_agent" $ssl_cipher $ssl_protocol $target_group_arn "$trace_id" "$domain_name" '
    '"$chosen_cert_arn" $matched_rule_priority $request_creation_time "$actions_executed" "$redirect_url" '
    '"$error_reason" "$target_port_list" "$target_status_code_list"'
)
ALB_VARIABLES = (
    Field("time", Role.TIME),
    Field("request_processing_time", Role.DURATION),
    Field("target_processing_time", Role.DURATION),
    Field("response_processing_time", Role.DURATION),
    Field("elb_status_code", Role.STATUS),
    Field("target_status_code", Role.UPSTREAM_STATUS),
    Field("sent_bytes", Role.RESPONSE_BYTES),
    Field("request", Role.REQUEST),
    Field("user_agent", Role.USER_AGENT),
    Field("domain_name", Role.HOST),
    Field("target_port_list", Role.UPSTREAMS),
    Field("target_status_code_list", Role.UPSTREAMS),
)


def _headed(name: str, separator: str, *, scale: int = 0, zero_status: bool = False) -> Headed:
    """Return a format of W3C's names; of several with one role the first here counts."""
    names = {
        "date": Role.TIME,
        "timestamp(ms)": Role.TIME,
        "time": Role.CLOCK,
        "cs-method": Role.METHOD,
        "cs-uri-stem": Role.TARGET,
        "cs-uri": Role.TARGET,
        "sc-status": Role.STATUS,
        "sc-bytes": Role.RESPONSE_BYTES,
        "bytes": Role.RESPONSE_BYTES,
        "time-taken": Role.DURATION,
        "x-host-header": Role.HOST,
        "cs-host": Role.HOST,
        "cs(Host)": Role.HOST,
        "cs(User-Agent)": Role.USER_AGENT,
    }
    fields = tuple(
        Field(name, role, Kind.PLAIN, scale if role is Role.DURATION else 0) for name, role in names.items()
    )
    return Headed(name, fields, zero_status, separator=separator)


FASTLY = (
    Field("timestamp", Role.TIME),
    Field("host", Role.HOST),
    Field("url", Role.TARGET),
    Field("request_method", Role.METHOD),
    Field("response_status", Role.STATUS),
    Field("response_body_size", Role.RESPONSE_BYTES),
    Field("request_user_agent", Role.USER_AGENT),
)
HEROKU = (
    Field(PREFIX_TIME, Role.TIME),
    Field("method", Role.METHOD),
    Field("path", Role.TARGET),
    Field("host", Role.HOST),
    Field("connect", Role.DURATION, scale=3),
    Field("service", Role.DURATION, scale=3),
    Field("status", Role.STATUS),
    Field("bytes", Role.RESPONSE_BYTES),
)

FORMATS: dict[str, Format] = {
    each.name: each
    for each in (
        *(shaped(name, shape) for name, shape in SHAPES.items()),
        shaped("alb", ALB, ALB_VARIABLES, extra=True),
        _headed("cloudfront", "\t", zero_status=True),
        _headed("w3c", " "),
        _headed("iis", " ", scale=3),
        Json("json", VARIABLES),
        Json("fastly", FASTLY),
        Logfmt("logfmt", VARIABLES),
        Logfmt("heroku", HEROKU),
    )
}

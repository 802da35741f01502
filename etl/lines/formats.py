"""Log formats, as declarations: which fields a line has, and what each is read for. One parser serves them all.

    Format ─┬─ Delimited   fields between literals: Apache, nginx, AWS load balancers
            ├─ Headed      fields named by a `#Fields:` line: W3C, IIS, CloudFront
            ├─ Json        one JSON object a line
            ├─ Logfmt      key=value pairs: Heroku's router
            ├─ Ltsv        label:value pairs between tabs
            └─ Alternatives  several of them in one file

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
    IDENTITY = "identity"
    """What is only compared with other lines: the id of a request, or the number that its host gave a line."""
    BESIDE = "beside"
    """What only a record has that stands beside its request's own, such as one about its error."""


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
    """Anything but the separator, in quotes also that; `-` stands for nothing, and `+` or `%20` for a space."""
    STAMP = "stamp"
    """A timestamp, which may hold spaces, or a word."""
    NAMELESS = "nameless"
    """Anything up to the literal that follows; as little of it as fits."""


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
"""Roles that several fields of a line may have: a source chooses one host; durations are summed, as a rule."""
BETWEEN_TEXTS = "\t|"
"""Characters between fields that may hold spaces."""


@dataclass(frozen=True)
class Field:
    """A field of a format.

    Attributes:
        name: As the format calls it; in JSON its key, dotted where objects are nested.
        scale: A duration is in units of 10**-scale seconds: 0, 3, 6 or 9.
    """

    name: str
    role: Role | None = None
    kind: Kind = Kind.WORD
    scale: int = 0


@dataclass(frozen=True)
class Format:
    """A log format.

    Attributes:
        zero_status: Whether 000, 0 and -1 are a status: the client left before there was one.
        has_sessions: Whether lines without a status and a request are connections of TCP, which are no requests.
        first_duration: Whether of several durations the first that a line has counts, not their sum.
        mark: A regular expression that is found in most lines, by which to know the format where others have such
            lines too, with another unit. Lines are read without a look at it.
        timezone: Name of the IANA time zone of times that are written without an offset.
        separator: The character between fields, a date and its time of day among them, if it is always the same.
    """

    name: str
    fields: tuple[Field, ...]
    zero_status: bool = False
    timezone: str | None = None
    separator: str = ""
    first_duration: bool = False
    mark: str = ""
    has_sessions: bool = False

    def is_marked(self, lines: Sequence[bytes]) -> bool:
        """Tell whether at least half of the lines have the format's mark, if it has one."""
        if not self.mark:
            return True
        return 2 * sum(bool(re.search(self.mark.encode(), line)) for line in lines) >= len(lines)

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
        literals: What stands before each field, and after the last. Two spaces are a run of any length.
        extra: Whether further fields may follow, after a space.
        sure: How many fields every line has, None for all. Those after them are read where all of them are as
            declared; whatever else follows makes no line a reject.
        dashes: Whether a bare `-` may stand for a quoted field.
        prefix: A regular expression of what may stand before the first literal.
    """

    literals: tuple[str, ...]
    extra: bool = False
    sure: int | None = None
    dashes: bool = False
    prefix: str = ""

    @cached_property
    def pattern(self) -> str:
        """The regular expression that a whole line with its LF or CRLF matches, as RE2 and `re` read it.

        The field at index n is the group `f<n>`, if it has a role. The pattern decides where a field ends; what it
        holds is checked later, so that a reject names the field. A second line glued to a cut-off one must not
        fit: no field holds a bare quote, and none but the quoted, the nameless and the plain ones a bracket.
        """
        literals, bodies = self.parts(self.literals, self.separator)
        sure = len(self.fields) if self.sure is None else self.sure
        begin, then = self._fields(0, sure, literals, bodies), r"(?: [^\r\n]*)?" if self.extra else ""
        if sure < len(self.fields):
            _, space, label = literals[sure].partition(re.escape(" "))
            begin = begin.removesuffix(space + label)
            then = f"(?: {label}{self._fields(sure, len(self.fields), literals, bodies)}|{REST}){then}"
        return f"(?s)^{self.prefix}{literals[0]}{begin}{then}\\r?\\n?$"

    def _fields(
        self, begin: int, end: int, literals: Sequence[str], bodies: Sequence[tuple[str, str, str]]
    ) -> str:
        """Return the regular expression of some fields, each with the literal after it."""
        parts = []
        for number in range(begin, end):
            field, (before, body, after) = self.fields[number], bodies[number]
            if self.sure is not None and number >= self.sure:
                body = READABLE.get(field.role, body)
            parts += [before, f"(?P<f{number}>{body})" if field.role else f"(?:{body})", after]
            parts.append(literals[number + 1])
        return "".join(parts)

    def parts(self, literals: Sequence[str], separator: str) -> tuple[list[str], list[tuple[str, str, str]]]:
        """Return the regular expressions of the literals, and of each field with what belongs around it.

        Args:
            literals: Those of the format, or what masks make of them.
            separator: Likewise.
        """
        left, bodies = list(literals), []
        for number, field in enumerate(self.fields):
            before, after = left[number], literals[number + 1]
            around = ("", "")
            if self.may_be_dash(number):
                left[number], left[number + 1] = before[:-1], after[1:]
                around = ('(?:"', '"|-)')
            body = field_pattern(field.kind, separator or self.delimiter(number))
            bodies.append((around[0], body, around[1]))
        return [re.sub(r"(?:\\ ){2,}", " +", re.escape(each)) for each in left], bodies

    def delimiter(self, number: int) -> str:
        """Return the character that ends a field, if there is one."""
        return self.separator or _delimiter(*self.literals[number : number + 2])

    def may_be_dash(self, number: int) -> bool:
        """Tell whether a bare `-` may stand for a field and its quotes, which no other field has."""
        before, after = self.literals[number : number + 2]
        is_alone = (number == 0 or len(before) > 1) and (number + 1 == len(self.fields) or len(after) > 1)
        return self.dashes and self.fields[number].kind is Kind.QUOTED and is_alone

    @property
    def unquoted(self) -> list[str]:
        """The literals without the quotes of fields for which a dash may stand."""
        found = list(self.literals)
        for number in filter(self.may_be_dash, range(len(self.fields))):
            found[number], found[number + 1] = found[number][:-1], found[number + 1][1:]
        return found


def _delimiter(before: str, after: str) -> str:
    """Return the character that ends a field between two literals."""
    if after:
        return "|" if after.strip(" ").startswith("|") else after[0]
    return before[-1:] if before[-1:] in BETWEEN_TEXTS else ""


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

    Words without `=` may stand before the first pair. The first of them that is an ISO timestamp, or else is one
    after a bracket, is the field `prefix_time`.
    """


@dataclass(frozen=True)
class Ltsv(Format):
    """Pairs label:value between tabs; as in Json, the first field that a line has counts. `-` is no value."""


@dataclass(frozen=True, kw_only=True)
class Alternatives(Format):
    """Lines of several formats in one file: each is of the first format whose shape it has.

    Attributes:
        formats: The formats; a line that fits none of them is judged by the last.
        labels: What each is called, so that one can stand there with and without further fields.
    """

    formats: tuple[Format, ...]
    labels: tuple[str, ...]

    @classmethod
    def of(cls, formats: Sequence[Format], labels: Sequence[str]) -> "Alternatives":
        """Return what formats are together."""
        fields = dict.fromkeys(field for each in formats for field in each.fields)
        name = ", ".join(each.name for each in formats)
        return cls(name, tuple(fields), formats=tuple(formats), labels=tuple(labels))

    @property
    def in_zone(self) -> list[Format]:
        """The formats, with the time zone that they are given as one."""
        return [replace(each, timezone=self.timezone or each.timezone) for each in self.formats]


PREFIX_TIME = "prefix_time"


def with_field(log_format: Format, name: str, role: Role = Role.HOST) -> Format:
    """Return a format that reads a field of that name too, as one of its hosts or what else it is said to be for.

    Raises:
        ConfigError: No line has it, or it is read for something else.
    """
    if isinstance(log_format, Alternatives):
        found = [_with_field(each, name, role) for each in log_format.formats]
        if any(found):
            formats = [new or old for new, old in zip(found, log_format.formats, strict=True)]
            return replace(log_format, formats=tuple(formats))
    elif new := _with_field(log_format, name, role):
        return new
    names = ", ".join(field.name for field in log_format.fields if field.role in {None, Role.HOST})
    raise ConfigError(
        f"field:{name}: format {log_format.name} has no such field, or reads it for something else"
        f"{f'. Others are {names}' if names else ''}."
    )


def _with_field(log_format: Format, name: str, role: Role) -> Format | None:
    known = [field for field in log_format.fields if field.name == name]
    if any(field.role not in {None, Role.HOST} for field in known):
        return None
    if known:
        fields = (replace(each, role=role) if each.name == name else each for each in log_format.fields)
        return replace(log_format, fields=tuple(fields))
    if isinstance(log_format, Delimited):
        return None
    return replace(log_format, fields=(*log_format.fields, Field(name, role, Kind.PLAIN)))


def field_pattern(kind: Kind, delimiter: str) -> str:
    """Return the regular expression of a field that is written so, up to a delimiter."""
    may_hold_spaces = delimiter != "" and delimiter in BETWEEN_TEXTS
    from etl.lines import timestamps  # noqa: PLC0415 - numpy and Arrow, which --help has no use for

    delimiter = re.escape(delimiter)
    word = rf"[^{delimiter}\r\n]*?" if may_hold_spaces else rf'[^ "\[\]\r\n{delimiter}]+'
    host = rf"(?:\[[0-9A-Fa-f:.]+\](?::[0-9]+)?|{word})"
    return {
        Kind.WORD: word,
        Kind.HOST: host,
        Kind.USER: word if may_hold_spaces else r'(?:""|[^ "\[\]]+(?: [^ "\[\]-][^ "\[\]]*)*)',
        Kind.BRACKETED: r'[^"\[\]]*',
        Kind.QUOTED: r'(?:[^"\\]|\\.)*',
        Kind.LIST: rf"{host}(?:(?:, | : ){host})*",
        Kind.PLAIN: rf'(?:"[^"\r\n]*"|[^{delimiter}\r\n]+)',
        Kind.STAMP: rf"(?:{timestamps.WORDS}|{timestamps.unnamed(timestamps.BSD)}|{word})",
        Kind.NAMELESS: r"[^\r\n]*?",
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
CLIENTS = ("remote_addr", "http_x_forwarded_for")
"""Variables that are a list, with commas, where proxies hand on who asked."""
WITH_SPACES = ("request", "http_user_agent")
"""Variables that hold spaces as a rule, so that bare ones don't show where they end."""
NAMELESS = re.compile(r"_\w*|field_[0-9]+")
"""Variables that say that nobody knows what they are."""


def _kind(field: Field, before: str, after: str) -> Kind:
    """Return how a variable is written, by what stands around it."""
    is_client = field.name in CLIENTS and after.startswith(" ") and after.strip()[:1] not in {":", "|"}
    found = {
        Kind.QUOTED: before.endswith('"') and after.startswith('"'),
        Kind.BRACKETED: before.endswith("[") and after.startswith("]"),
        Kind.USER: field.name == "remote_user",
        Kind.STAMP: field.role is Role.TIME,
        Kind.NAMELESS: NAMELESS.fullmatch(field.name),
        Kind.HOST: field.name in ADDRESSES,
        Kind.LIST: is_client or field.name.startswith("upstream_"),
    }
    return next((kind for kind, is_so in found.items() if is_so), Kind.WORD)


def shaped(
    name: str, shape: str, variables: Iterable[Field] = VARIABLES, *, extra: bool = False, prefix: str = ""
) -> Delimited:
    """Return the format whose lines have a shape, in the notation of nginx's log_format.

    Raises:
        ConfigError: It is no such shape, or one in which a field's end can't be told.
    """
    known = {field.name: field for field in variables}
    literals, names = _split(shape)
    fields = []
    for number, variable in enumerate(names):
        before, after = literals[number : number + 2]
        field = known.get(variable, Field(variable))
        kind = _kind(field, before, after)
        if not after and number + 1 < len(names):
            raise ConfigError(f"${variable}${names[number + 1]}: put a separator between the two.")
        may_hold_spaces = _delimiter(before, after) in {"\t", "|"}
        if kind is Kind.WORD and variable in WITH_SPACES and not may_hold_spaces:
            raise ConfigError(f'${variable} may hold spaces: write "${variable}", in the server\'s settings too.')
        fields.append(replace(field, kind=kind))
    ranked = _one_a_role(fields, lambda field: field.name == "bytes_sent")  # body_bytes_sent goes before it
    dashes = shape not in SHAPES.values()
    return Delimited(name, ranked, literals=tuple(literals), extra=extra, dashes=dashes, prefix=prefix)


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

ELB = (
    "$time $elb $client_port $target_port $request_processing_time $target_processing_time "
    "$response_processing_time $elb_status_code $target_status_code $received_bytes $sent_bytes "
    '"$request" "$user_agent" $ssl_cipher $ssl_protocol'
)
S3 = (
    "$bucket_owner $bucket [$time] $remote_ip $requester $request_id $operation $key "
    '"$request_uri" $http_status $error_code $bytes_sent $object_size $total_time $turn_around_time '
    '"$referer" "$user_agent" $version_id'
)
S3_VARIABLES = (
    Field("bucket", Role.HOST),
    Field("time", Role.TIME),
    Field("request_uri", Role.REQUEST),
    Field("http_status", Role.STATUS),
    Field("bytes_sent", Role.RESPONSE_BYTES),
    Field("total_time", Role.DURATION, scale=3),
    Field("user_agent", Role.USER_AGENT),
)
# With what syslog puts before it; captured headers in braces may stand before the request, TLS fields after it.
HAPROXY = (
    "$client_port [$accept_date] $frontend $backend/$server $tr/$tw/$tc/$tres/$ta $status_code $bytes_read "
    '$req_cookie $res_cookie $termination_state $connections $srv_queue/$_queue_and_headers "$http_request"'
)
HAPROXY_PREFIX = r'(?:[^"\[\]\r\n]*? )?(?:[^ "\[\]\r\n]+\[[0-9]+\]: +)?'
HAPROXY_VARIABLES = (
    Field("accept_date", Role.TIME),
    Field("frontend", Role.HOST),
    Field("backend", Role.HOST),
    Field("ta", Role.DURATION, scale=3),
    Field("status_code", Role.STATUS),
    Field("bytes_read", Role.RESPONSE_BYTES),
    Field("http_request", Role.REQUEST),
)
ENVOY_END = (
    "$bytes_received $bytes_sent $duration $upstream_service_time "
    '"$x_forwarded_for" "$user_agent" "$request_id" "$authority" "$upstream_host"'
)
ENVOY = '[$start_time] "$request" $response_code $response_flags ' + ENVOY_END
ISTIO = (
    '[$start_time] "$request" $response_code $response_flags $response_code_details '
    '$connection_termination_details "$upstream_transport_failure_reason" '
    f"{ENVOY_END} $upstream_cluster"
)
ENVOY_VARIABLES = (
    Field("start_time", Role.TIME),
    Field("request", Role.REQUEST),
    Field("response_code", Role.STATUS),
    Field("bytes_sent", Role.RESPONSE_BYTES),
    Field("duration", Role.DURATION, scale=3),
    Field("authority", Role.HOST),
    Field("user_agent", Role.USER_AGENT),
)
INGRESS_NGINX = (
    COMBINED.replace("$remote_logname", "-")
    + " $request_length $request_time [$proxy_upstream_name] [$proxy_alternative_upstream_name] $upstream_addr "
    "$upstream_response_length $upstream_response_time $upstream_status $req_id"
)
INGRESS_VARIABLES = (*VARIABLES, Field("proxy_upstream_name", Role.HOST))
TRAEFIK = COMBINED + ' $request_count "$router" "$server_url" $request_time'
NGINX_PROXY_MANAGER_END = (
    '$status - $request_method $scheme $host "$request_uri" [Client $remote_addr] [Length $body_bytes_sent] '
    '[Gzip $gzip_ratio] [Sent-to $server] "$http_user_agent" "$http_referer"'
)
GIN = '[GIN] $time_local |  $status |  $request_time |  $remote_addr |  $request_method  "$request_uri"'
SQUID = (
    "$msec  $elapsed $remote_host $result/$status $bytes_sent $request_method $request_uri $user "
    "$hierarchy/$peer $content_type"
)
SQUID_VARIABLES = (*VARIABLES, Field("elapsed", Role.DURATION, scale=3))
DJANGO = '[$time_local] "$request" $status $body_bytes_sent'


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


def _keyed(
    kind: type[Json] | type[Logfmt] | type[Ltsv],
    name: str,
    declared: str,
    kind_of_field: Kind = Kind.WORD,
    mark: str = "",
) -> Format:
    """Return a format of keys, of which several with one role are alternatives; a client may leave it no status.

    Args:
        kind: How keys and values are written.
        name: The format's name.
        declared: A line a role: the role, for a duration with its unit, and the keys, the preferred one first.
        kind_of_field: How values are written.
        mark: See Format.
    """
    fields = []
    for line in declared.split("\n"):
        role, *keys = line.split()
        role, _, unit = role.partition(":")
        fields += [Field(key, Role(role), kind_of_field, UNITS.get(unit, 0)) for key in keys]
    return kind(name, tuple(fields), zero_status=True, first_duration=True, mark=mark)


UNITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}
"""Units of durations, and their decimal places."""
TRAEFIK_JSON = """time StartUTC StartLocal time
method RequestMethod
target RequestPath
status DownstreamStatus
response_bytes DownstreamContentSize
duration:ns Duration
upstream_status OriginStatus
host RequestHost RequestAddr
user_agent request_User-Agent"""
CADDY = """time ts
method request.method
target request.uri
status status
response_bytes size
duration:s duration
host request.host
user_agent request.headers.User-Agent.0
beside err_id"""
CLOUDFRONT_JSON = """time date
clock time
method cs-method cs_method
target cs-uri-stem cs_uri_stem
status sc-status sc_status
response_bytes sc-bytes sc_bytes
duration:s time-taken time_taken
host x-host-header x_host_header cs(Host) cs_host
user_agent cs(User-Agent) cs_user_agent"""
CLOUDFLARE = """time EdgeStartTimestamp EdgeEndTimestamp
method ClientRequestMethod
target ClientRequestURI ClientRequestPath
status EdgeResponseStatus
response_bytes EdgeResponseBytes
upstream_status OriginResponseStatus
host ClientRequestHost
user_agent ClientRequestUserAgent"""
AZURE_FRONT_DOOR = """time time
method properties.httpMethod
target properties.requestUri
status properties.httpStatusCode
response_bytes properties.responseBytes
duration:s properties.timeTaken
host properties.hostName
user_agent properties.userAgent"""
AZURE_APPLICATION_GATEWAY = """time timeStamp time
method properties.httpMethod
target properties.requestUri
status properties.httpStatus
response_bytes properties.sentBytes
duration:s properties.timeTaken
upstream_status properties.serverStatus
host properties.originalHost properties.host
user_agent properties.userAgent"""
API_GATEWAY = """time requestTime requestTimeEpoch
method httpMethod
target path resourcePath
status status
response_bytes responseLength
duration:ms responseLatency
upstream_status integrationStatus
host domainName
user_agent userAgent"""
GCP_HTTP = """time timestamp
method httpRequest.requestMethod
target httpRequest.requestUrl
status httpRequest.status
response_bytes httpRequest.responseSize
duration:s httpRequest.latency
host resource.labels.service_name resource.labels.url_map_name
user_agent httpRequest.userAgent"""
AKAMAI = """time reqTimeSec
method reqMethod
target reqPath
status statusCode
response_bytes totalBytes bytes
host reqHost
user_agent UA"""
ENVOY_JSON = """time start_time
method method :method
target x-envoy-origin-path path :path
status response_code
response_bytes bytes_sent
duration:ms duration
host authority :authority
user_agent user_agent user-agent"""
LOGRAGE = """time @timestamp timestamp time
method method
target path
status status
duration:ms duration
user_agent user_agent"""
PINO = """time time
method req.method
target req.url
status res.statusCode
response_bytes res.headers.content-length
duration:ms responseTime
host req.headers.host
user_agent req.headers.user-agent"""
BUNYAN = """time time
method req.method method
target req.url url
status res.statusCode status-code
response_bytes res.headers.content-length
duration:ms response-time latency
host req.headers.host
user_agent req.headers.user-agent user-agent"""
ECS = """time @timestamp
method http.request.method
target url.original url.full url.path
status http.response.status_code
response_bytes http.response.body.bytes http.response.bytes
duration:ns event.duration
host url.domain
user_agent user_agent.original"""
OPENTELEMETRY_KEYS = """method http.request.method http.method
target url.path url.full http.target http.url
status http.response.status_code http.status_code
response_bytes http.response.body.size http.response_content_length
duration:s http.server.request.duration
host server.address http.host
user_agent user_agent.original http.user_agent"""
OPENTELEMETRY = "time timestamp Timestamp time @timestamp\n" + "\n".join(
    " ".join([role, *keys, *(f"attributes.{key}" for key in keys), *(f"Attributes.{key}" for key in keys)])
    for role, *keys in map(str.split, OPENTELEMETRY_KEYS.split("\n"))
)
LTSV = """time time
request req
method method request_method
target uri request_uri
status status
response_bytes size body_bytes_sent
duration:s reqtime request_time
duration:us reqtime_microsec
host vhost
user_agent ua"""
LOGRAGE_TEXT = f"""time {PREFIX_TIME}
method method
target path
status status
duration:ms duration"""

FORMATS: dict[str, Format] = {
    each.name: each
    for each in (
        *(shaped(name, shape) for name, shape in SHAPES.items()),
        shaped("alb", ALB, ALB_VARIABLES, extra=True),
        shaped("elb", ELB, ALB_VARIABLES, extra=True),
        shaped("s3", S3, S3_VARIABLES, extra=True),
        replace(
            shaped("haproxy", HAPROXY, HAPROXY_VARIABLES, extra=True, prefix=HAPROXY_PREFIX), zero_status=True
        ),
        replace(shaped("envoy", ENVOY, ENVOY_VARIABLES), zero_status=True, has_sessions=True),
        replace(shaped("istio", ISTIO, ENVOY_VARIABLES, extra=True), zero_status=True, has_sessions=True),
        shaped("ingress_nginx", INGRESS_NGINX, INGRESS_VARIABLES),
        shaped("ingress_nginx_host", INGRESS_NGINX + " $host", INGRESS_VARIABLES),
        shaped("traefik", TRAEFIK),
        shaped("nginx_proxy_manager", f"[$time_local] $cache $upstream_status {NGINX_PROXY_MANAGER_END}"),
        shaped("gin", GIN),
        replace(shaped("squid", SQUID, SQUID_VARIABLES), zero_status=True),
        shaped("django", DJANGO),
        replace(shaped("puma", f"{COMMON} $request_time"), mark=r" [0-9]+\.[0-9]{4}\r?$"),
        replace(shaped("combinedio", f"{COMBINED} $request_length $bytes_sent"), mark=r'" [0-9]+ [0-9]+\r?$'),
        _keyed(Json, "traefik_json", TRAEFIK_JSON),
        _keyed(Json, "caddy", CADDY, mark='"handled request"'),
        _keyed(Json, "cloudfront_json", CLOUDFRONT_JSON, Kind.PLAIN),
        _keyed(Json, "cloudflare", CLOUDFLARE),
        _keyed(Json, "azure_front_door", AZURE_FRONT_DOOR),
        _keyed(Json, "azure_application_gateway", AZURE_APPLICATION_GATEWAY),
        _keyed(Json, "api_gateway", API_GATEWAY),
        _keyed(Json, "gcp_http", GCP_HTTP),
        _keyed(Json, "akamai", AKAMAI),
        replace(_keyed(Json, "envoy_json", ENVOY_JSON, mark='"response_flags"'), has_sessions=True),
        _keyed(Json, "lograge_json", LOGRAGE, mark='"(?:controller|format)"'),
        _keyed(Json, "pino", PINO, mark='"responseTime"'),
        _keyed(Json, "bunyan", BUNYAN, mark='"v":0'),
        _keyed(Json, "ecs", ECS),
        _keyed(Json, "opentelemetry", OPENTELEMETRY, mark='[Aa]ttributes|"(?:http.target|server.address)"'),
        _keyed(Ltsv, "ltsv", LTSV, Kind.PLAIN),
        _keyed(Logfmt, "lograge", LOGRAGE_TEXT, mark="(?:format|controller)="),
        _headed("cloudfront", "\t", zero_status=True),
        _headed("w3c", " "),
        _headed("iis", " ", scale=3),
        Json("json", VARIABLES, zero_status=True),
        Json("fastly", FASTLY),
        Logfmt("logfmt", VARIABLES, zero_status=True),
        Logfmt("heroku", HEROKU),
    )
}

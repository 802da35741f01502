"""What the program and the reference are compared on: formats, each in the words of both, and what both say."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from reference import COMBINED, DIALECTS, TRAILING, Dialect, Verdict, judge_all, nginx

from etl.lines import parse, timestamps
from etl.lines.batches import Batch
from etl.lines.blocks import BlockParser, passes_of
from etl.lines.formats import FORMATS, Delimited, Field, Format, Json, Kind, Logfmt, Role, shaped
from etl.lines.parse import Classifier
from etl.raw import reading
from lake.contracts import contract
from lake.contracts.rejects import REASONS

SCHEMA = pa.schema([pa.field(column.name, column.type) for column in contract("requests").columns])
HEALTH_CHECK_PATHS = ("/healthz", "/probe/*")
SYNTHETIC_USER_AGENTS = ("UptimeRobot", "Pingdom", "Synthetic Check")
NGINX_SHAPES = {
    "words": (
        "$http_host $remote_addr $remote_user [$time_iso8601] $request_method $request_uri $status $bytes_sent"
        ' $request_time $upstream_response_time $upstream_status "$http_user_agent"'
    ),
    "pipes": "$msec|$request_method|$request_uri|$status|$body_bytes_sent|$request_time|$upstream_addr|$host|",
    "mixed": (
        '${time_iso8601} rt=${request_time}s "$request" [$upstream_status] $bytes_sent $body_bytes_sent'
        ' "$remote_user" $status "$upstream_addr"'
    ),
}
JSON_KEYS = {
    "time": "ts",
    "method": "request.method",
    "target": "request.uri",
    "host": "request.host",
    "user_agent": "request.headers.user_agent",
    "status": "status",
    "response_bytes": "size",
    "duration": "duration",
}
LOGFMT_KEYS = {
    "time": "ts",
    "request": "request",
    "status": "code",
    "response_bytes": "size",
    "duration": "took",
    "upstream_status": "upstream",
    "upstreams": "upstreams",
    "host": "host",
    "user_agent": "agent",
}


@dataclass(frozen=True)
class Case:
    """A format in the words of the program and of the reference, and what is told by its lines."""

    name: str
    format: Format
    dialect: Dialect

    @property
    def classifier(self) -> Classifier:
        """What the program is told of a source."""
        return Classifier(
            vantage="origin",
            application=None if self.dialect.host else "web",
            application_field=self.dialect.host,
            health_check_paths=self.dialect.health_check_paths,
            synthetic_user_agents=self.dialect.synthetic_user_agents,
        )


def _case(name: str, log_format: Format, dialect: Dialect, host: str | None = None) -> Case:
    return Case(
        name,
        log_format,
        replace(
            dialect,
            host=host,
            timezone=log_format.timezone,
            health_check_paths=HEALTH_CHECK_PATHS,
            synthetic_user_agents=SYNTHETIC_USER_AGENTS,
        ),
    )


def _keyed(style: str, name: str, keys: dict[str, str], scale: int = 0, **settings: str) -> Case:
    fields = tuple(Field(key, Role(role), scale=scale * (role == "duration")) for role, key in keys.items())
    roles = {role: (key,) for role, key in keys.items()}
    scales = {keys["duration"]: scale} if "duration" in keys else {}
    dialect = Dialect(style, roles=roles, scales=scales, zero_status=True)
    return _case(name, replace(FORMATS[style], fields=fields, **settings), dialect, host=keys.get("host"))


HOSTS = {"vhost_combined": "vhost", "json": "host", "fastly": "host", "alb": "authority", "heroku": "host"}
HOSTS |= {"w3c": "cs(Host)", "iis": "cs-host", "cloudfront": "x-host-header"}


def _declared(log_format: Format) -> Case | None:
    """Return a format with the dialect that its declaration is, None if the reference has no words for it."""
    notation = ""
    if isinstance(log_format, Delimited):
        if log_format.prefix or any("  " in each for each in log_format.literals):
            return None
        names = [f"${{{field.name}}}" for field in log_format.fields]
        notation = "".join(before + name for before, name in zip(log_format.literals, [*names, ""], strict=True))
    styles = {Delimited: "delimited", Json: "json", Logfmt: "logfmt"}
    if type(log_format) not in styles:
        return None
    roles: dict[str, tuple[str, ...]] = {}
    for field in log_format.fields:
        if field.role:
            roles[field.role.value] = (*roles.get(field.role.value, ()), field.name)
    dialect = Dialect(
        styles[type(log_format)],
        notation,
        roles,
        {field.name: field.scale for field in log_format.fields},
        extra=isinstance(log_format, Delimited) and log_format.extra,
        zero_status=log_format.zero_status,
        first_duration=log_format.first_duration,
        dashes=isinstance(log_format, Delimited) and log_format.dashes,
        no_values=any(field.kind is Kind.PLAIN for field in log_format.fields),
    )
    return _case(log_format.name, log_format, dialect, next(iter(log_format.hosts), None))


TRAILED = shaped("combined", COMBINED + TRAILING)
WORDS, PIPES, MIXED = (NGINX_SHAPES[name] for name in ("words", "pipes", "mixed"))
ALL = (
    *(
        _case(name, FORMATS[name], dialect, HOSTS.get(name))
        for name, dialect in DIALECTS.items()
        if name in FORMATS
    ),
    _case("combined_trailing", TRAILED, DIALECTS["combined_trailing"], "host"),
    _case("alb_domain", FORMATS["alb"], DIALECTS["alb"], "domain_name"),
    _case("words", shaped("words", WORDS), nginx(WORDS), "http_host"),
    _case("pipes", shaped("pipes", PIPES), nginx(PIPES), "host"),
    _case("mixed", shaped("mixed", MIXED), nginx(MIXED)),
    _case(
        "zoned",
        replace(shaped("zoned", COMBINED.replace("time_local", "time_iso8601")), timezone="Europe/Berlin"),
        nginx(COMBINED.replace("time_local", "time_iso8601")),
    ),
    _keyed("json", "json_nested", JSON_KEYS),
    _keyed("json", "json_apart", {"time": "date", "clock": "clock", "duration": "us", "status": "status"}, 6),
    _keyed("json", "json_zoned", {"time": "time_iso8601", "status": "s", "target": "t"}, timezone="Europe/Berlin"),
    _keyed("logfmt", "logfmt", LOGFMT_KEYS, 3),
    *(found for name, each in FORMATS.items() if name not in {*DIALECTS, "logfmt"} and (found := _declared(each))),
)
CASES = {case.name: case for case in ALL}


# How a file's blocks are taken apart: without and with the compiled kernel.
PARSERS = {"plain": False, "compiled": True}
ELSEWHERE = -3  # among the reasons: a request of a day that isn't wanted


def opened(case: Case, parser: str) -> BlockParser:
    """Return what takes the blocks of one file apart."""
    return BlockParser(case.format, case.classifier, compiled=PARSERS[parser], passes=passes_of(case.format))


class Told(NamedTuple):
    """What the program says of some lines: of each its day and reason, and a row of those accepted.

    Of the others, what is kept of them, and the statuses that they show.
    """

    days: npt.NDArray[np.int64]
    reasons: npt.NDArray[np.int64]
    rows: pa.Table
    masked: pa.StringArray
    statuses: npt.NDArray[np.int64]


def told(batch: Batch) -> Told:
    """Return what lines were found to be."""
    days = np.zeros(batch.lines, np.int64)
    reasons = np.full(batch.lines, parse.ACCEPTED)
    days[batch.numbers], reasons[batch.numbers] = batch.other_days, batch.reasons
    days[batch.numbers_of(np.arange(len(batch.days)))] = batch.days
    days[batch.elsewhere], reasons[batch.elsewhere] = batch.elsewhere_days, ELSEWHERE
    assert np.count_nonzero(reasons == parse.ACCEPTED) == len(batch.days) == batch.rows.num_rows
    return Told(days, reasons, batch.rows.cast(SCHEMA), batch.masked, batch.statuses)


def verdicts(data: bytes, case: Case, parser: str) -> Iterator[Verdict]:
    """Yield what the program says of each line of a file: its day, and why it is a reject or its row."""
    blocks = reading.whole_lines(io.BytesIO(data))
    for batch in opened(case, parser).batches(blocks):
        yield from verdicts_of(told(batch))


def verdicts_of(found: Told) -> Iterator[Verdict]:
    """Yield what the program said, line by line."""
    rows = iter(found.rows.to_pylist())
    for number, code in zip(found.days.tolist(), found.reasons.tolist(), strict=True):
        day = None if number == timestamps.NO_DAY else date(1970, 1, 1) + timedelta(days=number)
        if code == parse.ACCEPTED:
            yield Verdict(day, None, next(rows))
        else:
            yield Verdict(day, "directive" if code == parse.DIRECTIVE else REASONS[code], None)
    assert next(rows, None) is None


def differences(data: bytes, case: Case) -> list[dict[str, Any]]:
    """Return where the parsers and the reference differ on the lines of a file."""
    lines = io.BytesIO(data).readlines()
    wanted = list(judge_all(lines, case.dialect))
    return [
        {"line": line, "parser": parser} | different
        for parser in PARSERS
        for line, said, right in zip(lines, verdicts(data, case, parser), wanted, strict=True)
        if (different := difference(said, right))
    ]


def difference(one: Verdict, other: Verdict) -> dict[str, Any]:
    """Return in what two verdicts differ, of both; the columns of the second count."""
    if one[:2] != other[:2]:
        return {"day and reason": (one[:2], other[:2])}
    rows = one.row or {}, other.row or {}
    return {name: (rows[0][name], value) for name, value in rows[1].items() if rows[0][name] != value}

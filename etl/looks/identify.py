"""What the first lines of a raw file become: by a given source, or by the declaration that reads them best."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.kernel.layout import PADDING
from etl.lines.batches import Batch
from etl.lines.blocks import BlockParser
from etl.lines.envelopes import Wrapping, envelope, found_around
from etl.lines.formats import FORMATS, UNNAMED, Role
from etl.lines.noise import found_in
from etl.lines.parse import ACCEPTED, AUTHORITY, NO_APPLICATION, may_fit, rejects_table
from etl.lines.timestamps import parse, year_around
from etl.looks import guess
from etl.looks.guess import Settings
from etl.looks.rotation import lying
from etl.looks.zone import shown_offset, zone_of
from etl.raw.files import RawFile
from etl.raw.reading import RawReader
from etl.sources.sections import read_sources
from etl.sources.source import FIELD, ONE_DAY, SECTION, Source
from lake.config import Config
from lake.contracts.requests import VANTAGES
from lake.errors import ConfigError, InputError
from lake.memory.arrays import array, numbers, scalar

FIRST_LINES = 1000
SAMPLE_BYTES = 8 << 20
ENOUGH_BYTES = 1 << 20
IIS = re.compile(
    rb"^#Software: Microsoft |^#Fields:.* (?:s-computername|s-sitename|sc-substatus|sc-win32-status)\b",
    re.MULTILINE,
)
"""What tells Microsoft's servers from others that write W3C's format; without its first lines, by the fields."""
ENOUGH, CLOSE = 0.5, 0.9
VHOST = re.compile(
    rb"(?=[^ ]*[A-Za-z])(?![0-9]{4}-[0-9]{2}-[0-9]{2}T)[A-Za-z0-9_.:-]+ "
    rb"(?:(?:[0-9]{1,3}\.){3}[0-9]{1,3}|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]+) "
)
"""How a line begins that tells a host before the client's address."""
VHOST_COMBINED = "vhost_combined"
NO_FORMAT = {"format": "combined"}
"""What lines are tried as for which there is nothing else."""
GUESSED = {
    "log_format": "where lines have a time, a request and a status; the rest may be anything, and is left out",
    "trailing": "what the values look like; compare the server's log_format",
    "fields": "the names of the keys; a duration without a sure unit is left out: add duration, duration_ms or "
    "duration_us",
}
"""Keys of a source that are guessed, and by what."""
ASSUMED_ZONE = "UTC"
NO_ZONE = """\
# a guess: times that name no time zone are taken for UTC. If the server's clock shows another one, name it, such
# as Europe/Berlin or America/New_York. With a wrong zone, requests count on the wrong day"""
SHOWN_ZONE = """\
# the times of the envelope show that the server's clock is so far from UTC (in Etc/GMT, the sign is the opposite
# one). If it has summer time, name the zone, such as Europe/Berlin or America/New_York"""
UTC_SHOWN = "# shown by the times of the envelope"
COVERS_IN_ANOTHER_ZONE = """
# (and then also say: covers = -1 to 1)"""
ONE_FILE = """\
# a guess by one file: any file may hold any day. Once there are several, identify may find dates in their names"""
TWINS = """\
# in all of these lines two columns hold the same statuses: the first is taken for what the client got, the other
# for what the upstream server answered. If it is the other way round, exchange $status and $upstream_status"""
MILLISECONDS = """\
# a guess: durations that are whole or large are milliseconds as a rule. If they are seconds, take the line out"""
MINOR = ("bytes", "duration", "upstream")
"""Reasons of rejects whose shape, time and status are those of the format."""
PLACEHOLDER = {"files": "access.log", "application": guess.NO_NAME, "vantage": "origin"}
"""What a source has to say, while only its format matters."""


ANY_YEAR = date(1972, 1, 1)
"""That of times without a year, as long as only the lines are known: one of 366 days, and of no log."""
DATED = re.compile(r"(?<![0-9])((?:19|20)[0-9]{2})([-_.]?)([0-9]{2})\2([0-9]{2})(?![0-9]{3})")
METHOD = re.compile(rb"\b(?:GET|HEAD|POST|PUT|DELETE|PATCH|OPTIONS)\b|HTTP/[0-9]")
REQUESTED = re.compile(rb'HTTP/[0-9.]+"\s+(?P<status>[0-9]{3})\b')
FAILED = re.compile(rb'(?:^|[\s"=:,|\[])5[0-9]{2}(?=[\s",;|}\]]|$)')


@dataclass(frozen=True)
class Reading:
    """What a source makes of lines.

    Attributes:
        settings: What was declared of the source; nothing for one of luigi.cfg.
        rows: Its rows of `requests`.
        rejects: Its rows of `rejects`.
        without_offset: How many are rejects for nothing but a time without an offset.
        recognised: How many lines have the format's shape, with a time, in whichever time zone, and a status.
        columns: How many columns of `requests` the lines fill.
        without_year: Whether times have no year.
        failed: How many of the rejects look like requests that were answered with a 5xx status.
        last: The last day of the log that is known.
        comments: What to say before keys of its section.
        left_out: Names of files that were given, or are named like the log, and that the source doesn't take.
        elsewhere: Names of files like it in folders beside its own, which may be another host's.
        assumes_zone: Whether its times are read by a time zone that nothing shows.
    """

    source: Source
    settings: Settings
    rows: pa.Table
    rejects: pa.Table
    without_offset: int
    recognised: int
    columns: int
    without_year: bool = False
    failed: int = 0
    last: date | None = None
    comments: Mapping[str, str] = field(default_factory=dict)
    assumes_zone: bool = False
    left_out: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()

    @property
    def lines(self) -> int:
        """How many lines are a request or a reject."""
        return len(self.rows) + len(self.rejects)

    @property
    def guessed(self) -> str | None:
        """The key of the settings that is a guess at how lines are written, if one is."""
        return next((key for key in GUESSED if key in self.settings), None)

    @property
    def is_good(self) -> bool:
        """Whether no more lines are rejects than a day may have, and none of them looks like a server error."""
        return (
            bool(self.rows) and not self.failed and len(self.rejects) <= self.source.max_reject_rate * self.lines
        )

    @property
    def has_two_statuses(self) -> bool:
        """Whether what is read as bytes is the status again: then the format lacks a column that lines have."""
        rows = self.rows.select(["status", "response_bytes"]).drop_null()
        same = rows.filter(pc.equal(rows["status"], rows["response_bytes"]))
        return len(same) >= CLOSE * len(rows) and len(pc.unique(same["status"])) > 1

    @property
    def has_twins(self) -> bool:
        """Whether a guess names two statuses, which are the same in all lines."""
        guessed = "$upstream_status" in self.settings.get("log_format", "")
        return guessed and not len(self.rejects) and self.rows["status"] == self.rows["upstream_status"]

    @property
    def server_errors(self) -> int:
        """How many requests were answered with a 5xx status."""
        return _count(pc.greater_equal(self.rows["status"], 500))

    @property
    def fits(self) -> bool:
        """Whether it may be the log's format: at least half of the lines are recognised."""
        return self.recognised > 0 and self.recognised >= ENOUGH * self.lines


def first_lines(sample: bytes) -> bytes:
    """Return the first 1,000 lines of a sample, or fewer if they are long."""
    head = b"\n".join(sample.split(b"\n", FIRST_LINES)[:FIRST_LINES])
    return head if len(head) <= ENOUGH_BYTES else head[: head.rfind(b"\n", 0, ENOUGH_BYTES) + 1] or head


def sample(file: RawFile, most: int = SAMPLE_BYTES, endpoint_url: str | None = None) -> bytes:
    """Return the first megabytes of a raw file's lines.

    Raises:
        ConfigError: It can't be read, is empty, or holds no lines of text.
        StoreError: S3 can't be reached.
    """
    found = bytearray()
    try:
        for block in RawReader(file, endpoint_url).blocks():
            found += block
            if len(found) >= most:
                break
    except InputError as error:
        raise ConfigError(str(error)) from error
    if not found:
        raise ConfigError(f"{file.name} is empty: there is no line to tell a format by.")
    if b"\0" in found[:ENOUGH_BYTES]:
        raise ConfigError(f"{file.name} is binary: it has bytes of zero, and no lines of text.")
    end = found.rfind(b"\n", 0, most) + 1
    return bytes(found[:end] if len(found) > most and end else found)


def split(head: bytes) -> list[bytes]:
    """Return lines without their LF."""
    return head.removesuffix(b"\n").split(b"\n")


def read(head: bytes, source: Source, settings: Settings | None = None) -> Reading:
    """Return what a source makes of the first lines of a file."""
    rows, rejects = _parsed(head, source)
    rows_in_zone, rejects_in_zone = rows, rejects
    without_time = _without_time(rejects)
    if without_time:
        rows_in_zone, rejects_in_zone = _parsed(head, in_some_zone(source))
    minor = pc.is_in(rejects_in_zone["reason"], array(MINOR, pa.string()))
    return Reading(
        source,
        settings or {},
        rows,
        rejects,
        without_offset=without_time - _without_time(rejects_in_zone),
        recognised=len(rows_in_zone) + _count(minor) + _known_others(source, rejects_in_zone),
        columns=sum(map(_is_filled, rows_in_zone.columns)),
        without_year=_are_of_any_year(rows_in_zone["ts"].to_pylist()),
        failed=_failed(head, rejects),
    )


def _is_filled(column: pa.ChunkedArray) -> bool:
    """Tell whether lines fill a column. That no request was retried is also said where no line could tell it."""
    if pa.types.is_boolean(column.type):
        return pc.any(column).as_py() is True
    return int(column.null_count) < len(column)


def _without_time(rejects: pa.Table) -> int:
    """Return how many rejects have no time that can be read."""
    return _count(pc.equal(rejects["reason"], scalar("time")))


def _known_others(source: Source, rejects: pa.Table) -> int:
    """Return how many rejects the format knows: connections of TCP, and second records of requests."""
    knows = source.format.has_sessions or source.format.has(Role.BESIDE)
    return _count(pc.equal(rejects["reason"], scalar("status"))) if knows else 0


def identify(head: bytes) -> list[Reading]:
    """Return what each declaration that may be meant makes of the first lines of a file, the best first.

    The best is the one that recognises most lines; of several, one that is known by name before one whose end is
    guessed, and then the one that fills most columns.
    """
    lines = split(head)
    unwrapped = [*_unwrapped(lines)]
    found: list[Reading] = []
    for wrapped, inner in unwrapped:
        known = (name for name, each in FORMATS.items() if each.is_marked(inner))
        names = sorted(known, key=lambda name: not IIS.search(head) or name != "iis")
        declared = ({"format": name} for name in names)
        guesses = (*guess.trailing(inner), *guess.forwarded(inner), *guess.fields(inner))
        found += _readings(head, (*declared, *guesses), wrapped, inner)
    if not any(each.fits for each in found):
        for wrapped, inner in reversed(unwrapped):  # an envelope knows its own time, and joins a line's parts
            found += _readings(head, guess.log_formats(inner), wrapped, inner)
    if not found:
        found = [read(head, declare(NO_FORMAT), NO_FORMAT)]
    vhosts = 2 * sum(bool(VHOST.match(line)) for line in lines) > len(lines)
    best, *others = sorted(
        found,
        key=lambda each: (
            -each.recognised,
            vhosts and not each.source.format.hosts,
            not vhosts and each.source.format.name == VHOST_COMBINED,
            each.guessed == "trailing",
            -each.columns,
        ),
    )
    by_name = (each for each in others if not each.guessed and each.is_good and each.columns >= best.columns)
    known_format = next(by_name, None) if best.guessed == "trailing" else None
    if known_format:
        others = [best, *(each for each in others if each is not known_format)]
        best = known_format
    return [_without_noise(best, head), *others]


def _readings(
    head: bytes, guesses: Iterable[Settings], wrapped: Settings, inner: Sequence[bytes]
) -> Iterator[Reading]:
    """Yield what each declaration makes of lines, but for those that are none, or that no line of them fits."""
    lines = array(inner, pa.binary())
    for settings in guesses:
        with suppress(ConfigError):
            whole = {**settings, **wrapped}
            source = declare(whole)
            if not may_fit(lines, source.format):  # most don't, and all else takes a hundred times as long
                continue
            found = read(head, source, whole)
            if not found.has_two_statuses:
                yield found


def _unwrapped(lines: Sequence[bytes]) -> Iterator[tuple[Settings, Sequence[bytes]]]:
    """Yield lines as they are, and without each number of the envelopes that most have, with the setting for it.

    Not only without all: an object with a key `msg` may be an envelope, and as well be the record itself.
    """
    yield {}, lines
    names = found_around(lines)
    block = memoryview(b"".join(line + b"\n" for line in lines))
    for number in range(1, len(names) + 1):
        outer = names[:number]
        inner = b"".join(Wrapping(tuple(map(envelope, outer))).inner_blocks([block]))
        yield {"envelope": ", ".join(outer)}, split(inner)


def _without_noise(found: Reading, head: bytes) -> Reading:
    """Return a reading in which what servers write beside their access log is declared, if there is any of it."""
    names: list[str] = []
    for name in _noise_in(head, found) if found.recognised and len(found.rejects) else ():
        settings = {**found.settings, "noise": ", ".join([*names, name])}
        less = read(head, declare(settings), settings)
        hides_errors = (
            less.failed < found.failed > found.server_errors
        )  # requests of which this is the only record
        if len(less.rejects) < len(found.rejects) and not hides_errors:
            names.append(name)
            found = less
    return found


def _noise_in(head: bytes, found: Reading) -> list[str]:
    """Return the names of the noise that may be among lines: to read them anew takes a hundred times as long."""
    block = memoryview(head.removesuffix(b"\n") + b"\n")
    inner = b"".join(found.source.wrapping.inner_blocks([block]))
    return found_in(array([line + b"\n" for line in split(inner)], pa.binary()))


def runner_up(readings: Sequence[Reading]) -> Reading | None:
    """Return the next best reading by another format, None if it is not close."""
    best, *others = readings
    by_name = (each for each in others if not each.guessed and each.settings["format"] != best.settings["format"])
    second = next(by_name, None)
    return second if second and second.fits and second.recognised >= CLOSE * best.recognised else None


def suggestion(  # noqa: PLR0913 - what is known of the log
    found: Reading,
    sample: bytes,
    path: str,
    folder: Path,
    endpoint_url: str | None = None,
    *,
    beside: Collection[RawFile] = (),
) -> Reading:
    """Return what the whole section of luigi.cfg that may be meant makes of a log.

    Args:
        found: What its format makes of its first lines.
        sample: More of its lines, all of which are read.
        path: The file's name, as `files` may have it.
        folder: That of luigi.cfg.
        endpoint_url: Of an S3 server other than AWS.
        beside: Other files that were said to be the same log, named as `path` is.
    """
    named = _day_in(path) if found.without_year else None
    shown = _zone_shown(found, first_lines(sample)) if found.without_offset else None
    in_zone = replace(found.source.format, timezone=shown or found.source.format.timezone)
    source = in_some_zone(replace(found.source, format=in_zone, year=year_around(named) if named else None))
    given = _parsed(first_lines(sample), source)[0]["ts"].to_pylist()
    lay = lying(
        *(path, folder, given, lambda lines: _parsed(lines, source)[0]["ts"].to_pylist()),
        found.settings["format"],
        endpoint_url=endpoint_url,
        beside=beside,
    )
    zone = {"timezone": shown or ASSUMED_ZONE} if found.without_offset else {}
    unit = {} if found.settings["format"] != "w3c" or _are_seconds(found.rows) else {"duration_unit": "ms"}
    is_placed = named or not found.without_year
    settings = {
        **found.settings,
        **zone,
        **unit,
        **{key: value for key, value in lay.settings.items() if key != "since"},
        "application": _application(found, first_lines(sample)) or guess.name(path),
        "vantage": guess.VANTAGES.get(found.settings["format"], "origin"),
        **{key: value for key, value in lay.settings.items() if key == "since" and is_placed},
    }
    comments = {"duration_unit": MILLISECONDS} | ({"files": ONE_FILE} if lay.is_of_one else {})
    if shown:
        comments["timezone"] = UTC_SHOWN if shown == ASSUMED_ZONE else SHOWN_ZONE
    elif zone:
        comments["timezone"] = NO_ZONE + COVERS_IN_ANOTHER_ZONE * ("{DD}" in settings["files"])
    year = source.year if named else None
    whole = read(sample, replace(declare(settings), year=year), settings)
    if "$upstream_status" in settings.get("log_format", "") and len(whole.rejects):  # which later lines may show
        other = settings | {"log_format": guess.exchanged(settings["log_format"])}
        exchanged = read(sample, replace(declare(other), year=year), other)
        whole = min(whole, exchanged, key=lambda each: len(each.rejects))
    if whole.has_twins:
        comments["log_format"] = TWINS
    return replace(
        whole,
        last=lay.last if is_placed else None,
        without_year=found.without_year and not whole.source.files.is_dated,
        comments=comments,
        assumes_zone=bool(zone and not shown),
        left_out=lay.left_out,
        elsewhere=lay.elsewhere,
    )


def _are_seconds(rows: pa.Table) -> bool:
    """Tell whether durations, if there are any, are shown to be seconds: some have decimals, half are 1 or less.

    A server that writes whole numbers counts milliseconds as a rule, and by the draft that it follows, seconds.
    """
    durations = sorted(rows["duration_seconds"].drop_null().to_pylist())
    return not durations or (durations[(len(durations) - 1) // 2] <= 1 and any(each % 1 for each in durations))


def section(suggested: Reading, name: str) -> str:
    """Return a section of luigi.cfg with these settings; comments say what is a guess."""
    lines = [f"[{SECTION}{name}]"]
    for key, value in suggested.settings.items():
        if key in GUESSED:
            lines.append(f"# a guess by {GUESSED[key]}")
        if key in suggested.comments:
            lines.append(suggested.comments[key])
        if key == "vantage":
            lines.append(f"# a guess; one of {', '.join(VANTAGES)}")
        written = value.replace("\t", r"\t")
        lines.append(f"{key} = {written}".replace(" \n", "\n").replace("\n", "\n    "))
    if suggested.without_year:
        lines += ["# times have no year; say which, or the first day of the twelve months that they are of"]
        lines += ["# year = YYYY"]
    if suggested.last:
        lines += ["# the first day without logs, if there is one", f"# until = {suggested.last + ONE_DAY}"]
    return "\n".join(lines)


def declare(settings: Settings) -> Source:
    """Return the source that a section of luigi.cfg would declare.

    Raises:
        ConfigError: It would be none.
    """
    sections = {"lake": {"root": "lake"}, f"{SECTION}log": PLACEHOLDER | dict(settings)}
    (source,) = read_sources(Config(Path("luigi.cfg"), sections))
    return source


def _application(found: Reading, head: bytes) -> str | None:
    """Return the field that names the host of most requests, None if there is none.

    A field that nobody could name may also be the machine that answered: those have numbers.
    """
    share: dict[str, float] = {}
    unnamed = [each.name for each in found.source.format.fields if each.name.startswith(UNNAMED)]
    for host in (*found.source.format.hosts, AUTHORITY, *unnamed):
        application = f"{FIELD}{host}"
        with suppress(ConfigError):  # a format that has no authority
            source = in_some_zone(declare({**found.settings, "application": application}))
            rows, _ = _parsed(head, source)
            named = rows["application"].filter(pc.not_equal(rows["application"], scalar(NO_APPLICATION)))
            if host in unnamed and not guess.are_vhosts(named.unique().to_pylist()):
                continue
            if guess.are_applications(named.to_pylist()):
                share[application] = len(named) / max(len(rows), 1)
    best = max(share, key=lambda each: share[each], default="")
    return best if share.get(best, 0) >= ENOUGH else None


def _day_in(path: str) -> date | None:
    """Return the first day that is written in a name, None if there is none."""
    for found in DATED.finditer(path):
        with suppress(ValueError):
            return date(int(found[1]), int(found[3]), int(found[4]))
    return None


def _are_of_any_year(times: Sequence[datetime]) -> bool:
    """Tell whether times are of the year that those without one are taken to be of."""
    return bool(times) and all(each.year == ANY_YEAR.year for each in times)


def _failed(head: bytes, rejects: pa.Table) -> int:
    """Return how many rejects look like requests that were answered with a 5xx status."""
    lines = split(head) if len(rejects) else []
    return sum(looks_failed(lines[number - 1]) for number in rejects["line_number"].to_pylist())


def looks_failed(line: bytes) -> bool:
    """Tell whether a line that no format reads looks like a request that was answered with a 5xx status."""
    requested = REQUESTED.search(line)
    if requested:
        return requested["status"].startswith(b"5")
    return bool(METHOD.search(line) and FAILED.search(line))


def in_some_zone(source: Source) -> Source:
    """Return a source that also reads times without an offset, and those without a year."""
    in_zone = replace(source.format, timezone=source.format.timezone or "UTC")
    return replace(source, format=in_zone, year=source.year or ANY_YEAR)


def _parsed(head: bytes, source: Source) -> tuple[pa.Table, pa.Table]:
    """Return lines as rows of `requests` and of `rejects`."""
    rows, rejects, number = [], [], 1
    for batch in _batches(head, source):
        rows.append(batch.rows)
        chosen = batch.reasons > ACCEPTED
        masked = batch.masked.filter(numbers(chosen))
        line_numbers = number + batch.numbers[chosen]
        rejects.append(rejects_table(masked, batch.reasons[chosen], source.files.text, line_numbers))
        number += batch.lines
    return pa.concat_tables(rows), pa.concat_tables(rejects)


def _batches(head: bytes, source: Source) -> Iterator[Batch]:
    block = memoryview(bytearray(head + bytes(PADDING)))[: len(head)]
    parser = BlockParser(
        *(source.format, source.classifier),
        compiled=False,
        wrapping=source.wrapping,
        noise=source.noise,
        year_begin=source.year,
    )
    return parser.batches([block])


def _zone_shown(found: Reading, head: bytes) -> str | None:
    """Return the time zone that the times of envelopes around lines show, None if they show none."""
    if not any(each.has_time for each in found.source.wrapping.envelopes):
        return None
    around, readable = parse(found.source.wrapping.times_of(head))
    own, places, begin = [], [], 0
    for batch in _batches(head, in_some_zone(found.source)):
        own += batch.rows["ts"].cast(pa.int64()).to_pylist()
        places += (begin + batch.numbers_of(np.arange(len(batch.rows)))).tolist()
        begin += batch.lines
    told = readable[places]
    offset = shown_offset(np.array(own, np.int64)[told], around[places][told])
    return None if offset is None else zone_of(offset)


def _count(values: pa.BooleanArray) -> int:
    return pc.sum(values).as_py() or 0

"""How a log is cut into files: `files`, `covers` and `since`, by several files' names, first and last lines."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

from etl.looks.left_out import left_out, of_other_hosts, takes, widened
from etl.looks.siblings import Family, around, family
from etl.raw.files import FilePattern, RawFile
from etl.raw.reading import RawReader
from etl.sources.source import FARTHEST
from lake.errors import ConfigError, InputError

Times = Callable[[bytes], Sequence[datetime]]
"""Returns when the requests in some lines were logged, in UTC, those without an offset as if they were."""

LOOKED_AT = 12  # files
END_LINES = 50
MOST_BYTES = 64 << 20  # of a file that is looked at to its end
DAYS_OF_A_DATED_FILE = 3  # one that holds more is read as one of many that may hold any day
MOST_UNDATED = 100  # files that are read whole for every day
OFFSET = re.compile(rb"(?<=[0-9] |[0-9:.][0-9])(?P<sign>[+-])(?P<hours>[01][0-9]):?(?P<minutes>[0-5][0-9])\b")
CLOSED_LATER = {"alb"}
"""Formats whose files are named by the end of the interval that they are of: the day's last by the next day."""


@dataclass(frozen=True)
class Lying:
    """How a log lies there.

    Attributes:
        settings: Keys of its section.
        last: The last day of which there is a line, None if that is not known.
        looked_at: How many files were looked into.
        is_of_one: Whether it is one dated file with lines of other days, which tells nothing of the next ones.
        left_out: Names of files that were given, or are named like the log, and that `files` doesn't take.
        elsewhere: Names of files like it in folders beside its own, which may be another host's.
    """

    settings: Mapping[str, str]
    last: date | None = None
    looked_at: int = 0
    is_of_one: bool = False
    left_out: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()


def lying(  # noqa: PLR0913 - what is known of the log
    path: str,
    folder: Path,
    given: Sequence[datetime],
    times: Times,
    log_format: str,
    *,
    endpoint_url: str | None = None,
    beside: Collection[RawFile] = (),
) -> Lying:
    """Return how a log is to be declared that a file is of.

    Args:
        path: The file's name, relative to a folder if it isn't absolute.
        folder: That of luigi.cfg.
        given: When the requests in its first lines were logged, in order.
        times: Reads lines of it.
        log_format: Its format's name.
        endpoint_url: Of an S3 server other than AWS.
        beside: Other files that were said to be the same log.
    """
    there = {each.name: each for each in (*_find(around(path), folder, endpoint_url), *beside)}
    days = {each.date() for each in given}
    hour = given[0].hour if given else None
    found = _with(beside, family(path, there, days, hour), there, folder, endpoint_url)
    lay = _lying(found, there, given, times, log_format, endpoint_url)
    files = lay.settings["files"]
    left = left_out(files, path, there, [each.name for each in beside], found.current)
    others = of_other_hosts(around(path))
    hosts = [each.name for each in _find(others, folder, None)] if others else []
    elsewhere = left_out(files, path, set(hosts) - there.keys(), (), found.current)
    return replace(lay, left_out=tuple(left), elsewhere=tuple(elsewhere))


def _with(
    beside: Collection[RawFile], found: Family, there: dict[str, RawFile], folder: Path, endpoint_url: str | None
) -> Family:
    """Return a family in which are also the files in other folders that were said to be the same log."""
    names = [each.name for each in beside]
    files, undated = widened(found.files, names), widened(found.undated, names)
    if (files, undated) == (found.files, found.undated):
        return found
    there |= {each.name: each for each in _find(undated, folder, endpoint_url)}
    shows = FilePattern(files, folder)
    members = ((name, shows.day_of(name)) for name in there if takes(files, name))
    return Family(
        files, tuple(sorted(members, key=lambda each: (each[1] or date.min, each[0]))), undated, found.current
    )


def _lying(  # noqa: PLR0913, PLR0917 - what is known of the log
    found: Family,
    there: Mapping[str, RawFile],
    given: Sequence[datetime],
    times: Times,
    log_format: str,
    endpoint_url: str | None,
) -> Lying:
    """Return how a log is to be declared whose files are known.

    Args:
        found: Its files.
        there: The files around it, by name.
        given: As `lying`.
        times: As `lying`.
        log_format: As `lying`.
        endpoint_url: As `lying`.
    """
    if not given:
        return Lying({"files": found.files})
    members = [(there[name], day) for name, day in found.members if name in there]
    spans = [
        (day, span, offsets)
        for file, day in _spread(members)
        if (looked := _span(file, times, endpoint_url))
        for span, offsets in [looked]
    ]
    if found.current:
        spans += [(None, *looked) for looked in [_span(there[found.current], times, endpoint_url)] if looked]
    spans = spans or [(None, (min(given), max(given)), set())]
    known = {"since": str(min(begin.date() for _, (begin, _), _ in spans))}
    last = max(end.date() for _, (_, end), _ in spans)
    long = any((end.date() - begin.date()).days >= DAYS_OF_A_DATED_FILE for _, (begin, end), _ in spans)
    if all(day is None for _, day in members) or ((found.current or long) and len(members) <= MOST_UNDATED):
        return Lying({"files": found.undated, **known}, last, len(spans))
    one = len(members) == 1 and spans[0][0] is not None and "*" not in found.undated.rpartition("/")[0]
    if one and any(begin.date() != end.date() for _, (begin, end), _ in spans):
        return Lying({"files": found.undated, **known}, last, len(spans), is_of_one=True)
    covers = _covers([(day, span, offsets) for day, span, offsets in spans if day], log_format)
    if covers is None:
        return Lying({"files": found.undated, **known}, last, len(spans))
    reach = {} if covers == (0, 0) else {"covers": f"{covers[0]} to {covers[1]}"}
    return Lying({"files": found.files, **reach, **known}, last, len(spans))


def _covers(
    spans: Sequence[tuple[date, tuple[datetime, datetime], Collection[timedelta]]],
    log_format: str,
) -> tuple[int, int] | None:
    """Return of which days from its own a file may hold lines, None if they are too far."""
    first = min((begin.date() - day).days for day, (begin, _), _ in spans)
    last = max((end.date() - day).days for day, (_, end), _ in spans)
    first, last = min(first, 0), max(last, 0)
    if log_format in CLOSED_LATER:
        first = min(first, -1)
    for day, (begin, end), offsets in spans:
        for offset in offsets:  # cut at local midnight, though no line was logged near it
            if (begin + offset).date() == day == (end + offset).date():
                first, last = min(first, -(offset > timedelta())), max(last, int(offset < timedelta()))
    return (first, last) if max(-first, last) <= FARTHEST else None


def _find(pattern: str, folder: Path, endpoint_url: str | None) -> list[RawFile]:
    try:
        return FilePattern(pattern, folder, endpoint_url).find(date.min)
    except ConfigError:
        return []


def _spread(members: Sequence[tuple[RawFile, date | None]]) -> Iterator[tuple[RawFile, date | None]]:
    """Yield some of many, the first and the last among them."""
    count = min(len(members), LOOKED_AT)
    for number in range(count):
        yield members[number * (len(members) - 1) // max(count - 1, 1)]


def _span(
    file: RawFile, times: Times, endpoint_url: str | None
) -> tuple[tuple[datetime, datetime], set[timedelta]] | None:
    """Return when the first and the last of a file's lines were logged, and at which offsets; None for none."""
    head, tail, read = b"", b"", 0
    try:
        for block in RawReader(file, endpoint_url).blocks():
            lines = bytes(block)
            head = head or b"\n".join(lines.split(b"\n", END_LINES)[:END_LINES])
            tail, read = lines, read + len(lines)
            if read > MOST_BYTES:
                break
    except InputError:
        return None
    tail = b"\n".join(tail.rstrip(b"\n").rsplit(b"\n", END_LINES)[-END_LINES:])
    both = head.rstrip(b"\n") + b"\n" + tail + b"\n"
    found = times(both)
    if not found:
        return None
    told = [each for line in both.split(b"\n") if (each := OFFSET.search(line))]
    offsets = {
        (1 if each["sign"] == b"+" else -1) * timedelta(hours=int(each["hours"]), minutes=int(each["minutes"]))
        for each in told
    }
    return (min(found), max(found)), offsets

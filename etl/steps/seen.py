"""What undated raw logs were seen to hold: of each file, how many lines of which day, kept beside the datasets.

An undated file may grow by lines of any day, be renamed and compressed. So what it holds is found by reading it,
once: what is recorded of a file that lies there unchanged holds, and of one that has grown only the rest is read.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from uuid import uuid4

from etl.lines.formats import Headed
from etl.raw.files import RawFile, mark_of
from etl.raw.recorded import Told, begins_with, told_of
from etl.sources.source import Source
from etl.steps.file_reader import Begun, FileReader
from lake.lake import Lake
from lake.partition import EARLIEST, date_of
from lake.provenance import Content, Input
from lake.records import WRONG, known, name_unreadable

NAME = "seen"


@dataclass(frozen=True)
class Seen:
    """What a raw file was seen to hold.

    Attributes:
        name: What it was called.
        bytes: Its size, as it lay there.
        mark: What changes when it is written to: its time on disk, its ETag on S3.
        content: What it was.
        days: How many of its lines, requests and rejects, are of each day.
        first: The day of its first line that tells one, None where none does.
        is_cut: Whether its last line lacked its end, so that it may go on.
    """

    name: str
    bytes: int
    mark: str
    content: Content
    days: dict[str, int]
    first: str | None
    is_cut: bool

    def of_day(self, day: date) -> int:
        """Return how many of its lines are of a day."""
        return self.days.get(day.isoformat(), 0)

    @classmethod
    def of(cls, reader: FileReader, size: int, mark: str) -> "Seen":
        """Return what a file was seen to hold by who has read it to its end."""
        days = {date_of(day).isoformat(): count for day, count in sorted(reader.days.items()) if _is_told(day)}
        first = date_of(reader.own_day).isoformat() if reader.own_day is not None else None
        return cls(reader.file.name, size, mark, reader.content, days, first, reader.is_cut)


def look(source: Source, known: Sequence[Seen]) -> list[Seen]:
    """Return what a source's undated files hold by now; those that are not known as they lie there are read.

    Raises:
        InputError: One can't be read.
        StoreError: S3 doesn't answer.
    """
    by_name = {each.name: each for each in known}
    by_mark = {(each.bytes, each.mark): each for each in known}
    endpoint_url, found = source.files.endpoint_url, []
    for file in source.find_files(EARLIEST):
        size, mark = mark_of(file, endpoint_url)
        before = by_name.get(file.name)
        if not before or (before.bytes, before.mark) != (size, mark):
            before = by_mark.get((size, mark)) or _compressed(file, known, endpoint_url)
        if before:
            found.append(replace(before, name=file.name, bytes=size, mark=mark))
        else:
            reader = FileReader(source, file, frozenset(), begun=_begun(source, file, by_name.get(file.name)))
            for _ in reader.portions():
                pass
            found.append(Seen.of(reader, size, mark))
    return found


def last(lake: Lake, source: Source) -> list[Seen]:
    """Return what was last recorded of a source's files.

    Raises:
        StoreError: The lake can't be read.
    """
    journal = lake.journal(NAME)
    for name in reversed([*journal.names(f"{source.name}/")]):
        try:
            return _parsed(journal.read([name])[0])
        except WRONG:
            name_unreadable(f"{journal.place}/{name}")
    return []


def _parsed(text: str) -> list[Seen]:
    return [
        Seen(**{**known(Seen, each), "content": Content.of_fields(each["content"])}) for each in json.loads(text)
    ]


def record(lake: Lake, source: Source, seen: Iterable[Seen], now: datetime) -> None:
    """Record what a source's files hold, if that is another thing than was recorded last.

    Raises:
        StoreError: The lake can't be read or written.
    """
    found = list(seen)
    if found != last(lake, source):
        name = f"{source.name}/{now:%Y%m%dT%H%M%S.%f}-{uuid4().hex[:8]}.json"
        lake.journal(NAME).write(name, json.dumps([asdict(each) for each in found]) + "\n")


def total(seen: Iterable[Seen]) -> Counter[str]:
    """Return how many lines all files hold of each day."""
    found: Counter[str] = Counter()
    for each in seen:
        found.update(each.days)
    return found


def _is_told(day: int) -> bool:
    """Tell whether a day has a name; a line may say any year."""
    return abs(day) < (date.max - EARLIEST).days


def _compressed(file: RawFile, known: Sequence[Seen], endpoint_url: str | None) -> Seen | None:
    """Return what is known of a gzip file by the length and the checksum that stand at its end."""
    ends = {Told(each.content.bytes % 2**32, each.content.crc32): each for each in known if each.content.bytes}
    told = told_of(file, endpoint_url) if ends else None
    return ends.get(told) if told else None


def _begun(source: Source, file: RawFile, before: Seen | None) -> Begun | None:
    """Return what is known of how a file begins, where what follows can be read without that."""
    joins = any(each.joins for each in source.wrapping.envelopes)  # a line begun there may end here
    is_headed = isinstance(source.format, Headed) or (source.records and source.records.has_header)
    if is_headed or joins or not before or before.is_cut or before.first is None:
        return None
    recorded = Input(before.name, before.content.bytes, content=before.content)
    if not begins_with(file, recorded, source.files.endpoint_url):
        return None
    return Begun(before.content.bytes, date.fromisoformat(before.first), before.days)

"""What became of the raw files that a published day was made from: which came, changed, or are gone since."""

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from etl.raw.content import begins_alike
from etl.raw.files import RawFile, size_of
from etl.raw.recorded import begins_with, has_content_of, is_as_recorded, told_of
from etl.sources.source import Source
from etl.steps.file_reader import FileReader, passes_in
from etl.steps.seen import Seen, total
from lake.partition import days_since_epoch
from lake.provenance import Input, Provenance


@dataclass
class Account:
    """What differs between the raw files of a day and those that it was made from, in sentences for people.

    Attributes:
        came: Files, or lines of them, that the day was made without.
        changed: Files that are others by now.
        gone: Files that it was made from and that are there under no name, or with fewer lines.
        files: The files that it was made from and that are there, by what they were called then.
    """

    came: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    files: dict[str, RawFile] = field(default_factory=dict)

    @property
    def late(self) -> list[str]:
        """Why the day would be another if it were made today."""
        return [*self.came, *self.changed]

    def sentences(self) -> Iterator[str]:
        """Yield all that differs, for people."""
        for verb, texts in (("came", self.came), ("changed", self.changed), ("gone", self.gone)):
            yield from (f"{verb}: {text}" for text in texts)


def account(  # noqa: PLR0913 - what is known of the day and of its files
    source: Source,
    day: date,
    made: Provenance,
    seen: Sequence[Seen] | None = None,
    *,
    made_of: Callable[[date], Provenance | None] = lambda _: None,
    deep: bool = False,
) -> Account:
    """Return what became of the raw files that a source's day was made from.

    Args:
        source: The source.
        day: The day.
        made: What is recorded of its requests.
        seen: What undated files hold by now; None for dated ones.
        made_of: Returns what is recorded of the requests of another day, whose files hold lines of this one.
        deep: Whether to read all files again, and not only those that have another name or size.

    Raises:
        InputError: One can't be read.
        StoreError: S3 doesn't answer.
    """
    if source.files.is_dated:
        return _of_dated(source, day, made, made_of, deep=deep)
    return _of_undated(source, day, made, seen or (), deep=deep)


def _of_dated(
    source: Source, day: date, made: Provenance, made_of: Callable[[date], Provenance | None], *, deep: bool
) -> Account:
    found, endpoint_url = Account(), source.files.endpoint_url
    files = {file.name: file for file in source.find_files(day)}
    left = {each.name: each for each in made.inputs}
    resized: dict[str, int] = {}
    for name in [*left]:
        file, before = files.get(name), left[name]
        if not file:
            continue
        size = size_of(file, endpoint_url) if before.lines is None else before.bytes
        if size != before.bytes:
            resized[name] = size
            continue
        if deep and not is_as_recorded(file, before, endpoint_url):
            found.changed.append(f"{name} has other bytes")
        if before.lines is not None:
            found.came += _more_beside(source, file, day, before, made_of)
        found.files[name] = files.pop(name)
        del left[name]
    unmatched = [left[name] for name in left if name not in resized]
    for name, file in [*_renamed(unmatched, files, resized, endpoint_url)]:
        found.files[name] = files.pop(file.name)
        del left[name]
    others = {name: file for name, file in files.items() if name not in resized}
    for name in [name for name in left if name not in resized]:
        grown = next((each for each in others.values() if _has_grown(source, each, left[name])), None)
        if grown:  # before it got another name, or was compressed
            found.files[name] = files.pop(others.pop(grown.name).name)
            found.came += _more(source, grown, day, left.pop(name))
    for name, size in resized.items():
        found.files[name], before = files.pop(name), left.pop(name)
        _add_resized(found, source, day, before, size)
    found.came += [f"{name} has come" for name in files]
    found.gone += [f"{_told(each)} is no longer there" for each in left.values() if each.lines != 0]
    return found


def _add_resized(found: Account, source: Source, day: date, before: Input, size: int) -> None:
    """Say what became of a file of the day that has another size."""
    file = found.files[before.name]
    if has_content_of(file, before, source.files.endpoint_url):  # it was compressed under its name
        return
    if _has_grown(source, file, before):
        found.came += _more(source, file, day, before)
        return
    text = f"{before.name} has {size:,} bytes, had {before.bytes:,}"
    found.changed.append(text)
    if source.asked:  # an older snapshot is still there
        return
    if file.table is None:
        if size < before.bytes:
            found.gone.append(text)
    elif (there := _of_day(source, file, day)) < (before.of_day or 0):  # the same rows may take fewer bytes
        found.gone.append(f"{before.name} has {there:,} lines of the day, had {before.of_day:,}")


def _has_grown(source: Source, file: RawFile, before: Input) -> bool:
    """Tell whether a file of another size is what was recorded, and more: then its lines tell what came."""
    known = before.content is not None and before.of_day is not None and not source.leaves_out_doubled
    return known and begins_with(file, before, source.files.endpoint_url)


def _more_beside(
    source: Source, file: RawFile, day: date, before: Input, made_of: Callable[[date], Provenance | None]
) -> list[str]:
    """Say how many more lines of a day a file of another day has than were recorded; nothing for none.

    What is recorded of the file's own day tells it. The file is read if that day isn't published, or if the file
    has another size than then.
    """
    if source.leaves_out_doubled or file.day is None:
        return []
    made = made_of(file.day)
    then = next((each for each in made.inputs if each.name == file.name), None) if made else None
    if not made or not then or then.bytes != size_of(file, source.files.endpoint_url):
        return _more(source, file, day, before)
    if then.beside is None:  # of an earlier version
        return _more(source, file, day, before) if made.revision else []
    return _told_more(file, before, then.beside.get(day.isoformat(), 0))


def _more(source: Source, file: RawFile, day: date, before: Input) -> list[str]:
    """Say how many more lines of a day a file has than were recorded; nothing for none."""
    return _told_more(file, before, _of_day(source, file, day))


def _of_day(source: Source, file: RawFile, day: date) -> int:
    """Return how many lines of a day a file has, by reading it."""
    reader = FileReader(source, file, frozenset(), passes_in(source, [file], 0, {}))
    for _ in reader.portions():
        pass
    return reader.of_day(days_since_epoch(day))


def _told_more(file: RawFile, before: Input, there: int) -> list[str]:
    more = there - (before.of_day or 0)
    return [f"{file.name} has {more:,} more lines of the day"] if more > 0 else []


def _of_undated(source: Source, day: date, made: Provenance, seen: Sequence[Seen], *, deep: bool) -> Account:
    found = Account()
    recorded, there = made.rows_kept + made.rows_rejected, total(seen)[day.isoformat()]
    files = {file.name: file for file in source.find_files(day)}
    parts = [each for each in made.inputs if each.lines]
    if any(each.of_day is None for each in parts):  # of an earlier version
        if there > recorded:
            found.came.append(f"{there - recorded:,} lines have come")
        elif there < recorded:
            found.gone.append(f"of {recorded:,} lines, its files hold {there:,}")
        return found
    left = [each for each in seen if each.of_day(day) and each.name in files]
    for part in sorted(parts, key=lambda each: each.name not in files):  # of equal ones, the others are not there
        named = sorted(left, key=lambda each: each.name != part.name)
        alike = (each for each in named if _begins_with(source, files[each.name], each, part, deep=deep))
        match = next(alike, None)
        if match is None:
            found.gone.append(f"{_told(part)} is no longer there")
            continue
        left.remove(match)
        found.files[part.name] = files[match.name]
        more = match.of_day(day) - (part.of_day or 0)
        if more > 0:
            found.came.append(f"{match.name} has {more:,} more lines of the day")
        elif more < 0:
            found.gone.append(f"{match.name} has {-more:,} lines fewer of the day")
    found.came += [f"{each.name} has come, with {each.of_day(day):,} lines of the day" for each in left]
    return found


def _begins_with(source: Source, file: RawFile, seen: Seen, part: Input, *, deep: bool) -> bool:
    """Tell whether a file begins with what was recorded of one."""
    if part.content is None or seen.content.bytes < part.content.bytes:
        return False
    alike = begins_alike(part.content, seen.content)
    if alike and not deep:
        return True
    return alike is not False and begins_with(file, part, source.files.endpoint_url)


def _renamed(
    recorded: Sequence[Input], files: Mapping[str, RawFile], resized: Container[str], endpoint_url: str | None
) -> Iterator[tuple[str, RawFile]]:
    """Yield the names of files that are there under another one, or compressed, with those."""
    if not recorded:
        return
    there: dict[int | None, list[RawFile]] = {}  # by what is told of their length without reading them
    for name, file in files.items():
        if name not in resized:
            told = told_of(file, endpoint_url)
            there.setdefault(told and told.bytes % 2**32, []).append(file)
    everywhere, taken = [file for each in there.values() for file in each], set[str]()
    for each in recorded:
        size = each.content.bytes if each.content else each.bytes
        may_be = [*there.get(size % 2**32, []), *there.get(None, [])] if each.lines is None else everywhere
        free = (file for file in may_be if file.name not in taken)
        found = next((file for file in free if has_content_of(file, each, endpoint_url)), None)
        if found:
            taken.add(found.name)
            yield each.name, found


def _told(each: Input) -> str:
    return f"{each.name}, of which it has {each.of_day:,} lines," if each.of_day else each.name

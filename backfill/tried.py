"""What a day is tried with: what failed counts against it as long as all of that is the same.

That is the code, the settings that matter, and of what it is made from what is the day's. An undated log may hold
lines of any day: one that has grown since is the same log.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from backfill.attempts import Attempt
from etl.raw.files import RawFile, mark_of, part_of
from etl.raw.opening import is_packed
from etl.sources.source import ONE_DAY, Source
from etl.units import Unit, below
from lake import sql
from lake.errors import InputError, LakeError
from lake.provenance import code_version

SAMPLE_BYTES = 65_536
DIGITS = 32


@dataclass(frozen=True)
class Version:
    """A raw file as it is by now; see mark_of."""

    file: RawFile
    bytes: int
    mark: str
    endpoint_url: str | None


@dataclass(frozen=True)
class Trial:
    """What days of a kind of unit are tried with by now.

    Attributes:
        example: A unit of their kind.
        days: Those of which it will be asked.
    """

    example: Unit
    days: Collection[date]

    def setup(self, day: date) -> str:
        """Return a digest of code, settings, dated raw files and restatements of what the day is made from."""
        said = [self._rules]
        for unit in with_all_below(self.example.on(day)):
            revision = self._restated.get((unit.dataset, unit.source, unit.day), 0)
            if revision:
                said.append(f"{unit} {revision}")
            if unit.is_extracted:
                source = unit.sources()[0]
                if source.files.is_dated:
                    said += [
                        f"{each.file.name} {each.bytes} {each.mark}"
                        for read in source.days_read(unit.day)
                        for each in _versions(source, read)
                    ]
        return _digest(said)

    @cached_property
    def logs(self) -> tuple[str, ...]:
        """The undated raw logs, as an attempt records them: `BYTES MARK DIGEST`, the last of the sample there."""
        return tuple(
            sorted(f"{each.bytes} {each.mark} {self._sample(each, each.bytes)}" for each in self._undated)
        )

    def has_same(self, attempt: Attempt) -> bool:
        """Tell whether an attempt counts: it was made with the same, but for what undated logs have grown by."""
        return attempt.setup == self.setup(attempt.date) and all(map(self._is_still_there, attempt.logs))

    def has_no_more(self, attempt: Attempt) -> bool:
        """Tell whether an attempt was made with the same, and no undated log has grown since."""
        return attempt.setup == self.setup(attempt.date) and attempt.logs == self.logs

    def is_fetched(self, attempt: Attempt) -> bool:
        """Tell whether an attempt was about a source that another system has."""
        return any(each.asked for each in self.example.sources() if each.name == attempt.source)

    @cached_property
    def _rules(self) -> str:
        """What says how days are made, and which are refused, whatever the raw files."""
        kinds = below(self.example)
        queries = [sql.digest(made.name) for kind in kinds for made in kind.contracts if made.inputs]
        return _digest([code_version(), *queries, *map(_settings, self.example.sources())])

    @cached_property
    def _restated(self) -> dict[tuple[str, str | None, date], int]:
        """The revisions after the first of what the days are made from, by one listing a dataset."""
        lake, kinds = self.example.project.lake, below(self.example)[:-1]
        made_from = [each.day for day in self.days for each in with_all_below(self.example.on(day))]
        first, stop = min(made_from), max(made_from) + ONE_DAY
        return {
            (kind.dataset, kind.source, each.dt): each.revision
            for kind in kinds
            for each in lake.latest(kind.contract, first, stop)
            if each.source == kind.source and each.revision
        }

    @cached_property
    def _undated(self) -> list[Version]:
        extracted = [each for each in below(self.example) if each.is_extracted]
        sources = [source for kind in extracted for source in kind.sources() if not source.files.is_dated]
        return [each for source in sources for each in _versions(source, self.example.day)]

    def _is_still_there(self, log: str) -> bool:
        """Tell whether an undated log that was recorded is there as it was, or has grown."""
        size, mark, sample = log.split()
        return any(
            self._sample(each, int(size)) == sample
            for each in self._undated
            if each.bytes > int(size) or (each.bytes == int(size) and each.mark == mark)
        )

    def _sample(self, version: Version, size: int) -> str:
        """Return a digest of the first and last of so many bytes of a raw file; of why, if it can't be read."""
        try:
            head = part_of(version.file, 0, min(size, SAMPLE_BYTES), version.endpoint_url)
            if size < version.bytes and is_packed(head):
                return "another"  # which no sample is: to what is compressed or an archive nothing is appended
            begin = max(len(head), size - SAMPLE_BYTES)
            tail = part_of(version.file, begin, size - begin, version.endpoint_url)
            return _digest([head.hex(), tail.hex()])
        except LakeError as error:
            return _digest([str(error)])


def with_all_below(unit: Unit) -> Iterator[Unit]:
    """Yield a unit and those that it is made from, of all days that matter."""
    yield unit
    for kind, wanted in unit.made_from():
        for day in wanted.window(unit.day):
            yield from with_all_below(kind.on(day))


def _versions(source: Source, day: date) -> list[Version]:
    """Return what the raw files of a day are by now; none while that can't be told."""
    endpoint_url, found = source.files.endpoint_url, []
    with suppress(LakeError):
        for file in source.files.find(day):
            with suppress(InputError):  # it is gone meanwhile
                found.append(Version(file, *mark_of(file, endpoint_url), endpoint_url))
    return found


def _settings(source: Source) -> str:
    """Return the settings by which a source's day may fail; not where luigi.cfg lies, nor what machine it is."""
    return repr(
        (
            source.name,
            source.settings_sha256,
            (source.files.text, source.files.root, source.files.endpoint_url),
            (source.max_reject_rate, source.max_applications, source.allow_empty),
            (source.expected_files, sorted(source.expected_hours or ()), source.severities),
        )
    )


def _digest(texts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode("utf-8", "backslashreplace")).hexdigest()[:DIGITS]

"""Verification down to the raw logs: are they still as they were read, and do they give the same bytes again?"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from etl.looks.account import account
from etl.raw.files import size_of
from etl.sources.source import Source
from etl.steps import seen
from etl.steps.aggregate import aggregate_day
from etl.steps.extract import extract_day
from etl.steps.purge import is_purged
from etl.steps.seen import Seen
from lake.contracts import contract
from lake.draft import Draft
from lake.errors import Damaged, LakeError, PartitionExists, StoreError
from lake.lake import Lake, latest
from lake.partition import Partition
from lake.provenance import Provenance, Revision, code_version
from lake.verify import Finding


@dataclass
class RawLogs:
    """The raw files that partitions were made from.

    Attributes:
        lake: The lake.
        sources: The sources that luigi.cfg declares.
        is_deep: Whether to read them again.
        gone: The names of files that are no longer there, which is no fault: nobody has to keep them.
    """

    lake: Lake
    sources: Mapping[str, Source]
    is_deep: bool = False
    gone: set[str] = field(default_factory=set)
    _seen: dict[str, list[Seen]] = field(default_factory=dict)

    def changed(self, partition: Partition, made: Provenance) -> Iterator[str]:
        """Yield which raw files that are still there are not those that a partition was made from.

        What undated files hold is looked at only if all are read again.
        """
        source = next((each for each in self.sources.values() if partition.source in each.names), None)
        if not contract(partition.dataset).is_extracted or not source:  # rejects are made from the same
            return
        if not self.is_deep and not source.files.is_dated:
            return
        found = account(source, partition.dt, made, self._holds(source), deep=self.is_deep)
        self.gone.update(each.name for each in made.inputs if each.name not in found.files)
        yield from (f"raw log {text}" for text in found.changed)

    def _holds(self, source: Source) -> list[Seen] | None:
        """Return what undated files hold by now."""
        if source.files.is_dated:
            return None
        if source.name not in self._seen:
            self._seen[source.name] = seen.look(source, seen.last(self.lake, source))
        return self._seen[source.name]


def rebuilt(
    lake: Lake, sources: Mapping[str, Source], partitions: Sequence[Partition], number: int
) -> Iterator[tuple[Partition, Finding | str | None]]:
    """Make some partitions anew, chosen at random, and compare bytes.

    Args:
        lake: The lake; nothing is published in it.
        sources: The sources that luigi.cfg declares.
        partitions: Those to choose from.
        number: How many to choose.

    Yields:
        A partition, and what is wrong with it, why that can't be told, or None if it has the same bytes.
    """
    newest = latest(partitions)
    chosen = random.sample(sorted(newest, key=lambda p: p.key), min(number, len(newest)))
    for partition in chosen:
        try:
            yield partition, _rebuilt(lake, sources, partition)
        except LakeError as error:
            if isinstance(error, StoreError) and not isinstance(error, Damaged):
                raise
            yield partition, str(error)


def _why_not(
    lake: Lake, named: Mapping[str, Source], partition: Partition, made: Provenance, inputs: Sequence[Partition]
) -> str | None:
    """Say why a partition can't be made as it was, None if it can."""
    wanted = {each.dataset for each in contract(partition.dataset).inputs}
    if made.code_version != code_version():
        return f"made by error-rate-lake {made.code_version}, this is {code_version()}"
    if partition.source and partition.source not in named:
        return "luigi.cfg no longer has its source"
    if others := {each.dataset for each in inputs} - wanted:
        return f"it was made from {', '.join(sorted(others))}, and would be from {', '.join(sorted(wanted))} today"
    if is_purged(made):
        return f"it was purged: {made.reason}"
    if deleted := next((each for each in inputs if not lake.store.exists(each.key)), None):
        return f"it was made from {deleted}, which was deleted"
    return _other_inputs(lake, named.get(partition.source or ""), partition, made)


def _rebuilt(lake: Lake, sources: Mapping[str, Source], partition: Partition) -> Finding | str | None:
    made = lake.provenance(partition)
    inputs = [link for each in made.inputs if (link := Partition.parse(each.name))]
    named = {name: each for each in sources.values() for name in each.names}
    if why_not := _why_not(lake, named, partition, made, inputs):
        return why_not
    used = {partition.source} if partition.source else {each.source for each in inputs}
    revision = Revision(made.revision, made.reason, made.requested_by)
    with lake.staging() as folder:
        draft = Draft(lake, folder / "draft")
        try:
            of_source = list(sources.values())
            if partition.source:
                of_source = [replace(named[partition.source], kept_as=partition.source)]
            if not contract(partition.dataset).inputs:
                extract_day(draft, of_source[0], partition.dt, revision)
            else:
                missing = [each.name for each in sources.values() if not each.names_in(used)]
                kept = [each for each in inputs if each.source]
                aggregate_day(draft, [partition], of_source, revision, missing=missing, kept=kept)
        except PartitionExists as error:
            return Finding(partition.key, f"rebuilt, it has other bytes: {error}")
    return None


def _other_inputs(lake: Lake, source: Source | None, partition: Partition, made: Provenance) -> str | None:
    """Say why what a partition was made from would not give the same bytes again, None if it would."""
    links = [link for each in made.inputs if (link := Partition.parse(each.name))]
    if any(map(lake.newer, links)):
        return "what it was made from has a newer revision"
    if contract(partition.dataset).inputs or source is None:
        return None
    if made.source_sha256 not in source.on(partition.dt).known_as:
        return "the settings of its source have changed"
    there = {each.name: each for each in source.find_files(partition.dt)}  # which stand in the provenance
    endpoint_url = source.files.endpoint_url
    for each in made.inputs:
        if each.name not in there:
            return f"its raw log {each.name} is not there, or has another name"
        if each.lines is None and size_of(there[each.name], endpoint_url) != each.bytes:
            return f"its raw log {each.name} has another size"
    return None

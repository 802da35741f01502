"""The purge: what was published and holds more than today's masks let through is replaced by masked rows.

A lake that an earlier version wrote may have kept what this one masks. Of each partition that has, the masked rows
become a new revision, what is made from it is confirmed, and then its old bytes are deleted by lake.retention. An
interrupted purge is completed by the next one.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from etl.lines import parse, privacy
from etl.lines.places import places_of
from etl.sources.source import Source
from lake import confirmed, retention
from lake.contract import Contract
from lake.contracts import CONTRACTS, contract
from lake.errors import StoreError
from lake.lake import Lake, latest
from lake.memory.arrays import numbers, stream, to_numpy, whole
from lake.memory.database import connected
from lake.partition import Partition
from lake.provenance import Check, Input, Provenance, code_version
from lake.store.disk import temporary_folder

COLUMNS = {
    "rejects": "masked_line",
    "requests": "path",
    "source_breakdown": "path_template",
    "error_breakdown": "path_template",
}
"""The datasets that keep something of what clients send, and in which column."""
CHECK = "purged"
"""The name of the check in the provenance of a revision that a purge made."""
Masks = Callable[[pa.BinaryArray], pa.StringArray]


@dataclass(frozen=True)
class Leak:
    """A partition, and how many of its rows hold more than is let through today."""

    partition: Partition
    rows: int


def leaks(
    lake: Lake, sources: Mapping[str, Source], partitions: Sequence[Partition], done: Callable[[], object]
) -> Iterator[Leak]:
    """Yield which of some partitions hold more than today's masks let through; `done` is called after each.

    Args:
        lake: The lake.
        sources: Those that luigi.cfg declares, by name. Where a time may stand in the lines of another one is not
            known, so none of its times counts as being in its place.
        partitions: All revisions of them, of datasets in COLUMNS.
        done: See above.

    Raises:
        StoreError: One can't be read.
    """
    for partition in partitions:
        source = sources.get(partition.source or "")
        if source and source.records:  # its rejects are masked by their contract
            done()
            continue
        masks, column = _masks_of(sources, partition), COLUMNS[partition.dataset]
        with temporary_folder() as folder:
            file = _opened(lake, partition, folder)
            groups = range(file.num_row_groups)
            rows = sum(_changed(file.read_row_group(n, columns=[column])[column], masks)[1] for n in groups)
        if rows:
            yield Leak(partition, rows)
        done()


def purge(  # noqa: PLR0913 - who, why and when
    lake: Lake,
    sources: Mapping[str, Source],
    found: Collection[Leak],
    *,
    reason: str,
    by: str,
    now: datetime,
) -> list[str]:
    """Publish masked revisions of partitions that leak, and delete these; return the names of the records.

    Args:
        lake: The lake.
        sources: See `leaks`.
        found: What leaks: all revisions of a partition, or none.
        reason: Why, for the records and the new revisions.
        by: Who asks for it.
        now: When.

    Raises:
        StoreError: Something can't be written or deleted; what is done stays.
    """
    rows = {each.partition: each.rows for each in found}
    for newest in sorted(latest(rows), key=lambda each: each.folder):
        if not lake.newer(newest):
            _publish_masked(lake, sources, newest, rows[newest], reason, by)
    _confirm(lake, rows, now)
    by_dataset = {name: [each for each in rows if each.dataset == name] for name in COLUMNS}
    return [retention.purge(lake, name, gone, reason, by) for name, gone in by_dataset.items() if gone]


def _masks_of(sources: Mapping[str, Source], partition: Partition) -> Masks:
    """Return what masks the texts of a partition as they would be today."""
    if partition.dataset != "rejects":
        return parse.clean_paths
    source = sources.get(partition.source or "")
    places = places_of(source.format, is_masked=True) if source else ()
    return lambda lines: privacy.mask_lines(lines, places)


def _opened(lake: Lake, partition: Partition, folder: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(lake.local_copy(partition, folder))
    except pa.ArrowInvalid as error:
        raise StoreError(f"{lake.root}/{partition.key} is no Parquet file: {error}") from error


def _changed(texts: pa.ChunkedArray, masks: Masks) -> tuple[pa.StringArray, int]:
    """Return texts masked anew, and how many of them are others then."""
    encoded = whole(texts).dictionary_encode()
    before = encoded.dictionary
    after = masks(before.cast(pa.binary()))
    differs = np.append(to_numpy(pc.not_equal(before, after)), [False])
    places = to_numpy(pc.fill_null(encoded.indices, pa.scalar(len(before), encoded.indices.type)))
    is_null = places == len(before)
    return after.take(numbers(np.where(is_null, 0, places), is_null)), int(differs[places].sum())


def _publish_masked(  # noqa: PLR0913, PLR0917 - likewise
    lake: Lake, sources: Mapping[str, Source], leaking: Partition, rows: int, reason: str, by: str
) -> None:
    made, column = contract(leaking.dataset), COLUMNS[leaking.dataset]
    new, masks = replace(leaking, revision=leaking.revision + 1), _masks_of(sources, leaking)
    old = lake.provenance(leaking)
    told = replace(
        old,
        revision=new.revision,
        code_version=code_version(),
        checks=(*old.checks, Check(CHECK, f"{rows} rows of revision {leaking.revision} masked anew")),
        supersedes=lake.sha256(leaking),
        reason=reason,
        requested_by=by,
    )
    with lake.staging() as folder, lake.writer(made, leaking.dt, folder) as writer:
        file = _opened(lake, leaking, folder)
        tables = (_masked(file.read_row_group(n), made, column, masks) for n in range(file.num_row_groups))
        for table in [_merged(tables, made)] if column in made.key else tables:
            writer.write(table)
        lake.publish(new, writer.finish(told))


def _masked(table: pa.Table, made: Contract, column: str, masks: Masks) -> pa.Table:
    texts, _ = _changed(table[column], masks)
    at = table.schema.get_field_index(column)
    return table.set_column(at, table.schema.field(at), texts).cast(made.schema)


def _merged(tables: Iterable[pa.Table], made: Contract) -> pa.Table:
    """Return rows of counts, of which several may have one key once it is masked, as one each with their sums."""
    key = ", ".join(made.key)
    sums = ", ".join(f"cast(sum({each.name}) as bigint) as {each.name}" for each in made.stored[len(made.key) :])
    table = pa.concat_tables(tables)
    with connected(table.nbytes) as connection:
        connection.register("masked", stream(table))
        query = f"select {key}, {sums} from masked group by {key} order by {key}"  # noqa: S608 - a contract's own text
        return connection.execute(query).to_arrow_table().cast(made.schema)


def _confirm(lake: Lake, purged: Collection[Partition], now: datetime) -> None:
    """Record that what is made from purged partitions would be equal if it were made from what replaces them.

    Masks change no figure: nothing is counted by a path or by a line's text but in breakdowns. Of error_breakdown,
    at most some requests would have another template than `(other)`.
    """
    folders = {each.folder for each in purged}
    renewed = cache(lambda each: _renewed(lake, each, folders))  # several are made from one
    days = sorted(each.dt for each in purged)
    for made in CONTRACTS.values():
        reach = max((each.days for each in made.inputs if each.dataset in COLUMNS), default=0)
        if not reach:
            continue
        there = lake.latest(made, days[0], days[-1] + timedelta(days=reach))
        known = confirmed.latest(lake, made, there)
        for partition, footer in zip(there, lake.footers(there), strict=True):
            before = known.get(partition, footer.provenance)
            after = replace(before, inputs=tuple(map(renewed, before.inputs)))
            if after != before:
                confirmed.record(lake, partition, after, now)


def _renewed(lake: Lake, made_from: Input, folders: Collection[str]) -> Input:
    """Return the masked revision in place of what it was made from, if that is purged and what came before it."""
    old = Partition.parse(made_from.name)
    if old is None or old.folder not in folders:
        return made_from
    newer = [number for number in lake.revisions(old) if number > old.revision]
    new = replace(old, revision=min(newer, default=old.revision))
    if new == old or not is_purged(lake.provenance(new)):
        return made_from
    found = lake.objects(contract(new.dataset), new.dt, new.dt + timedelta(days=1))
    return Input(new.key, found[new].bytes, lake.sha256(new))


def is_purged(made: Provenance) -> bool:
    """Tell whether a purge made a partition."""
    return any(each.name == CHECK for each in made.checks)


def to_look_at(lake: Lake, datasets: Collection[str], start: date | None, stop: date | None) -> list[Partition]:
    """Return the partitions that might leak, all revisions.

    Raises:
        StoreError: The lake can't be listed.
    """
    return [each for name in datasets for each in lake.partitions(contract(name), start, stop)]

"""Requests that are logged more than once, known by the id that their server gave each.

An id alone may be a client's own, sent with many requests: so two lines are of one request only if they have the
same id, time and status. Ids are hashed, by a number that is drawn each time, and forgotten after the pass.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from etl.lines.blocks import lines_of, pieces_of
from etl.lines.formats import Role, with_field
from etl.lines.parse import ACCEPTED, ParsedLines, Parser
from etl.raw.doubled import Places
from etl.raw.fetched import Fetched
from etl.raw.files import RawFile
from etl.raw.reading import RawReader
from etl.sources.source import Source
from lake.memory import arrays

NO_IDS = frozenset({b"", b"-"})
NOTHING = arrays.scalar(b"")
Hashes = npt.NDArray[np.uint64]


def repeated_requests(source: Source, field: str, files: Sequence[RawFile]) -> list[Places]:
    """Return of each file which lines, from 0, are of a request that an earlier line is of, in it or in another.

    All files are read, and about forty bytes of each request are held in memory while this runs.

    Args:
        source: Theirs.
        field: The name of the one that has the id; lines without one are no repetition.
        files: The files.

    Raises:
        InputError: A file can't be read.
        StoreError: S3 doesn't answer.
    """
    seed = int.from_bytes(np.random.default_rng().bytes(8), "little")  # a hash that is known could be looked up
    endpoint_url, found = source.files.endpoint_url, []
    with Fetched(files, endpoint_url) as fetched:
        for file in files:
            raw = RawReader(file, endpoint_url, digests=False, fetched=fetched)
            found.append(_of_file(source, field, raw, seed))
    if not found:
        return []
    hashes = np.concatenate([each for each, _ in found])
    order = np.argsort(hashes, kind="stable")
    is_again = np.zeros(len(hashes), bool)
    is_again[order[1:]] = hashes[order[1:]] == hashes[order[:-1]]
    ends = np.cumsum([len(each) for each, _ in found])
    parts = np.split(is_again, ends[:-1])
    return [places[again].astype(np.int64) for (_, places), again in zip(found, parts, strict=True)]


def _of_file(source: Source, field: str, raw: RawReader, seed: int) -> tuple[Hashes, npt.NDArray[np.int32]]:
    """Return a hash of each request that has an id, and its line's place."""
    parser = Parser(with_field(source.format, field, Role.IDENTITY), None, source.year_begin(raw.file))
    hashes, places, begin = [np.empty(0, np.uint64)], [np.empty(0, np.int32)], 0
    for block in source.wrapping.inner_blocks(raw.blocks()):
        for piece, starts in pieces_of(block):
            parsed = parser.parse(lines_of(piece, starts))
            found = [
                (place + begin, xxhash.xxh3_64_intdigest(b"%b %b %d" % (request_id, status, time), seed))
                for place, request_id, status, time in _requests(parsed)
                if request_id not in NO_IDS
            ]
            places.append(np.array([place for place, _ in found], np.int32))
            hashes.append(np.array([value for _, value in found], np.uint64))
            begin += len(parsed.lines)
    return np.concatenate(hashes), np.concatenate(places)


def _requests(parsed: ParsedLines) -> Iterator[tuple[int, bytes, bytes, int]]:
    """Yield of each line that is a request its place, id, status and time; nothing for no id."""
    chosen = np.flatnonzero(parsed.reasons == ACCEPTED)
    fields, index = parsed.fields, arrays.numbers(chosen)
    names = (Role.IDENTITY, Role.STATUS)
    ids, statuses = (
        pc.fill_null(fields.field(name).take(index), NOTHING)
        if name in fields.type.names
        else pa.repeat(NOTHING, len(chosen))
        for name in names
    )
    times = parsed.microseconds[chosen].tolist()
    yield from zip(chosen.tolist(), ids.to_pylist(), statuses.to_pylist(), times, strict=True)

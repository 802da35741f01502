"""Lines that a host has written and that never came, by the number that it gives each.

Hosts that count what they log, as varnishkafka does, tell by that what was lost on the way: between the lowest and
the highest number of a day, each should be there once. A host that is started anew begins anew. What was lost
before its first line of the day, or after its last one, isn't seen.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from etl.lines.blocks import lines_of, pieces_of
from etl.lines.formats import Role, with_field
from etl.lines.parse import ACCEPTED, Parser, host_column
from etl.raw.fetched import Fetched
from etl.raw.files import RawFile
from etl.raw.reading import RawReader
from etl.sources.source import Source
from lake.memory import arrays

NAMED = 3
"""So many hosts are named, those that lost most."""
SLACK = 10_000
"""Lines that were written at once may come in another order: up to so many numbers back is no new start."""
MOST_DIGITS = 18
HOST_NAME = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,62}$"
NUMBER = rf"^[0-9]{{1,{MOST_DIGITS}}}$"
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Lost:
    """What a host has lost.

    Attributes:
        host: Its name.
        lines: How many of its numbers never came.
        of: How many it gave.
    """

    host: str
    lines: int
    of: int


def lost_lines(source: Source, names: tuple[str, str], number: int, files: Sequence[RawFile]) -> list[Lost]:
    """Return what each host has lost on a day, most first; those that lost nothing are not among them.

    All files are read, and twenty bytes of each line are held in memory while this runs.

    Args:
        source: Theirs.
        names: The fields with the host and with its number of a line; lines that lack one of them tell nothing.
        number: The day, in days since 1970-01-01.
        files: The files.

    Raises:
        InputError: A file can't be read.
        StoreError: S3 doesn't answer.
    """
    endpoint_url, hosts = source.files.endpoint_url, dict[str, int]()
    found: list[npt.NDArray[np.int64]] = [np.empty((3, 0), np.int64)]
    with Fetched(files, endpoint_url) as fetched:
        for file in files:
            raw = RawReader(file, endpoint_url, digests=False, fetched=fetched)
            found += _of_file(source, names, number, raw, hosts)
    host, time, given = np.concatenate(found, axis=1)
    lost = []
    for name, place in hosts.items():
        chosen = host == place
        lines, of = _missing(time[chosen], given[chosen])
        if lines:
            lost.append(Lost(name, lines, of))
    return sorted(lost, key=lambda each: (-each.lines, each.host))


def told(lost: Sequence[Lost]) -> str:
    """Return in a few words what hosts have lost; nothing if that is nothing."""
    said = [f"{each.lines:,} of {each.of:,} lines that {each.host} numbered" for each in lost[:NAMED]]
    if more := lost[NAMED:]:
        said.append(f"{sum(each.lines for each in more):,} of {len(more):,} other hosts")
    return f"{', '.join(said)} never came" if said else ""


def _of_file(
    source: Source, names: tuple[str, str], number: int, raw: RawReader, hosts: dict[str, int]
) -> Iterator[npt.NDArray[np.int64]]:
    """Yield of each block hosts, by their places in `hosts`, times and numbers of the lines of a day."""
    both = with_field(with_field(source.format, names[0]), names[1], Role.IDENTITY)
    parser = Parser(both, None, source.year_begin(raw.file))
    for block in source.wrapping.inner_blocks(raw.blocks()):
        for piece, starts in pieces_of(block):
            parsed = parser.parse(lines_of(piece, starts))
            columns = (host_column(names[0]), Role.IDENTITY)
            if not set(columns) <= set(parsed.fields.type.names):
                continue
            chosen = np.flatnonzero((parsed.reasons == ACCEPTED) & (parsed.days == number))
            index = arrays.numbers(chosen)
            host, given = (
                pc.cast(parsed.fields.field(each).take(index), "string", safe=False) for each in columns
            )
            fits = pc.match_substring_regex(host, HOST_NAME), pc.match_substring_regex(given, NUMBER)
            fit = arrays.filled(pc.and_kleene(*fits), filler=False)
            kept = np.flatnonzero(arrays.to_numpy(fit))
            host = host.filter(fit).dictionary_encode()
            of_block = [hosts.setdefault(each, len(hosts)) for each in host.dictionary.to_pylist()]
            yield np.stack(
                [
                    np.array(of_block, np.int64)[arrays.to_numpy(host.indices)],
                    parsed.microseconds[chosen[kept]],
                    arrays.to_numpy(given.filter(fit).cast("int64")),
                ]
            )


def _missing(time: Numbers, given: Numbers) -> tuple[int, int]:
    """Return how many numbers of a host never came, and how many it gave."""
    order = np.lexsort((given, time))
    time, given = time[order], given[order]
    again = np.zeros(len(given), bool)  # a line that came twice
    again[1:] = (time[1:] == time[:-1]) & (given[1:] == given[:-1])
    given = given[~again]
    lost = of = 0
    for life in _lives(given):
        reach = int(life.max() - life.min()) + 1
        lost, of = lost + reach - len(life), of + reach
    return lost, of


def _lives(given: Numbers) -> Iterator[Numbers]:
    """Yield the numbers from one start of a host to before the next, none of them twice."""
    highest = np.maximum.accumulate(given) if len(given) else given
    if not len(given) or (len(np.unique(given)) == len(given) and (highest - given).max() <= SLACK):
        yield from [given] if len(given) else []
        return
    begin, top, seen = 0, -1, set[int]()
    for place, value in enumerate(given.tolist()):
        if value in seen or top - value > SLACK:
            yield given[begin:place]
            begin, top = place, -1
            seen.clear()
        seen.add(value)
        top = max(top, value)
    yield given[begin:]

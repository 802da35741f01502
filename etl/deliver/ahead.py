"""Reading ahead: while a partition is sent, the next ones are read. On S3, each is a wait."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain

import pyarrow as pa

from lake.published import Published

AHEAD = 4
"""So many partitions are begun: of each, one batch is in memory."""


def read_ahead(partitions: Sequence[Published]) -> Iterator[tuple[Published, Iterator[pa.RecordBatch]]]:
    """Yield each partition with its rows in batches, in their order.

    Raises:
        LakeError: One can't be read; those before it were yielded.
    """
    if len(partitions) == 1:  # as in a range, which has processes of its own
        yield partitions[0], iter(partitions[0].batches())
        return
    waiting: deque[tuple[Published, Future[Iterator[pa.RecordBatch]]]] = deque()
    with ThreadPoolExecutor(AHEAD) as readers:
        for each in partitions:
            waiting.append((each, readers.submit(_begun, each)))
            if len(waiting) > AHEAD:
                first, rows = waiting.popleft()
                yield first, rows.result()
        for each, rows in waiting:
            yield each, rows.result()


def _begun(published: Published) -> Iterator[pa.RecordBatch]:
    """Return a partition's batches, the first of which is read."""
    rows = iter(published.batches())
    first = next(rows, None)
    return iter(()) if first is None else chain([first], rows)

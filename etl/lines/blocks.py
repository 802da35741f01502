"""From blocks of raw lines to batches of rows and rejects: by the compiled kernel where it can, else plainly.

Both give the same, so which one runs is a matter of cost: the kernel takes a tenth of a second to load, and then a
small part of the plain parser's time.
"""

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from functools import lru_cache
from itertools import chain
from threading import Lock
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from etl.lines import parse, privacy
from etl.lines.batches import ANY_DAY, Batch, Days, Ends, last_of_each, placed
from etl.lines.envelopes import Kernel, Wrapping
from etl.lines.formats import Format, Headed
from etl.lines.noise import Neither, Noise
from etl.lines.parse import ACCEPTED, Classifier, ParsedLines, Parser
from etl.lines.passes import Passes
from etl.lines.places import places_of
from etl.lines.statuses import shown_statuses
from etl.raw.reading import buffer_of, lines_in
from lake.memory import arrays

if TYPE_CHECKING:
    from etl.lines.compiled import CompiledParser

WORTH_LOADING = 3 << 20  # bytes: a process that has read so many would have been faster with the kernel
A_BLOCK = 32 << 10  # what a block costs beside its bytes, as so many
DIRECTIVE_SIGN, FEW_SIGNS = b"#", 100
LINE_FEED = ord("\n")
LINES_A_PIECE = 65_536
LOOK_BYTES = 1 << 16
NO_WRAPPING = Wrapping()

logger = logging.getLogger(__name__)
_bytes_read = 0  # plainly, by this process
_loading = Lock()


class BlockParser:
    """Takes the blocks of one raw file apart, one after the other.

    Attributes:
        compiled: Whether to use the kernel; None for where it is worth its while.
        plain_lines: How many lines the plain parser has taken apart, where there is a kernel.
    """

    def __init__(  # noqa: PLR0913 - what may be noted of the lines on the way
        self,
        log_format: Format,
        classifier: Classifier,
        days: Days = ANY_DAY,
        *,
        compiled: bool | None = None,
        ends: Ends | None = None,
        passes: Passes | None = None,
        wrapping: Wrapping = NO_WRAPPING,
        noise: Noise | None = None,
        year_begin: date | None = None,
    ) -> None:
        """Take what a file's lines are, and of which days they may be.

        Args:
            log_format: Their format.
            classifier: What the source says of requests.
            days: A request of another one is a reject, and one of a day that isn't wanted has no row.
            compiled: See the class.
            ends: What Batch.ends is noted by; None for where nobody asks for it.
            passes: Follows the file's times; without it, of those that clocks showed twice it is the first.
            wrapping: What is taken off the lines before they are read.
            noise: Which of those that the format refuses are none of it.
            year_begin: The first day of the twelve months that times without a year are of.
        """
        self.compiled = compiled
        self.plain_lines = 0
        self._format = log_format
        self._classifier = classifier
        self._days = days
        self._ends = ends
        self._wrapping = wrapping
        self._neither = Neither(noise or Noise((), log_format))
        self._plain = Parser(log_format, passes, year_begin)
        self._kernel: tuple[Format, CompiledParser | None] | None = None

    def batches(self, blocks: Iterable[memoryview]) -> Iterator[Batch]:
        """Yield what a file's lines are.

        Args:
            blocks: Whole lines, in a bytearray in which layout.PADDING bytes follow. A block is done with when
                the next one is asked for.
        """
        for batch in chain.from_iterable(map(self._add, self._inner(blocks))):
            self._neither.begin += batch.lines
            yield batch
        for batch in self._finish():
            self._neither.begin += batch.lines
            yield batch

    def _inner(self, blocks: Iterable[memoryview]) -> Iterator[memoryview]:
        """Yield the blocks without envelopes, and note which lines go on in another one."""
        if not self._wrapping.envelopes:
            yield from blocks
            return
        begin = 0
        for inner in self._wrapping.taken_off(blocks, self._machine_code):
            if self._ends:
                self._ends.follow(inner)
            self._neither.add_continued(inner.continued + begin)
            begin += len(inner.ends)
            yield inner.block

    def _machine_code(self) -> Kernel | None:
        """Return the kernel, where it is worth its while."""
        if not self.compiled or not _load():
            return None
        from etl.kernel import machine_code  # noqa: PLC0415 - as in _load

        return machine_code.kernel()

    def lines_in(self, block: memoryview) -> int:
        """Return how many lines a block has."""
        kernel = self._kernel and self._kernel[1]
        return kernel.lines_in(block) if kernel else lines_in(block)

    def _add(self, block: memoryview) -> Iterator[Batch]:
        if not isinstance(self._format, Headed):
            yield from self._add_lines(block)
            return
        begin = 0
        while begin < len(block):
            end = _end_of_part(block, begin)
            if block[begin : begin + 1] == DIRECTIVE_SIGN:
                yield from self._finish()
                yield from self._parse_plainly(block[begin:end])
            else:
                yield from self._add_lines(block[begin:end])
            begin = end

    def _finish(self) -> Iterator[Batch]:
        if self._kernel and self._kernel[1]:
            yield from self._kernel[1].finish()

    def _add_lines(self, block: memoryview) -> Iterator[Batch]:
        global _bytes_read  # noqa: PLW0603 - many small files, one after the other, are worth it too
        if self.compiled is None:
            _bytes_read += A_BLOCK + len(block)
            if _bytes_read >= WORTH_LOADING:
                self.compiled = True
        kernel = self._compiled_parser() if self.compiled else None
        yield from kernel.add(block) if kernel else self._parse_plainly(block)

    def _compiled_parser(self) -> "CompiledParser | None":
        current = self._plain.current
        if not self._kernel or self._kernel[0] is not current:
            loaded = _load()
            parser = None
            if not loaded:
                self.compiled = False
            else:
                plain = self._parsed_plainly
                parser = loaded.CompiledParser.of(
                    current, self._classifier, plain, self._days, self._ends, self._neither
                )
            self._kernel = (current, parser)
        return self._kernel[1]

    def _parsed_plainly(self, lines: pa.BinaryArray) -> ParsedLines:
        self.plain_lines += len(lines) * (self.compiled is not False)
        return self._plain.parse(lines)

    def _parse_plainly(self, block: memoryview) -> Iterator[Batch]:
        # lines that only look like directives are in no place of any format
        is_about_the_file = isinstance(self._format, Headed) and block[:1] == DIRECTIVE_SIGN
        places = () if is_about_the_file else places_of(self._plain.current)
        for piece, starts in pieces_of(block):
            parsed = self._parsed_plainly(lines_of(piece, starts))
            days, reasons, strays = placed(parsed.days, parsed.reasons, self._days)
            accepted = reasons == ACCEPTED
            chosen = accepted & self._days.of_rows.have(days)
            rows = parse.requests_table(parsed, chosen, self._classifier)
            others, elsewhere = np.flatnonzero(~accepted), np.flatnonzero(accepted & ~chosen)
            of_others = parsed.lines.take(arrays.numbers(others))
            reasons[others] = self._neither.judged(of_others, others, reasons[others])
            masked = privacy.mask_lines(of_others, places)
            ends = {}
            if self._ends:
                lasts = last_of_each(days, np.flatnonzero(chosen | (reasons > ACCEPTED)))
                offsets = starts[np.array(lasts, np.int64) + 1].tolist()
                ends = dict(zip(lasts, self._ends.note(piece, offsets), strict=True))
            formats = None if parsed.formats is None else parsed.formats[chosen]
            of_format = self._format if is_about_the_file else self._plain.current
            statuses = shown_statuses(of_others, reasons[others], of_format)
            found = (others, masked, reasons[others], statuses, days[others], strays[others], formats)
            yield Batch(len(days), rows, days[chosen], elsewhere, days[elsewhere], *found, ends)


def passes_of(
    log_format: Format,
    again: Callable[[], Iterable[memoryview]] = tuple,
    before: Callable[[], int | None] = lambda: None,
    year_begin: date | None = None,
) -> Passes | None:
    """Return what follows the times in a raw file; None if they have an offset, or are of no zone that we know.

    Args:
        log_format: The format of its lines.
        again: Yields its blocks, from its first line on, where the first lines alone don't tell what they are.
        before: See Passes.
        year_begin: See BlockParser.
    """

    def follow(passes: Passes) -> Iterator[None]:
        parser = Parser(log_format, passes, year_begin)
        for block in again():
            for piece, starts in pieces_of(block):
                parser.parse(lines_of(piece, starts))
                yield

    zone = log_format.timezone
    return None if zone is None or zone == "UTC" else Passes(zone, follow, before)


def _load() -> ModuleType | None:
    """Return the module that has the kernel, None where it can't be had; the first time ever, it compiles."""
    with _loading:  # threads that begin at once would load it, and warn, each
        return _loaded()


@lru_cache
def _loaded() -> ModuleType | None:
    try:
        # small days are done before these are loaded
        from etl.kernel import machine_code  # noqa: PLC0415
        from etl.lines import compiled  # noqa: PLC0415

        machine_code.kernel()
        _use_less_memory()
    except (ImportError, RuntimeError) as error:  # numba isn't there, or has no place for what it compiles
        logger.warning(
            "Extraction takes five to ten times the CPU without its compiled kernel (%s). The "
            "results are the same. To have the kernel: pip install 'error-rate-lake[fast]'",
            error,
        )
        return None
    return compiled


def _use_less_memory() -> None:
    """Have Arrow take memory from the C library, unless the user says from where: its default takes 50 MB more."""
    if "ARROW_DEFAULT_MEMORY_POOL" not in os.environ:
        pa.set_memory_pool(pa.system_memory_pool())


def lines_of(block: memoryview, starts: npt.NDArray[np.int32]) -> pa.BinaryArray:
    """Return the lines of a block with their ends, without copying."""
    return pa.BinaryArray.from_buffers(
        pa.binary(), len(starts) - 1, [None, pa.py_buffer(starts), pa.py_buffer(block)]
    )


def pieces_of(block: memoryview) -> Iterator[tuple[memoryview, npt.NDArray[np.int32]]]:
    """Yield a block in pieces of so many lines that short ones don't take many times the block's memory.

    With each comes where its lines begin in it, and where the last one ends.
    """
    data = np.frombuffer(block, np.uint8)
    begin = 0
    while begin < len(block):
        starts = [np.zeros(1, np.int32)]
        end = begin
        while end < len(block) and sum(map(len, starts)) <= LINES_A_PIECE:
            found = np.flatnonzero(data[end : end + LOOK_BYTES] == LINE_FEED).astype(np.int32)
            starts.append(found + np.int32(end - begin + 1))
            end = min(end + LOOK_BYTES, len(block))
        ends = np.concatenate(starts)[: LINES_A_PIECE + 1]
        if len(ends) <= LINES_A_PIECE and ends[-1] != end - begin:
            ends = np.append(ends, np.int32(end - begin))
        yield block[begin : begin + int(ends[-1])], ends
        begin += int(ends[-1])


def _end_of_part(block: memoryview, begin: int) -> int:
    """Return where lines end that all begin with `#`, or all don't."""
    buffer, end = buffer_of(block), begin
    if block[begin : begin + 1] != DIRECTIVE_SIGN:
        for _ in range(FEW_SIGNS):  # one byte is found in a tenth of the time that two take
            end = buffer.find(DIRECTIVE_SIGN, end + 1, len(block))
            if end < 0 or buffer[end - 1] == LINE_FEED:
                return len(block) if end < 0 else end
        found = buffer.find(b"\n#", end, len(block))
        return len(block) if found < 0 else found + 1
    while end < len(block) and block[end : end + 1] == DIRECTIVE_SIGN:
        found = buffer.find(b"\n", end, len(block))
        end = len(block) if found < 0 else found + 1
    return end

"""From a block of raw lines to rows and rejects: by the compiled kernel where it can, else by the plain parser.

Both give the same, so which one runs is a matter of cost: the kernel takes a tenth of a second to load, and then a
small part of the plain parser's time.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from etl import parse, timestamps
from etl.formats import Format, Headed
from etl.parse import ACCEPTED, Classifier, Parser
from etl.raw_files import buffer_of

if TYPE_CHECKING:
    from etl.compiled import CompiledParser

WORTH_LOADING = 3 << 20  # bytes of a block: a file that has one is long enough for the kernel
DIRECTIVE_SIGN = b"#"
LINE_FEED = ord("\n")
LINES_A_PIECE = 65_536
LOOK_BYTES = 1 << 16

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ParsedBlock:
    """A block of lines, taken apart; arrays have one element a line.

    Attributes:
        block: The lines; their place is read over as soon as the next block is asked for.
        starts: Where each begins in it, and where the last one ends.
        days: Days since 1970-01-01, timestamps.NO_DAY where the time is unreadable.
        reasons: parse.ACCEPTED, parse.DIRECTIVE, or the index in the contract's REASONS of why it is a reject.
        rows: A row of `requests` for each line that was accepted, in order; texts may be dictionary-encoded.
        has_row: Which lines were.
    """

    block: memoryview
    starts: npt.NDArray[np.int32]
    days: timestamps.Integers
    reasons: timestamps.Integers
    rows: pa.Table
    has_row: parse.Booleans

    def __len__(self) -> int:
        return len(self.days)

    @property
    def lines(self) -> pa.BinaryArray:
        """The lines with their ends, not copied."""
        return lines_of(self.block, self.starts)

    def requests(self, chosen: parse.Booleans) -> pa.Table:
        """Return the rows of the chosen lines, all of them accepted ones."""
        wanted = chosen[self.has_row]
        return self.rows if wanted.all() else self.rows.filter(pa.array(wanted))

    def rejects(self, chosen: parse.Booleans, file: str, first_line_number: int) -> pa.Table:
        """Return the chosen lines, all of them rejected ones, as rows of `rejects`."""
        return parse.rejects_table(self, chosen, file, first_line_number)


class BlockParser:
    """Takes the blocks of one raw file apart, one after the other.

    Attributes:
        compiled: Whether to use the kernel; None for where it is worth its while.
    """

    def __init__(self, log_format: Format, classifier: Classifier, *, compiled: bool | None = None) -> None:
        self.compiled = compiled
        self._format = log_format
        self._classifier = classifier
        self._plain = Parser(log_format)
        self._kernel: tuple[Format, CompiledParser | None] | None = None

    def parse(self, block: memoryview) -> Iterator[ParsedBlock]:
        """Yield what a block's lines are, in one or more parts; use each up before asking for the next.

        Args:
            block: Whole lines, at the beginning of a bytearray in which raw_files.PADDING bytes follow.
        """
        if not isinstance(self._format, Headed):
            yield from self._parse(block)
            return
        begin = 0
        while begin < len(block):
            end = _end_of_part(block, begin)
            if block[begin : begin + 1] == DIRECTIVE_SIGN:
                yield from self._parse_plainly(block[begin:end])
            else:
                yield from self._parse(block[begin:end])
            begin = end

    def _parse(self, block: memoryview) -> Iterator[ParsedBlock]:
        if self.compiled is None and len(block) >= WORTH_LOADING:
            self.compiled = True
        kernel = self._compiled_parser() if self.compiled else None
        if kernel:
            yield from kernel.parse(block)
        else:
            yield from self._parse_plainly(block)

    def _compiled_parser(self) -> "CompiledParser | None":
        current = self._plain.current
        if not self._kernel or self._kernel[0] is not current:
            loaded = _load()
            parser = loaded.CompiledParser.of(current, self._classifier, self._plain.parse) if loaded else None
            self._kernel = (current, parser)
        return self._kernel[1]

    def _parse_plainly(self, block: memoryview) -> Iterator[ParsedBlock]:
        for piece, starts in _pieces(block):
            parsed = self._plain.parse(lines_of(piece, starts))
            accepted = parsed.reasons == ACCEPTED
            rows = parse.requests_table(parsed, accepted, self._classifier)
            yield ParsedBlock(piece, starts, parsed.days, parsed.reasons, rows, accepted)


@lru_cache
def _load() -> ModuleType | None:
    """Return the module that has the kernel, None where it can't be had; the first time ever, it compiles."""
    try:
        # small days are done before these are loaded
        from etl import compiled  # noqa: PLC0415
        from etl.kernel import machine_code  # noqa: PLC0415

        machine_code.kernel()
    except (ImportError, RuntimeError) as error:  # numba isn't there, or has no place for what it compiles
        logger.warning("Extraction does without its compiled kernel, and takes long for large files: %s", error)
        return None
    return compiled


def lines_of(block: memoryview, starts: npt.NDArray[np.int32]) -> pa.BinaryArray:
    """Return the lines of a block with their ends, without copying."""
    return pa.BinaryArray.from_buffers(
        pa.binary(), len(starts) - 1, [None, pa.py_buffer(starts), pa.py_buffer(block)]
    )


def _pieces(block: memoryview) -> Iterator[tuple[memoryview, npt.NDArray[np.int32]]]:
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
        found = buffer.find(b"\n#", begin, len(block))
        return len(block) if found < 0 else found + 1
    while end < len(block) and block[end : end + 1] == DIRECTIVE_SIGN:
        found = buffer.find(b"\n", end, len(block))
        end = len(block) if found < 0 else found + 1
    return end

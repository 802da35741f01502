"""Compares the compiled parser with the plain one on many damaged lines, and both with the reference on some.

What is kept of rejects, and which statuses they show, is compared too.

    python tests/etl/lines/fuzz.py --lines 1000000 --seed 1 [--format NAME]

A format is one of agreement.CASES; without one, all share the lines. Prints totals and the first differences;
exits 1 if there is any.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from random import Random

import numpy as np
import pyarrow as pa
from agreement import CASES, PARSERS, Case, Told, difference, opened, told, verdicts_of
from lines import HEADERS, MUTATIONS, SPICE, line, seeded
from reference import Verdict, headed_by, judge

from etl.kernel.layout import PADDING
from etl.lines.blocks import BlockParser
from etl.lines.parse import ACCEPTED

POOL_LINES = 2000
BATCH_LINES = 50_000  # more than the kernel takes at a time
JUDGED = 50  # one line in so many is put before the reference
SHOWN = 10
NOISE = [bytes((code,)) for code in range(256) if code != ord("\n")]
STALE = b'17/Sep/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 512 "-" "-"\n'
"""What stands after a block: in the program, what the buffer held before."""


class Pool:
    """Lines of a format, from which many more are made at little cost."""

    def __init__(self, case: Case, rng: Random) -> None:
        self._rng = rng
        self._first: list[bytes] = []
        dialect = case.dialect
        if dialect.style == "headed":
            names = rng.choice(HEADERS[case.name][:2])
            self._first = [b"#Fields: " + names + b"\n"]
            dialect = headed_by(dialect, names)
        self.dialect = dialect
        self._whole = [line(rng, dialect) for _ in range(POOL_LINES)]
        damaged = (rng.choice(MUTATIONS)(rng, each, rng.choice(self._whole)) for each in self._whole)
        self._damaged = [each.replace(b"\n", b"") for each in damaged]
        mark = {"json": b",", "headed": dialect.separator.encode()}.get(dialect.style, b" ")
        self._separator = b"|" if all(b"|" in each for each in self._whole) else mark
        self._fields = [each.split(self._separator) for each in self._whole]

    def draw(self, count: int) -> list[bytes]:
        """Draw lines with their ends: half of them whole, if with a field of another, the others damaged.

        Where the format has a header, it comes first.
        """
        chance, whole, ends = self._rng.random, self._whole, (b"\n",) * 15 + (b"\r\n",)
        drawn = self._first.copy()
        for _ in range(count):
            way, which, other = chance(), int(chance() * POOL_LINES), int(chance() * POOL_LINES)
            if way < 0.5:
                fields, others = self._fields[which].copy(), self._fields[other]
                at = int(chance() * len(fields))
                fields[at] = others[at if at < len(others) else -1]
                made = self._separator.join(fields)
            elif way < 0.6:
                made = whole[which]
            elif way < 0.7:
                made = self._damaged[which]
            else:
                made = self._spliced(way, whole[which], whole[other])
            drawn.append(made + ends[int(chance() * 16)])
        return drawn

    def _spliced(self, way: float, one: bytes, other: bytes) -> bytes:
        chance = self._rng.random
        at = int(chance() * (len(one) + 1))
        if way < 0.8:
            return one[:at] + SPICE[int(chance() * len(SPICE))] + one[at + int(chance() * 3) :]
        if way < 0.9:
            return one[:at] + NOISE[int(chance() * len(NOISE))] + one[at + int(chance() * 2) :]
        if way < 0.95:
            return one[:at] + other[int(chance() * len(other)) :]
        return one[:at] + (other if chance() < 0.5 else b"")


class Comparison:
    """The parsers at work on the same lines of one file.

    Attributes:
        totals: How many lines were compared, how many of them are requests, how many the reference judged.
    """

    def __init__(self, case: Case, rng: Random) -> None:
        self.totals = Counter()
        self._pool = Pool(case, rng)
        self._parsers = [opened(case, name) for name in PARSERS]

    def run(self, count: int) -> Iterator[str]:
        """Compare on so many lines more, and yield what differs."""
        drawn = self._pool.draw(count)
        data = b"".join(drawn)
        plain, compiled = (_told(parser, data) for parser in self._parsers)
        self.totals.update(lines=len(drawn), requests=plain.rows.num_rows)
        equal = all(np.array_equal(*pair) for pair in zip(plain[:2], compiled[:2], strict=True))
        if not equal or not plain.rows.equals(compiled.rows):
            for made, one, other in zip(drawn, verdicts_of(plain), verdicts_of(compiled), strict=True):
                if different := difference(one, other):
                    yield f"{made!r}\n    plain, compiled: {different}"
        elif not (plain.masked.equals(compiled.masked) and np.array_equal(plain.statuses, compiled.statuses)):
            rejects = (each for each, code in zip(drawn, plain.reasons, strict=True) if code != ACCEPTED)
            kept = ([*zip(each.masked.to_pylist(), each.statuses, strict=True)] for each in (plain, compiled))
            for made, one, other in zip(rejects, *kept, strict=True):
                if one != other:
                    yield f"{made!r}\n    plain, compiled: {(one, other)}"
        for number in range(1, len(drawn), JUDGED):
            wanted = judge(drawn[number], self._pool.dialect)
            self.totals.update(judged=1)
            if different := difference(_verdict(plain, number), wanted):
                yield f"{drawn[number]!r}\n    plain, reference: {different}"


def _told(parser: BlockParser, data: bytes) -> Told:
    """Return what a parser says of lines, which are followed by what a used buffer holds."""
    buffer = bytearray(data + (STALE * PADDING)[:PADDING])
    parts = [told(part) for part in parser.batches([memoryview(buffer)[: len(data)]])]
    days, reasons, rows, masked, statuses = zip(*parts, strict=True)
    of_all = np.concatenate(days), np.concatenate(reasons), pa.concat_tables(rows)
    return Told(*of_all, pa.concat_arrays(masked), np.concatenate(statuses))


def _verdict(found: Told, number: int) -> Verdict:
    """Return what was said of one line."""
    is_row = found.reasons[number] == ACCEPTED
    row = found.rows.slice(np.count_nonzero(found.reasons[:number] == ACCEPTED), int(is_row))
    days, reasons = (each[number : number + 1] for each in found[:2])
    return next(verdicts_of(found._replace(days=days, reasons=reasons, rows=row)))


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    """Compare as the command line says, and return the exit code."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--lines", type=int, default=1_000_000, help="how many in all")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--format", choices=CASES, help="one of them only")
    chosen = options.parse_args()
    cases = [CASES[chosen.format]] if chosen.format else list(CASES.values())
    shown = 0
    for case in cases:
        begun = time.perf_counter()
        comparison = Comparison(case, seeded(f"{case.name} {chosen.seed}"))
        while comparison.totals["lines"] < chosen.lines / len(cases):
            for different in comparison.run(BATCH_LINES):
                comparison.totals.update(different=1)
                shown += 1
                if shown <= SHOWN:
                    say(f"{case.name}: {different}")
        rate = comparison.totals["lines"] / (time.perf_counter() - begun)
        say(f"{case.name}: {dict(comparison.totals)}, {rate:,.0f} lines a second")
    say(f"{shown:,} differences")
    return int(shown > 0)


if __name__ == "__main__":
    sys.exit(main())

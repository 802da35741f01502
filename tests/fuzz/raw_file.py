"""What must hold of the extraction of any raw file, plain or gzip.

The bytes are the number of a case, the source's settings as bits, and the file.
"""

import codecs
import gzip
import io
import tempfile
import zlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import NamedTuple

import pyarrow.parquet as pq
from agreement import CASES, Case
from lines import FIRST_TIME, log
from raw_lines import WORDS as LINES_WORDS
from raw_lines import case_of
from reference import judge_all

from etl.raw.files import FilePattern
from etl.raw.opening import GZIP_MAGIC, HEAD_BYTES, REFUSED, is_packed
from etl.sources.source import Source
from etl.steps.extract import extract_day
from lake.errors import InputError
from lake.lake import Lake, open_store

DAY = FIRST_TIME.date() + timedelta(days=1)
DATED, MAY_BE_EMPTY = 1, 2
HEADER_DAMAGE = "Corrupted gzip header. Checksums do not match"  # which the standard library does not look at
LONGEST = 1200
BOMS = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
WORDS = (*LINES_WORDS, GZIP_MAGIC, gzip.compress(b"", mtime=0), codecs.BOM_UTF8, *BOMS)


class Outcome(NamedTuple):
    """How many lines of a file become what on one day."""

    read: int
    kept: int
    rejected: int
    of_other_days: int
    directives: int


def seeds(rng: Random) -> Iterator[bytes]:
    """Yield logs, plain and compressed as one member and as two."""
    for number, (name, case) in enumerate(CASES.items()):
        text = log(rng, name, case.dialect, 3)
        member = gzip.compress(text, mtime=0)
        for settings in (0, DATED, DATED | MAY_BE_EMPTY):
            yield from (
                bytes([number, settings]) + each for each in (text, member, member * 2, codecs.BOM_UTF8 + text)
            )


def damaged(rng: Random, data: bytes) -> bytes:
    """Cut out, repeat or overwrite some bytes of a file."""
    begin, end = sorted(rng.randrange(2, len(data) + 1) for _ in range(2))
    return data[:begin] + rng.choice((b"", data[begin:end] * 2, rng.randbytes(end - begin))) + data[end:]


def check(data: bytes) -> None:
    """Each line is counted and published for what the reference says, or the file is refused and nothing is."""
    if len(data) < 2:
        return
    case, settings, content = case_of(data[0]), data[1], data[2:]
    if is_packed(content[:HEAD_BYTES]) and not content.startswith(GZIP_MAGIC):
        return  # tests/etl/raw/test_opening.py damages those
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.joinpath(f"{DAY:%Y%m%d}").write_bytes(content)
        source = Source(
            name="web",
            format=case.format,
            files=FilePattern("{YYYY}{MM}{DD}" if settings & DATED else f"{DAY:%Y%m%d}", folder),
            classifier=case.classifier,
            max_reject_rate=1,
            allow_empty=bool(settings & MAY_BE_EMPTY),
        )
        try:
            lines = extract_day(Lake(open_store(f"{folder}/lake")), source, DAY)
            found = Outcome(lines.read, lines.kept, lines.rejected, lines.of_other_days, lines.directives)
        except InputError as error:
            found = None
            if HEADER_DAMAGE in str(error):
                return
        objects = folder.rglob("*.parquet")
        published = {path.relative_to(folder).parts[1]: pq.read_metadata(path).num_rows for path in objects}
    wanted = outcome(lines_of(content), case, settings)
    assert found == wanted, f"{found}, but expected {wanted}"
    assert published == ({"requests": found.kept, "rejects": found.rejected} if found else {}), published


def outcome(lines: list[bytes] | None, case: Case, settings: int) -> Outcome | None:
    """Return what the reference says should become of a file, None if it is to be refused."""
    if lines is None:
        return None
    verdicts = list(judge_all(lines, case.dialect))
    told = [each for each in verdicts if each.reason != "directive"]
    own = DAY if settings & DATED else next((each.day for each in told if each.day), None)
    if lines and not own:
        return None
    of_day = told if settings & DATED else [each for each in told if (each.day or own) == DAY]
    if not of_day and not settings & MAY_BE_EMPTY:
        return None
    kept = sum(each.row is not None and each.day == DAY for each in of_day)
    return Outcome(len(lines), kept, len(of_day) - kept, len(told) - len(of_day), len(verdicts) - len(told))


def lines_of(content: bytes) -> list[bytes] | None:
    """Return the lines of a file, None if it is damaged gzip or what isn't read."""
    if content.startswith(GZIP_MAGIC):
        try:
            content = gzip.decompress(content)
        except (EOFError, OSError, zlib.error):
            return None
    if any(begins.match(content) for begins in REFUSED.values()):
        return None
    if content[:2] in BOMS:
        content = content[2:].decode(BOMS[content[:2]], "replace").encode()
    return io.BytesIO(content.removeprefix(codecs.BOM_UTF8)).readlines()

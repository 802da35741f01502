"""What must hold of the lines of any raw log, in any format.

The bytes are the number of a case, and a log.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from agreement import CASES, Case, differences
from lines import HEADERS, MUTATIONS, SPICE, log
from reference import CLF, ISO, OFFSET

from etl.lines.places import places_of
from etl.lines.privacy import clean_path, mask_line

NAMES = list(CASES)
GOLDEN = Path(__file__).parents[1] / "etl/golden"
LONGEST = 1200
PERSONAL = "|".join(
    (
        *(r"@", r"[0-9A-Za-z]{20}", r"[0-9A-Fa-f]{16}", r"[0-9]{9}", r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){2}-"),
        *(r"[0-9](\.[0-9]{1,3}){2}\.[0-9]", r":[0-9A-Fa-f]{0,4}:"),
    )
)
LOOSE = rb"[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}[: ][0-9:]{8}(?:[.,][0-9]{1,9})?(?: [+-][0-9]{4})?"
TIME = re.compile((CLF + b"|" + LOOSE + b"|" + ISO.replace(b"[T ]", b"[T ?]") + OFFSET + b"?").decode())
WORDS = (
    *(spice for spice in SPICE if spice),
    *(b"#Fields: " + names for several in HEADERS.values() for names in several),
    *(b" HTTP/1.1", b'\\"', b"\\x22", b"%25", b"%40", b"2026-09-17T12:00:00Z", b"17/Sep/2026:12:00:00 +0000"),
)


def seeds(rng: Random) -> Iterator[bytes]:
    """Yield the golden logs line by line, and drawn ones."""
    for number, (name, case) in enumerate(CASES.items()):
        golden = GOLDEN / name / "access.log"
        lines = golden.read_bytes().splitlines(keepends=True) if golden.exists() else []
        head = lines[:1] if case.dialect.style == "headed" else []
        yield from (bytes([number]) + b"".join([*head, line]) for line in lines)
        yield from (bytes([number]) + log(rng, name, case.dialect, 3) for _ in range(8))


def damaged(rng: Random, data: bytes) -> bytes:
    """Damage a line as the tests of the parsers do."""
    lines = data[1:].splitlines() or [b""]
    at = rng.randrange(len(lines))
    lines[at] = rng.choice(MUTATIONS)(rng, lines[at], rng.choice(lines))
    return data[:1] + b"\n".join(lines)


def check(data: bytes) -> None:
    """Both parsers and the reference say the same of each line, none fails or loses one, and no secret stays."""
    if not data:
        return
    case = case_of(data[0])
    found = differences(data[1:], case)
    assert not found, found
    for line in data[1:].splitlines(keepends=True):
        check_masks(line, places_of(case.format))


def check_masks(line: bytes, places: Sequence[str] = ()) -> None:
    """Whatever is taken for a path, or for a line to reject, only what may be kept is left of it."""
    path = clean_path(line)
    assert re.fullmatch(r"[!-~]{0,1000}", path), path
    assert not re.search(PERSONAL, path), path
    masked = mask_line(line, places)
    assert re.fullmatch(r"[ -~]{0,500}", masked), masked
    kept = (each.span() for each in TIME.finditer(masked) if not each[0].startswith("9999-99-99"))
    begin, end = next(kept, (0, 0))
    assert not re.search(r"[A-Za-wyz0-8]", masked[:begin] + masked[end:]), masked


def case_of(number: int) -> Case:
    """Return the case that a byte stands for."""
    return CASES[NAMES[number % len(NAMES)]]

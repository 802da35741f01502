"""Damaged log lines for tests: those of golden cases, with tokens of other formats in them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

from etl.lines.formats import Field, Json, Role
from etl.lines.parse import Classifier
from etl.sources.sections import read_sources
from lake import config

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = sorted(GOLDEN.iterdir())
Mutation = Callable[[Random, bytes, bytes], bytes]
TOKENS = (
    *(
        b"0.5ms",
        b"1m2.5s",
        b"151.5\xc2\xb5s",
        b"3\xce\xbcs",
        b"17ns",
        b"1503000000",
        b"0.12345678949",
        b"-1",
        b"-",
    ),
    *(b"3.2949580000000083", b"999.9999999996", b"0.1234567895", b"1000.1234567891", b"1" * 16, b"1.5e-7", b"-0"),
    *(b"600031000000000.12345678", b"502, 200", b"502 : 200", b"502, -", b"a, b", b"a, b : c", b"a,", b",", b":"),
    *(b" : ", b", ", b"0, 0", b"17/Sep/2026:10:05:03.123 +0200", b"17/Sep/2026:10:05:03"),
    *(b"17/Sep/2026 10:05:03,5", b"31/Feb/2026:10:00:00", b"2026/09/17 - 10:05:03", b"2026/09/17 10:05:03.5"),
    *(b"2026-09-17 10:05:03 +0200", b"2026-09-17T10:05:03,1 Z", b"1789639503123456789", b"1789639503.1234567"),
    *(b"1789639503.123456", b"1789639503.99999995", b"1789639503", b"4102444800.1234567", b"1000000000.12345678"),
    *(
        b"9999999999999999999",
        b"1789639503.12345678901",
        b"-5",
        b'{"a":1}',
        b'["x","y"]',
        b"[]",
        b"null",
        b'"null"',
    ),
    *(b"[{}]", b"{}", b'["\\u0041"]', b"[1]", b"[", b"0.1, 0.2", b'"-"', b'"', b'""', b"\t", b"|", b"  ", b"   "),
    *(b"\\", b"\r", b"\xff", b"\xc3\xa9", b"[17/Sep/2026:10:05:03]", b'"http.request.method":"PUT",'),
    *(
        b'"status":200,',
        b'"request":{"method":"HEAD"},',
        b'"req":null,',
        b'"a.b":1,',
        b'"x":{"y":[1,{"z":"\\""}]},',
    ),
    *(b'"http":{"request.method":"PUT"},', b"haproxy[1]: ", b"x[1]: ", b"<1>", b"::1", b"time:", b"status:200\t"),
    *(b"\tstatus:404", b"req:GET / HTTP/1.1\t", b"a:b:c\t", b"a\t", b"status=200 ", b"x="),
)


def of_case(case: Path, folder: Path) -> Any:
    """Return the source of a golden case; local times are those of UTC, which are all that the kernel reads."""
    path = folder / "luigi.cfg"
    path.write_text("[lake]\nroot = lake\n" + case.joinpath("source.ini").read_text())
    (source,) = read_sources(config.read(path))
    zone = source.format.timezone and "UTC"
    return SimpleNamespace(format=replace(source.format, timezone=zone), classifier=source.classifier)


def of_json(**names: tuple[Role, int]) -> Any:
    """Return what JSON lines are whose values have these roles and decimal places; `_` is a dot in a name."""
    fields = tuple(Field(name.replace("_", "."), role, scale=scale) for name, (role, scale) in names.items())
    return SimpleNamespace(format=Json("json", fields), classifier=Classifier("edge", "web", None, (), ()))


def lines_of(case: Path) -> tuple[list[bytes], list[bytes]]:
    """Return the header of a case's log, with its end, if it has one, and its lines, without theirs."""
    found = [line for line in case.joinpath("access.log").read_bytes().splitlines() if line]
    return [line + b"\n" for line in found if line.lower().startswith(b"#fields")][:1], found


def with_token(rng: Random, line: bytes) -> bytes:
    """Return a line with a token in it, or in place of what is between two of its signs."""
    signs = [at for at, byte in enumerate(line) if byte in b' ",:=\t|[]{}']
    begin = rng.choice([*signs, len(line) - 1]) + 1
    ends = [at for at in signs if at >= begin]
    end = rng.choice((begin, *ends[:1], *ends[:1], *ends[:3]))
    return line[:begin] + rng.choice(TOKENS) + line[end:]


def damaged(rng: Random, whole: list[bytes], count: int, mutations: Sequence[Mutation]) -> list[bytes]:
    """Return lines with their ends: some whole, most of them damaged in one or two ways."""
    found = []
    for _ in range(count):
        line = rng.choice(whole)
        for _ in range(rng.choice((0, 1, 1, 1, 2))):
            other = rng.choice(whole)
            line = with_token(rng, line) if rng.random() < 0.7 else rng.choice(mutations)(rng, line, other)
        found.append(line.replace(b"\n", b"") + rng.choice((b"\n", b"\n", b"\n", b"\r\n")))
    return found

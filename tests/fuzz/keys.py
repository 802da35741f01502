"""What must hold of whatever name stands in a lake, in a bucket or on a command line.

The bytes are a text, in which those that are no UTF-8 become what Python makes of them in names of files.
"""

from collections.abc import Callable, Iterator
from random import Random
from typing import TypeVar

from backfill.attempts import _Record
from etl.sources.completeness import parse_hours
from lake.errors import ConfigError
from lake.evidence import Evidence
from lake.partition import Partition, check_name, parse_day
from lake.silence import listed_hours
from lake.store.s3_client import split_url

LONGEST = 400
T = TypeVar("T")
SHA256 = "0123456789abcdef" * 4
SEEDS = (
    *(
        "error_rate/v1/dt=2015-05-17/rev=0/part-0.parquet",
        "requests/v12/dt=2024-02-29/source=web_1/rev=34/part-0.parquet",
    ),
    f"_evidence/error_rate/v1/dt=2015-05-17_rev=0_{SHA256}_1234.json",
    f"_evidence/requests/v12/dt=2024-02-29_source=web_1_rev=34_{SHA256}_98765.json",
    f"ErrorRateDaily/20261122T030000.123456Z_2026-11-08_2026-11-21_13_1_{SHA256[:32]}.jsonl",
    f"RawLogsDaily/source=web/20261122T030000.123456Z_2026-11-08_2026-11-21_0_0_{SHA256[:32]}.jsonl",
    *("s3://bucket/some/prefix", "s3://a.b-c", "s3://bucket/", "s3://KEY:hidden@bucket/x", "https://bucket/x"),
    *("2015-05-17", "1969-12-31", "2999-12-31", "20150517", "2015-W20-7", "0-3, 22-23", "6-21", "web", "a" * 63),
)
WORDS = (
    *b"dt= rev= source= /part-0.parquet _evidence/ .json .jsonl s3:// /v1/ ../ - _ 0 999999 1000000".split(),
    *(
        b"2015-05-17",
        b"2024-02-29",
        SHA256.encode(),
        b"\n",
        b"\0",
        b"\xff",
        "१".encode(),
        "\u2028".encode(),
        b"9" * 30,
    ),
)


def seeds(rng: Random) -> Iterator[bytes]:
    """Yield a name of each kind, good and bad ones."""
    yield from (text.encode() for text in SEEDS)


def damaged(rng: Random, data: bytes) -> bytes:
    """Put a word, or a part of another name, in the place of a part of a name."""
    begin, end = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    return data[:begin] + rng.choice((*WORDS, b"", *seeds(rng), data[begin:end] * 2)) + data[end:]


def check(data: bytes) -> None:
    """A name is what it says, to the letter, or no name at all, and nothing else comes of it."""
    text = data.decode("utf-8", "surrogateescape")
    partition = Partition.parse(text)
    assert partition is None or partition.key == text, partition
    evidence = Evidence.parse(text)
    assert evidence is None or (evidence.name == text and Partition.parse(evidence.key)), evidence
    attempts = _Record.of(text)
    assert attempts is None or attempts.name == text, attempts
    day = _unless(ValueError, parse_day, text)
    assert day is None or day.isoformat() == text, day
    hours = _unless(ValueError, parse_hours, text)
    assert hours is None or hours == parse_hours(listed_hours(sorted(hours))), hours
    name = _unless(ConfigError, lambda: check_name("source", text))
    assert name is None or Partition("a", 1, parse_day("2015-05-17"), name) == Partition.parse(
        f"a/v1/dt=2015-05-17/source={name}/rev=0/part-0.parquet"
    )
    url = _unless(ConfigError, split_url, text)
    assert url is None or text in {
        f"{scheme}{url[0]}{slash}{url[1]}" for scheme in ("", "s3://") for slash in ("", "/")
    }


def _unless(refusal: type[Exception], read: Callable[..., T], *arguments: str) -> T | None:
    """Return what is read, None if it is refused as is documented."""
    try:
        return read(*arguments)
    except refusal:
        return None

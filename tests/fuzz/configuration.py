"""What must hold of any luigi.cfg: it is refused by the error for that, or what it declares can be worked with.

The bytes are the file.
"""

import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest import mock

from agreement import PARSERS, told, verdicts_of

from backfill.settings import settings
from etl.kernel.layout import PADDING
from etl.lines.blocks import BlockParser
from etl.lines.formats import FORMATS, VARIABLES, Format
from etl.lines.parse import Classifier
from etl.raw import s3
from etl.sources.sections import FIELD_KEYS, OPTIONAL, REQUIRED, read_sources
from etl.sources.source import Source, latest_settled_day
from lake import config
from lake.errors import ConfigError
from lake.lake import Lake
from lake.store.protocol import S3_SCHEME

REPOSITORY = Path(__file__).parents[2]
LONGEST = 1500
DAY = date(2015, 5, 17)
NOON = datetime(2026, 9, 17, 12, tzinfo=UTC)
CREDENTIALS = re.compile(r"://([^\s/@]{6,})@")
EXAMPLE = re.compile(r"```ini\n(.*?)```", re.DOTALL)
LAKE = "[lake]\nroot = lake\n"
FULL = """[lake]
root = s3://bucket/some/prefix
endpoint_url = http://127.0.0.1:9000
[backfill]
max_attempts = 5
[extraction]
threads = 2
memory_mb = 500
[completeness]
fewer_files = warn
silent_hours = fail
missing_source = warn
[source.web]
format = common
trailing = $request_time "$upstream_status" $host
files = s3://logs/*/{YYYY}/{MM}/{DD}/[a-c]?-{HH}.log
application = field:host
vantage = edge
timezone = Europe/Berlin
since = 2015-05-16
until = 2015-06-01
settle_hours = 1.5
neighbour_days = 1
max_reject_rate = 0.5
max_applications = 10
expected_files = 3
expected_hours = 6-21, 23
allow_empty = true
health_check_paths = /healthz, /probe/*
"""
WORDS = (
    *(f"\n{key} = ".encode() for key in (*REQUIRED, *OPTIONAL, "root", "endpoint_url", "max_attempts", "threads")),
    *(
        f"\n[{name}]\n".encode()
        for name in ["lake", "source.", "completeness", "extraction", "backfill", "DEFAULT"]
    ),
    *(name.encode() for name in (*FORMATS, *FIELD_KEYS, *(f"${field.name}" for field in VARIABLES))),
    *b"{YYYY} {MM} {DD} {HH} **/ [!a] < > s3:// https://u:hidden-1@h/ field: ../ ~ %(root)s ${root}".split(),
    *b"2015-05-17 1970-01-01 2999-12-31 nan inf 1e308 Europe/Berlin UTC".split(),
    *(b"\n ", b" ; ", b"\r", b"\0", b"\xff", b"\xef\xbb\xbf", "\u2028".encode(), "१".encode(), b"9" * 5000),
)


def seeds(rng: Random) -> Iterator[bytes]:
    """Yield luigi.cfg, the examples of the documents, and the sources of the golden cases."""
    yield REPOSITORY.joinpath("luigi.cfg").read_bytes()
    yield FULL.encode()
    sections = [path.read_text() for path in sorted(REPOSITORY.glob("tests/etl/golden/*/source.ini"))]
    for page in (REPOSITORY / "README.md", *sorted(REPOSITORY.glob("docs/**/*.md"))):
        sections += EXAMPLE.findall(page.read_text(encoding="utf-8"))
    yield from ((text if "[lake]" in text else LAKE + text).encode() for text in sections)


def damaged(rng: Random, data: bytes) -> bytes:
    """Put a word or a line of the file in the place of a part of it."""
    begin = rng.randrange(len(data) + 1)
    end = min(len(data), begin + rng.choice((0, 0, 1, 5, 50)))
    return data[:begin] + rng.choice((*WORDS, *data.splitlines(keepends=True))) + data[end:]


def check(data: bytes) -> None:
    """Each part of it is read or refused in words that repeat no secret, and what is read can be used."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "luigi.cfg")
        path.write_bytes(data)
        secrets = _secrets(path)
        with mock.patch.dict(os.environ, LUIGI_CONFIG_PATH=str(path)):
            for read in (_read_settings, _read_lake, _read_sources):
                if refusal := _refusal(read, path):
                    assert str(path) in refusal or "[lake] root" in refusal, refusal
                    assert not any(secret in refusal for secret in secrets), refusal


def _refusal(read: Callable[[Path], None], path: Path) -> str | None:
    """Return why something can't be read, None if it can."""
    try:
        read(path)
    except ConfigError as error:
        return str(error)
    return None


def _secrets(path: Path) -> list[str]:
    """Return the credentials in URLs; in a value, since nobody calls a section or a key so."""
    try:
        values = [value for section in config.read(path).sections.values() for value in section.values()]
    except ConfigError:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        values = [line for line in lines if not line.lstrip().startswith("[")]
    return [secret for value in values for secret in CREDENTIALS.findall(value)]


def _read_settings(path: Path) -> None:
    assert settings().max_attempts >= 0


def _read_lake(path: Path) -> None:
    found = config.read(path)
    if found.lake().root.startswith(S3_SCHEME):  # a client takes long to make
        return
    with suppress(OSError):
        os.stat(Lake.of(found).root)  # noqa: PTH116 - a Path hides what is no name


def _read_sources(path: Path) -> None:
    sources = read_sources(config.read(path))
    for source in sources:
        assert len(source.settings_sha256) == 64
        check_parsers(source.format, source.classifier)
        check_files(source)
    with suppress(ConfigError):
        day = latest_settled_day(sources, NOON)
        assert all(source.settled_at(day) <= NOON for source in sources if source.is_active(day)), day


@lru_cache(1000)  # most configurations differ in something else
def check_parsers(log_format: Format, classifier: Classifier) -> None:
    """Lines of all formats can be taken apart as a source says, and both parsers say the same of them."""
    buffer = bytearray(SAMPLE + bytes(PADDING))
    block = memoryview(buffer)[: len(SAMPLE)]
    plain, compiled = (
        [
            verdict
            for batch in BlockParser(log_format, classifier, compiled=compiled).batches([block])
            for verdict in verdicts_of(told(batch))
        ]
        for compiled in PARSERS.values()
    )
    assert plain == compiled, [pair for pair in zip(plain, compiled, strict=True) if pair[0] != pair[1]]
    assert len(plain) == SAMPLE.count(b"\n")


def check_files(source: Source) -> None:
    """It can be said which files a day has, and on S3 one listing says the same as one a day."""
    assert not (source.since and source.until and source.since >= source.until)
    text = source.files.text
    if text.startswith(S3_SCHEME):
        days = [DAY + timedelta(days=n) for n in range(-1, 2)]
        with mock.patch.object(s3, "_client", return_value=Bucket(text, days)), suppress(ConfigError):
            find = source.files.finder(DAY - timedelta(days=40), days[-1])
            assert list(map(find, days)) == list(map(source.files.find, days)), text
    elif not text.startswith(("/", "~")) and ".." not in text:  # nothing else of the machine is looked through
        for day in (source.since or DAY, DAY):
            assert source.missing_input(day) or not source.is_missing(day), text


class Bucket:
    """A bucket with one file for each day, as far as a pattern says what it is called."""

    def __init__(self, text: str, days: list[date]) -> None:
        key = text.removeprefix(S3_SCHEME).partition("/")[2].replace("*", "x").replace("?", "x")
        parts = {"{YYYY}": "%Y", "{MM}": "%m", "{DD}": "%d", "{HH}": "13"}
        for part, code in parts.items():
            key = key.replace(part, code)
        keys = (day.strftime(key) for day in days)
        self._listed = [{"Key": each, "Size": 1, "ETag": "x"} for each in keys]

    def get_paginator(self, _: str) -> Any:
        """Return what boto3's client does."""
        return SimpleNamespace(paginate=lambda **_: [{"Contents": self._listed}])


def _sample() -> bytes:
    """Return the first lines of each golden log."""
    logs = sorted(REPOSITORY.glob("tests/etl/golden/*/access.log"))
    return b"".join(line + b"\n" for log in logs for line in log.read_bytes().splitlines()[:3])


SAMPLE = _sample()

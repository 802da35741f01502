"""What a partition was made from and by: JSON in the Parquet footer, under the key `provenance`."""

import getpass
import json
import socket
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any

from lake.errors import ConfigError
from lake.records import known

KEY = "provenance"
NO_STATUS_SHOWN = "none"
LEFT_OUT = frozenset({"content", "of_day", "strays", "beside", "unmapped", "formats", "shard"})
"""What is left out where there is nothing to say: it is of raw files only, or of a few sources."""


@cache
def code_version() -> str:
    """Return the version of the code that is running."""
    return version("error-rate-lake")


def requester() -> str:
    """Return who runs this, and where: `user@host`."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


@dataclass(frozen=True)
class Content:
    """What a raw file is, whatever it is called and however it is compressed.

    Attributes:
        bytes: How many it has, decompressed.
        xxh3: Their digest by XXH3, of 64 bits, in hexadecimal.
        crc32: Their CRC-32, as it stands at the end of a gzip file.
        prefixes: Their digests by XXH3 after 4 KiB, 64 KiB, and 16 times as many each, as far as it has so many.
    """

    bytes: int
    xxh3: str
    crc32: int
    prefixes: tuple[str, ...] = ()

    @classmethod
    def of_fields(cls, fields: dict[str, Any]) -> "Content":
        """Return what JSON says."""
        return cls(**{**known(cls, fields), "prefixes": tuple(fields["prefixes"])})


@dataclass(frozen=True)
class Input:
    """A raw file or a partition that was read.

    Attributes:
        name: The raw file as luigi.cfg's pattern names it, or the partition's key.
        bytes: Its size.
        sha256: Digest of its bytes, in hexadecimal; None of a part of a raw file, which is recorded by `content`.
        lines: None if that is the whole object as it lies there. Else size and digest are those of its
            first so many lines, decompressed: up to the last one of the day, in a file that holds other
            days' lines too and may still grow.
        content: What a raw file, or the part of it that is recorded, is; None in files of earlier versions.
        of_day: How many of a raw file's lines are of the partition's day; None likewise.
        strays: How many of a raw file's lines are requests of days that none of its files may hold, by day.
        beside: How many of a raw file's lines are of other days that it may hold, by day; None of a source whose
            files hold one day each, and in files of earlier versions.
    """

    name: str
    bytes: int
    sha256: str | None = None
    lines: int | None = None
    content: Content | None = None
    of_day: int | None = None
    strays: dict[str, int] | None = None
    beside: dict[str, int] | None = None

    @classmethod
    def of_fields(cls, fields: dict[str, Any]) -> "Input":
        """Return what JSON says."""
        content = fields.get("content")
        return cls(**{**known(cls, fields), "content": Content.of_fields(content) if content else None})


@dataclass(frozen=True)
class OfShard:
    """What became of a shard's lines, so that a source's day is judged by those of all its shards.

    Attributes:
        lines: Lines read, but for those that describe the log or go on in another.
        noise: Those of them that the source declares to be no access lines.
        requests: Requests of the day.
        rejects: Lines of the day that are no request.
        reasons: How many of these have which reason.
        examples: Where the first of them are: file, line and reason.
        by_hour: The requests in each hour of the UTC day.
        valid: Requests that are neither health checks nor synthetic.
        failed: Those of them that the server failed to answer.
        lost: How many rejects show which server error.
    """

    lines: int
    noise: int
    requests: int
    rejects: int
    reasons: dict[str, int]
    examples: tuple[str, ...]
    by_hour: tuple[int, ...]
    valid: int
    failed: int
    lost: dict[str, int]

    @classmethod
    def of_fields(cls, fields: dict[str, Any]) -> "OfShard":
        """Return what JSON says."""
        lists = {name: tuple(fields[name]) for name in ("examples", "by_hour")}
        return cls(**{**known(cls, fields), **lists})


@dataclass(frozen=True)
class Revision:
    """Which publication of a day this is.

    Attributes:
        number: 0 for the first, one more for each restatement.
        reason: Why it is restated; None for the first.
        by: Who asked for it, if that is known.
    """

    number: int = 0
    reason: str | None = None
    by: str | None = None

    def __post_init__(self) -> None:
        """Refuse what can't be one.

        Raises:
            ConfigError: The number is negative, or the reason is missing or too much.
        """
        if self.number < 0 or bool(self.number) != bool(self.reason):
            raise ConfigError(
                f"Revision {self.number} with {'a' if self.reason else 'no'} reason: a reason belongs to every "
                "revision after the first, 0, and only there."
            )


FIRST = Revision()


@dataclass(frozen=True)
class Check:
    """A check that held before publication, and what it found."""

    name: str
    result: str


@dataclass(frozen=True)
class Provenance:
    """What a partition was made from and by. It holds no clock: same inputs, same code, same bytes.

    Attributes:
        rows_read: Lines or rows in all inputs, as far as `inputs` says.
        rows_kept: Those of them that became requests of this day, or were counted.
        rows_rejected: Lines of this day that are no request.
        rows_of_other_days: Lines read that belong to other days' partitions.
        doubled: Lines that were left out, since the source counts each line or request once.
        directives: Lines read that describe the log, such as `#Fields:`, and are neither.
        noise: Lines read that the source declares to be no access lines at all.
        continued: Lines read that go on in another one, with which they are one line.
        unmapped: Requests that the source's map of applications has no rule for; None without such a map.
        formats: How many of the requests are lines of which of the source's formats; None if it has but one.
        sql_sha256: Digest of the SQL it was made by, if any.
        source_sha256: Digest of the source's settings that shape rows, if any.
        supersedes: SHA-256 of the previous revision's bytes, for a restatement.
        reason: Why it was restated.
        requested_by: Who asked for that, if it is known.
        reject_statuses: How many of the day's rejects, of one or of all sources, show each status, and how many
            none, as NO_STATUS_SHOWN; None where they were not looked at, as in files of earlier versions.
        requests_by_hour: The requests in each hour of the UTC day, by source, for who looks at the day to judge
            silence; not of sources with expected_hours, of which that is judged at once.
        incomplete: What the day lacks of the raw logs of its source, or of any of its sources; None if nothing is
            known to be missing.
        counted: What the column that `Contract.counts` names adds up to; None where that is `rows_read`, as in
            files of earlier versions.
        raw_contents: What the raw files of one source were, up to some number of them, as bytes, XXH3 and its
            prefixes, so that who reads several sources can tell whether two have the same, or what it grew to.
        shard: What became of a shard's lines; None of what is no shard's.
    """

    dataset: str
    version: int
    dt: str
    source: str | None
    revision: int
    inputs: tuple[Input, ...]
    rows_read: int
    rows_kept: int
    rows_rejected: int
    rows_of_other_days: int
    code_version: str
    checks: tuple[Check, ...]
    directives: int = 0
    doubled: int = 0
    noise: int = 0
    continued: int = 0
    sql_sha256: str | None = None
    source_sha256: str | None = None
    supersedes: str | None = None
    reason: str | None = None
    requested_by: str | None = None
    incomplete: str | None = None
    counted: int | None = None
    unmapped: int | None = None
    formats: dict[str, int] | None = None
    raw_contents: tuple[str, ...] = ()
    reject_statuses: dict[str, int] | None = None
    requests_by_hour: dict[str, tuple[int, ...]] | None = None
    shard: OfShard | None = None

    def to_json(self) -> str:
        """Return the text that stands in the footer: sorted keys, no spaces."""
        # of many inputs each by itself, since the encoder takes many times the text's memory
        texts = {
            key: f"[{','.join(map(ENCODER.encode, self.inputs))}]" if key == "inputs" else ENCODER.encode(value)
            for key, value in _told(self).items()
        }
        return "{" + ",".join(f'"{key}":{texts[key]}' for key in sorted(texts)) + "}"

    @classmethod
    def from_json(cls, text: str | bytes) -> "Provenance":
        """Return the provenance that a footer's text describes; what a later version added is passed over."""
        fields: dict[str, Any] = known(cls, json.loads(text))
        fields["inputs"] = tuple(map(Input.of_fields, fields["inputs"]))
        fields["checks"] = tuple(Check(**known(Check, each)) for each in fields["checks"])
        hours = fields.get("requests_by_hour")
        fields["requests_by_hour"] = hours and {source: tuple(each) for source, each in hours.items()}
        fields["raw_contents"] = tuple(fields.get("raw_contents", ()))
        shard = fields.get("shard")
        fields["shard"] = OfShard.of_fields(shard) if shard else None
        return cls(**fields)


def _told(each: object) -> dict[str, Any]:
    """Return what there is to say of an object."""
    return {key: value for key, value in vars(each).items() if value is not None or key not in LEFT_OUT}


ENCODER = json.JSONEncoder(default=_told, sort_keys=True, separators=(",", ":"))

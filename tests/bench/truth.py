"""What a right reading of the lines finds, and what one found: the same facts, so that they can be compared.

    python tests/bench/truth.py TRUTH REQUESTS [REJECTS] [--undated]

reads published Parquet (globs) and prints, one a line, where it differs from the truth.json. Without REJECTS
it is what another program made: its paths are compared as they were asked for, and the reasons of its rejects
are not looked at. If the log's name has no date, a line of another day is no reject.
"""

import argparse
import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from traffic import Integers

REASONS = ("shape", "status", "time", "blank", "wrong_day")
WRONG_DAY = REASONS.index("wrong_day")
NO_NAME = "(none)"
SERVER_ERROR = 500

SUMS = """
select
    count(*) as requests,
    count(*) filter (where status >= 500) as server_errors,
    coalesce(sum(response_bytes), 0)::bigint as response_bytes,
    coalesce(sum(epoch(ts)::bigint), 0)::bigint as epoch_seconds
from found
"""
MILLISECONDS = "select coalesce(sum(round(duration_seconds * 1000))::bigint, 0) from found"
COUNTS = f"select coalesce({{}}, '{NO_NAME}') as name, count(*) from found group by name"
# What no two requests have in common, of which only the number is kept
UUID, NUMBER = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "[0-9]{10}"
BARE_PATH = f"regexp_replace(regexp_replace(path, '{UUID}', '{{token}}', 'g'), '{NUMBER}', '{{number}}', 'g')"


class Pools(NamedTuple):
    """What the columns of an hour are choices from.

    Attributes:
        paths: As they may be kept.
        bare_paths: As they were asked for, up to the query.
    """

    statuses: Sequence[int]
    applications: Sequence[str]
    methods: Sequence[str]
    paths: Sequence[str]
    bare_paths: Sequence[str]


class Requests(Protocol):
    """An hour of requests as columns; what is a choice from a pool is its index there."""

    start: datetime
    second: Integers
    path_index: Integers
    status: Integers
    response_bytes: Integers
    milliseconds: Integers

    @property
    def application(self) -> Integers:
        """Whose each is."""

    @property
    def method(self) -> Integers:
        """What each is."""

    @property
    def own_path(self) -> pa.Array | None:
        """The path of each that is in no pool, NULL of the others; None if all are."""


class Truth:
    """Counts what is true of a log while it is made."""

    def __init__(self, pools: Pools) -> None:
        self._pools = pools
        self.sums = Counter(dict.fromkeys(("requests", "server_errors", "response_bytes", "epoch_seconds"), 0))
        self.rejects = Counter(dict.fromkeys(REASONS, 0))
        self.days: Counter[str] = Counter()
        self.applications = np.zeros(len(pools.applications), dtype=np.int64)
        self.methods = np.zeros(len(pools.methods), dtype=np.int64)
        self.paths = np.zeros(len(pools.paths), dtype=np.int64)
        self.own_paths: Counter[str] = Counter()

    def add(self, hour: Requests, reasons: Integers, *, has_durations: bool) -> None:
        """Count an hour's lines; those with a reason, an index in REASONS and not -1, are malformed."""
        good = reasons < 0
        requests = int(good.sum())
        self.sums["requests"] += requests
        self.sums["server_errors"] += int(
            (np.array(self._pools.statuses)[hour.status[good]] >= SERVER_ERROR).sum()
        )
        self.sums["response_bytes"] += int(hour.response_bytes[good].sum())
        self.sums["epoch_seconds"] += requests * int(hour.start.timestamp()) + int(hour.second[good].sum())
        if has_durations:
            self.sums["milliseconds"] += int(hour.milliseconds[good].sum())
        self.rejects.update({reason: int((reasons == n).sum()) for n, reason in enumerate(REASONS)})
        self.days[f"{hour.start:%Y-%m-%d}"] += requests
        self.applications += np.bincount(hour.application[good], minlength=len(self.applications))
        self.methods += np.bincount(hour.method[good], minlength=len(self.methods))
        in_pool = good
        if hour.own_path is not None:
            in_pool = good & ~hour.own_path.is_valid().to_numpy(zero_copy_only=False)
            own = hour.own_path.filter(pa.array(good)).drop_null()
            self.own_paths.update({each["values"]: each["counts"] for each in pc.value_counts(own).to_pylist()})
        self.paths += np.bincount(hour.path_index[in_pool], minlength=len(self.paths))

    def as_json(self) -> str:
        """Return all of it as a JSON object."""
        facts = {
            **self.sums,
            "rejects": self.rejects,
            "days": self.days,
            "applications": _counted(self._pools.applications, self.applications),
            "methods": _counted(self._pools.methods, self.methods),
            **facts_of_paths("paths", _counted(self._pools.paths, self.paths) + self.own_paths),
            **facts_of_paths(
                "bare_paths",
                _counted([_without_numbers(each) for each in self._pools.bare_paths], self.paths) + self.own_paths,
            ),
        }
        return json.dumps({name: _without_zeros(fact) for name, fact in facts.items()}, indent=1)


def _counted(names: Sequence[str], counts: Integers) -> Counter[str]:
    """Return counts by name; several may have the same one."""
    found: Counter[str] = Counter()
    for name, count in zip(names, counts.tolist(), strict=True):
        found[name] += count
    return found


def _without_numbers(path: str) -> str:
    return re.sub(NUMBER, "{number}", re.sub(UUID, "{token}", path))


def facts_of_paths(name: str, counts: Mapping[str, int]) -> dict[str, object]:
    """Return how many distinct paths there are, and a digest of how often each was asked for."""
    text = "".join(f"{path}\t{count}\n" for path, count in sorted(counts.items()) if count)
    return {name: text.count("\n"), f"requests_per_{name}": hashlib.sha256(text.encode()).hexdigest()}


def found_in(requests: str, rejects: str | None, *, has_durations: bool) -> dict[str, object]:
    """Return the facts of published Parquet files."""
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    connection.from_parquet(requests, hive_partitioning=False).create_view("found")
    sums = connection.sql(SUMS)
    facts = dict(zip(sums.columns, sums.fetchone() or (), strict=True))
    if has_durations:
        facts["milliseconds"] = (connection.sql(MILLISECONDS).fetchone() or (None,))[0]

    def counts(expression: str) -> dict[str, int]:
        return dict(connection.sql(COUNTS.format(expression)).fetchall())

    facts |= {
        "days": counts("strftime(ts, '%Y-%m-%d')"),
        "applications": counts("application"),
        "methods": counts("method"),
        **(
            facts_of_paths("paths", counts("path")) if rejects else facts_of_paths("bare_paths", counts(BARE_PATH))
        ),
    }
    if rejects:
        connection.from_parquet(rejects, hive_partitioning=False).create_view("found", replace=True)
        facts["rejects"] = counts("reason")
    return facts


def differences(truth: dict[str, object], found: dict[str, object]) -> list[str]:
    """Say of each fact found where it is not the truth."""
    return [
        f"{name} {found[name]}, not {truth[name]}"
        for name in truth
        if name in found and found[name] != truth[name]
    ]


def _without_zeros(fact: object) -> object:
    return {name: count for name, count in fact.items() if count} if isinstance(fact, dict) else fact


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("truth", type=Path)
    parser.add_argument("parquet", nargs="+")
    parser.add_argument("--undated", action="store_true")
    arguments = parser.parse_args()
    truth = json.loads(arguments.truth.read_text(encoding="utf-8"))
    if arguments.undated:
        truth["rejects"].pop(REASONS[WRONG_DAY], None)
    requests, rejects = (*arguments.parquet, None)[:2]
    found = found_in(requests, rejects, has_durations="milliseconds" in truth)
    print("\n".join(differences(truth, found)), end="")


if __name__ == "__main__":
    main()

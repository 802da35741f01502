"""What a right reading of the lines finds, and what one found: the same facts, so that they can be compared.

    python tests/bench/truth.py TRUTH REQUESTS [REJECTS]

reads published Parquet (globs) and prints, one a line, where it differs from the truth.json. Without REJECTS
it is what another program made: its paths are masked here, and the reasons of its rejects are not looked at.
"""

import hashlib
import json
import sys
from collections import Counter
from pathlib import Path

import duckdb
import numpy as np
from traffic import HOSTS, METHODS, PATHS, STATUSES, Hour, Integers

MALFORMED = ("shape", "status", "time", "blank")
SERVER_ERROR = 500

SUMS = """
select
    count(*) as requests,
    count(*) filter (where status >= 500) as server_errors,
    sum(response_bytes)::bigint as response_bytes,
    sum(epoch(ts)::bigint)::bigint as epoch_seconds
from found
"""
MILLISECONDS = "select sum(round(duration_seconds * 1000))::bigint from found"
COUNTS = "select coalesce({}, '(none)') as name, count(*) from found group by name"
UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
MASKED_PATH = f"regexp_replace(regexp_replace(path, '{UUID}', '{{token}}'), '[0-9]{{10}}', '{{number}}')"


class Truth:
    """Counts what is true of a log while it is made."""

    def __init__(self) -> None:
        self.sums = Counter(dict.fromkeys(("requests", "server_errors", "response_bytes", "epoch_seconds"), 0))
        self.rejects = Counter(dict.fromkeys(MALFORMED, 0))
        self.days: Counter[str] = Counter()
        self.applications = np.zeros(len(HOSTS), dtype=np.int64)
        self.methods = np.zeros(len(METHODS), dtype=np.int64)
        self.paths = np.zeros(len(PATHS), dtype=np.int64)

    def add(self, hour: Hour, reasons: Integers, *, has_durations: bool) -> None:
        """Count an hour's lines; those with a reason, an index in MALFORMED and not -1, are malformed."""
        good = reasons < 0
        requests = int(good.sum())
        self.sums["requests"] += requests
        self.sums["server_errors"] += int((np.array(STATUSES)[hour.status[good]] >= SERVER_ERROR).sum())
        self.sums["response_bytes"] += int(hour.response_bytes[good].sum())
        self.sums["epoch_seconds"] += requests * int(hour.start.timestamp()) + int(hour.second[good].sum())
        if has_durations:
            self.sums["milliseconds"] += int(hour.milliseconds[good].sum())
        self.rejects.update({reason: int((reasons == n).sum()) for n, reason in enumerate(MALFORMED)})
        self.days[f"{hour.start:%Y-%m-%d}"] += requests
        self.applications += np.bincount(hour.host[good], minlength=len(HOSTS))
        self.methods += np.bincount(hour.method[good], minlength=len(METHODS))
        self.paths += np.bincount(hour.path_index[good], minlength=len(PATHS))

    def as_json(self) -> str:
        """Return all of it as a JSON object."""
        facts = {
            **self.sums,
            "rejects": self.rejects,
            "days": self.days,
            "applications": dict(zip(HOSTS, self.applications.tolist(), strict=True)),
            "methods": dict(zip(METHODS, self.methods.tolist(), strict=True)),
            **facts_of_paths(dict(zip(PATHS, self.paths.tolist(), strict=True))),
        }
        return json.dumps({name: _without_zeros(fact) for name, fact in facts.items()}, indent=1)


def facts_of_paths(counts: dict[str, int]) -> dict[str, object]:
    """Return how many distinct paths there are, and a digest of how often each was asked for."""
    text = "".join(f"{path}\t{count}\n" for path, count in sorted(counts.items()) if count)
    return {"paths": text.count("\n"), "requests_per_path": hashlib.sha256(text.encode()).hexdigest()}


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
        **facts_of_paths(counts("path" if rejects else MASKED_PATH)),
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
    truth = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    rejects = sys.argv[3] if len(sys.argv) > 3 else None
    found = found_in(sys.argv[2], rejects, has_durations="milliseconds" in truth)
    print("\n".join(differences(truth, found)), end="")


if __name__ == "__main__":
    main()

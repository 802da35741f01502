"""Aggregation: SQL over one day's inputs, checked against them, published with what it was made from."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etl.aggregate import aggregate_day, check_sum, run_query
from etl.extract import extract_day
from etl.sources import Source
from lake import sql
from lake.contract import Contract
from lake.contracts import CONTRACTS, contract
from lake.errors import ConfigError, ContractViolation, PartitionExists, PartitionMissing
from lake.lake import Lake
from lake.partition import Partition
from lake.provenance import Revision

DAY = date(2026, 9, 17)
NOON = datetime(2026, 9, 17, 12, tzinfo=UTC)
MADE = [each for each in CONTRACTS.values() if each.inputs == ("requests",)]
ERROR_RATE = contract("error_rate")
PARTITION = Partition("error_rate", ERROR_RATE.version, DAY)
Extract = Callable[..., None]


@pytest.fixture
def extract(
    lake: Lake, read_settings: Callable[..., list[Source]], tmp_path: Path, log_line: Callable[..., bytes]
) -> Extract:
    """Publishes requests of a source: lines at noon with the given statuses."""

    def publish(name: str, *statuses: int, revision: Revision | None = None) -> None:
        lines = [log_line(NOON + timedelta(hours=n), status=str(s)) for n, s in enumerate(statuses)]
        tmp_path.joinpath(f"{name}.log").write_bytes(b"".join(lines))
        settings = {"format": "combined", "application": name, "vantage": "edge", "files": f"{name}.log"}
        (source,) = read_settings(**{name: settings | {"allow_empty": "true"}})
        extract_day(lake, source, DAY, revision or Revision())

    return publish


@pytest.mark.parametrize("made", MADE, ids=lambda made: made.name)
def test_a_day_is_made_of_all_sources_named(
    lake: Lake, extract: Extract, made: Contract, published: Callable[..., list[dict[str, Any]]]
) -> None:
    """What is returned is what is published, of every source, and adds up to its input."""
    extract("api", 200, 500)
    extract("shop", 200, 200, 404)
    extract("other", 500)
    rows = aggregate_day(lake, made, DAY, ["api", "shop"])
    assert published(lake, made.name, DAY) == rows.to_pylist()
    assert set(rows["application"].to_pylist()) == {"api", "shop"}
    assert sum(rows[made.counts].to_pylist()) == 5


def test_the_footer_says_what_a_day_was_made_from(lake: Lake, extract: Extract) -> None:
    """Its inputs with size and digest, the SQL's digest, the rows, and the checks that held."""
    extract("api", 200, 500)
    extract("shop", 200)
    aggregate_day(lake, ERROR_RATE, DAY, ["shop", "api"])
    footer = lake.provenance(PARTITION)
    inputs = [Partition("requests", 1, DAY, name) for name in ("shop", "api")]
    assert [(each.name, each.bytes, each.sha256) for each in footer.inputs] == [
        (each.key, Path(lake.root, each.key).stat().st_size, lake.sha256(each)) for each in inputs
    ]
    assert footer.sql_sha256 == sql.digest("error_rate")
    assert (footer.rows_read, footer.rows_kept, footer.source) == (3, 3, None)
    assert [check.name for check in footer.checks] == ["contract", "sum(requests_total) = rows of requests"]


@pytest.mark.parametrize("sources", [["api", "shop"], ["shop"], []])
def test_a_missing_input_is_named(lake: Lake, extract: Extract, sources: list[str]) -> None:
    """Nothing is made of half a day, or of no source at all."""
    extract("api", 200)
    missing = "of source shop" if sources else "of any source"
    with pytest.raises(PartitionMissing, match=f"requests 2026-09-17 {missing} is not published. Build it first."):
        aggregate_day(lake, ERROR_RATE, DAY, sources)
    assert not lake.exists(PARTITION)


def test_a_missing_input_that_is_not_kept_per_source_is_named(lake: Lake) -> None:
    """Also where a dataset is made of another aggregate."""
    of_aggregate = replace(ERROR_RATE, name="weekly", inputs=("error_rate",))
    with pytest.raises(PartitionMissing, match=r"error_rate 2026-09-17 is not published. Build it first."):
        aggregate_day(lake, of_aggregate, DAY, ["api"])


def test_a_day_without_requests_is_published_without_rows(lake: Lake, extract: Extract) -> None:
    """An empty input is one too."""
    extract("api")
    assert aggregate_day(lake, ERROR_RATE, DAY, ["api"]).num_rows == 0
    assert lake.exists(PARTITION)


def test_making_a_day_twice_succeeds_and_otherwise_needs_a_revision(lake: Lake, extract: Extract) -> None:
    """The same bytes are no error; a restated input gives other ones, and a revision that names the old."""
    extract("api", 200, 200)
    assert aggregate_day(lake, ERROR_RATE, DAY, ["api"]) == aggregate_day(lake, ERROR_RATE, DAY, ["api"])
    extract("api", 200, 500, revision=Revision(1, "the log was wrong"))
    with pytest.raises(PartitionExists, match="error_rate"):
        aggregate_day(lake, ERROR_RATE, DAY, ["api"])
    rows = aggregate_day(lake, ERROR_RATE, DAY, ["api"], Revision(1, "requests were restated"))
    assert rows["server_error_requests"].to_pylist() == [1]
    footer = lake.provenance(replace(PARTITION, revision=1))
    assert (footer.supersedes, footer.reason) == (lake.sha256(PARTITION), "requests were restated")
    assert [each.name for each in footer.inputs] == [Partition("requests", 1, DAY, "api", 1).key]


def test_a_restatement_without_a_reason_is_refused(lake: Lake, extract: Extract) -> None:
    """And publishes nothing."""
    extract("api", 200)
    aggregate_day(lake, ERROR_RATE, DAY, ["api"])
    with pytest.raises(ConfigError, match="a reason belongs to every revision"):
        aggregate_day(lake, ERROR_RATE, DAY, ["api"], Revision(1))
    assert not lake.exists(replace(PARTITION, revision=1))


@pytest.mark.parametrize("rows_read", [5, 7])
def test_rows_lost_or_doubled_by_the_sql_are_found(rows_read: int) -> None:
    """A sum that isn't the number of input rows is a violation with both numbers."""
    rows = pa.table({"requests_total": [1, 5]})
    assert check_sum(ERROR_RATE, rows, 6, DAY).result == "6 rows"
    expected = f"error_rate 2026-09-17: requests_total adds up to 6, but {rows_read} rows of requests went in"
    with pytest.raises(ContractViolation, match=expected):
        check_sum(ERROR_RATE, rows, rows_read, DAY)


@pytest.mark.parametrize(
    ("select", "message"),
    [
        ("select application from requests", r"error_rate.sql yields \['application'\], its contract has"),
        ("select * from ({}) where server_error_requests = 0", "requests_total adds up to 0, but 2 rows"),
        ("select * replace (1e0 as error_rate) from ({})", "interval holds the rate"),
        ("select * from ({}) cross join range(2) as twice(n)", "yields"),
        ("select d.* from ({}) as d cross join range(2)", "adds up to 4, but 2 rows"),
    ],
)
def test_wrong_sql_publishes_nothing(
    lake: Lake, extract: Extract, monkeypatch: pytest.MonkeyPatch, select: str, message: str
) -> None:
    """Other columns, rows lost or doubled, and values that break the contract are found before publication."""
    extract("api", 200, 500)
    wrong = select.format(sql.metric("error_rate"))
    monkeypatch.setattr(sql, "metric", lambda _: wrong)
    with pytest.raises(ContractViolation, match=message):
        aggregate_day(lake, ERROR_RATE, DAY, ["api"])
    assert not lake.exists(PARTITION)


def test_a_files_name_may_hold_a_quote(tmp_path: Path) -> None:
    """The names of input files are quoted for SQL."""
    file = tmp_path / "it's.parquet"
    pq.write_table(contract("requests").schema.empty_table(), file)
    assert run_query(ERROR_RATE, {"requests": [file]}).num_rows == 0

"""Aggregation: SQL over one day's inputs, checked against them, published with what it was made from."""

import re
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etl.sources.source import Source
from etl.steps import aggregate
from etl.steps.aggregate import Rows, aggregate_day, check_sum, run_query
from etl.steps.extract import extract_day
from lake import sql
from lake.contract import Contract, Input
from lake.contracts import CONTRACTS, contract, in_build_order, is_everybodys
from lake.errors import ConfigError, ContractViolation, PartitionExists, PartitionMissing, StoreError
from lake.lake import Lake
from lake.partition import Partition
from lake.provenance import FIRST, Revision

DAY = date(2026, 9, 17)
NOON = datetime(2026, 9, 17, 12, tzinfo=UTC)
MADE = [each for each in CONTRACTS.values() if each.inputs and not each.per_source and is_everybodys(each)]
ERROR_RATE = contract("error_rate")
PARTITION = Partition("error_rate", ERROR_RATE.version, DAY)
Extract = Callable[..., Source]
Sources = Callable[..., list[Source]]


@pytest.fixture
def sources_of(read_settings: Callable[..., list[Source]]) -> Sources:
    """Returns sources of the given names, each with an undated file and an application of the same name."""

    def read(*names: str, **settings: str) -> list[Source]:
        common = {"format": "combined", "vantage": "edge", "allow_empty": "true"} | settings
        declared = {name: {"application": name, "files": f"{name}.log"} | common for name in names}
        by_name = {each.name: each for each in read_settings(**declared)} if names else {}
        return [by_name[name] for name in names]

    return read


@pytest.fixture
def extract(lake: Lake, sources_of: Sources, tmp_path: Path, log_line: Callable[..., bytes]) -> Extract:
    """Publishes requests of a source: lines at noon with the given statuses."""

    def publish(name: str, *statuses: int, revision: Revision | None = None, **settings: str) -> Source:
        lines = [log_line(NOON + timedelta(hours=n), status=str(s)) for n, s in enumerate(statuses)]
        tmp_path.joinpath(f"{name}.log").write_bytes(b"".join(lines))
        (source,) = sources_of(name, **settings)
        extract_day(lake, source, DAY, revision or Revision())
        return source

    return publish


def rate(
    lake: Lake, sources: list[Source], revision: Revision = FIRST, *, missing: Collection[str] = ()
) -> pa.Table:
    """Make all that is made of a day, and return its error rates."""
    found = {}
    for name in (each.name for each in in_build_order() if each.inputs and is_everybodys(each)):
        if contract(name).per_source:
            for each in sources:
                if each.name not in missing:
                    aggregate_day(lake, [Partition(name, 1, DAY, each.name, revision.number)], [each], revision)
        else:
            made = Partition(name, 1, DAY, None, revision.number)
            found[name] = aggregate_day(lake, [made], sources, revision, missing=missing)
    return found["error_rate"]


@pytest.mark.parametrize("made", MADE, ids=lambda made: made.name)
def test_a_day_is_made_of_all_sources_named(
    lake: Lake,
    sources_of: Sources,
    extract: Extract,
    made: Contract,
    published: Callable[..., list[dict[str, Any]]],
) -> None:
    """What is returned is what is published, of every source, and adds up to its input."""
    extract("api", 200, 500)
    extract("shop", 200, 200, 404)
    extract("other", 500)
    rate(lake, sources_of("api", "shop"))
    rows = published(lake, made.name, DAY)
    assert {each["application"] for each in rows} == {"api", "shop"}
    if made.counts:
        assert sum(each[made.counts] for each in rows) == 5


def test_the_footer_says_what_a_day_was_made_from(lake: Lake, sources_of: Sources, extract: Extract) -> None:
    """Its inputs with size and digest, the SQL's digest, the rows, and the checks that held."""
    extract("api", 200, 500)
    extract("shop", 200)
    rate(lake, sources_of("shop", "api"))
    footer = lake.provenance(PARTITION)
    inputs = [Partition("error_counts", 1, DAY)]
    inputs += [Partition("source_days", 1, DAY, name) for name in ("shop", "api")]
    assert [(each.name, each.bytes, each.sha256) for each in footer.inputs] == [
        (each.key, Path(lake.root, each.key).stat().st_size, lake.sha256(each)) for each in inputs
    ]
    assert footer.sql_sha256 == sql.digest("error_rate")
    assert (footer.rows_read, footer.rows_kept, footer.source) == (5, 5, None)
    assert footer.counted == 3
    assert [(check.name, check.result) for check in footer.checks] == [
        ("contract", "every row"),
        ("sum(requests_total) = sum(requests_total) of error_counts", "3"),
    ]


@pytest.mark.parametrize("sources", [["api", "shop"], ["shop"], []])
def test_a_missing_input_is_named(lake: Lake, sources_of: Sources, extract: Extract, sources: list[str]) -> None:
    """Nothing is made of half a day, or of no source at all."""
    extract("api", 200)
    missing = "of source shop" if sources else "of any source"
    partition = Partition("error_counts", 1, DAY)
    aggregate_day(lake, [Partition("source_counts", 1, DAY, "api")], sources_of("api"))
    with pytest.raises(PartitionMissing, match=f"source_counts 2026-09-17 {missing} is not published. Build it"):
        aggregate_day(lake, [partition], sources_of(*sources))
    assert not lake.exists(partition)


def test_a_missing_input_that_is_not_kept_per_source_is_named(lake: Lake, sources_of: Sources) -> None:
    """Also where a dataset is made of another aggregate."""
    with pytest.raises(PartitionMissing, match=r"error_counts 2026-09-17 is not published. Build it first."):
        aggregate_day(lake, [PARTITION], sources_of("api"))


def test_a_day_without_requests_is_published_without_rows(
    lake: Lake, sources_of: Sources, extract: Extract
) -> None:
    """An empty input is one too."""
    extract("api")
    assert rate(lake, sources_of("api")).num_rows == 0
    assert lake.exists(PARTITION)


def test_making_a_day_twice_succeeds_and_otherwise_needs_a_revision(
    lake: Lake, sources_of: Sources, extract: Extract
) -> None:
    """The same bytes are no error; a restated input gives other ones, and a revision that names the old."""
    extract("api", 200, 200)
    assert rate(lake, sources_of("api")) == rate(lake, sources_of("api"))
    extract("api", 200, 500, revision=Revision(1, "the log was wrong"))
    with pytest.raises(PartitionExists, match="is published with other bytes"):
        rate(lake, sources_of("api"))
    rows = rate(lake, sources_of("api"), Revision(1, "requests were restated"))
    assert rows["server_error_requests"].to_pylist() == [1]
    footer = lake.provenance(replace(PARTITION, revision=1))
    assert (footer.supersedes, footer.reason) == (lake.sha256(PARTITION), "requests were restated")
    assert [each.name for each in footer.inputs] == [
        Partition("error_counts", 1, DAY, None, 1).key,
        Partition("source_days", 1, DAY, "api", 1).key,
    ]


def test_a_restatement_without_a_reason_is_refused(lake: Lake, sources_of: Sources, extract: Extract) -> None:
    """And publishes nothing."""
    extract("api", 200)
    rate(lake, sources_of("api"))
    with pytest.raises(ConfigError, match="a reason belongs to every revision"):
        rate(lake, sources_of("api"), Revision(1))
    assert not lake.exists(replace(PARTITION, revision=1))


@pytest.mark.parametrize("rows_read", [5, 7])
def test_rows_lost_or_doubled_by_the_sql_are_found(rows_read: int) -> None:
    """A sum that isn't the number of input rows is a violation with both numbers."""
    rows = pa.table({"requests_total": [1, 5]})
    assert check_sum(ERROR_RATE, rows, 6, DAY).result == "6"
    expected = (
        "error_rate 2026-09-17: requests_total adds up to 6, "
        f"but sum(requests_total) of error_counts is {rows_read}."
    )
    with pytest.raises(ContractViolation, match=re.escape(expected)):
        check_sum(ERROR_RATE, rows, rows_read, DAY)


@pytest.mark.parametrize(
    ("select", "message"),
    [
        ("select application from error_counts", r"error_rate.sql yields \['application'\], its contract has"),
        ("select * from ({}) where server_error_requests = 0", "requests_total adds up to 0, but .* is 2"),
        ("select * replace (1e0 as error_rate) from ({})", "interval holds the rate"),
        ("select * from ({}) cross join range(2) as twice(n)", "yields"),
        ("select d.* from ({}) as d cross join range(2)", "adds up to 4, but .* is 2"),
    ],
)
def test_wrong_sql_publishes_nothing(
    lake: Lake, extract: Extract, monkeypatch: pytest.MonkeyPatch, select: str, message: str
) -> None:
    """Other columns, rows lost or doubled, and values that break the contract are found before publication."""
    api = extract("api", 200, 500)
    rate(lake, [api])
    again = replace(PARTITION, revision=1)
    wrong = select.format(sql.metric("error_rate"))
    monkeypatch.setattr(sql, "metric", lambda _: wrong)
    with pytest.raises(ContractViolation, match=message):
        aggregate_day(lake, [again], [api], Revision(1, "other SQL"))
    assert not lake.exists(again)


def test_large_inputs_give_the_same_bytes(
    lake: Lake,
    new_lake: Callable[[str], Lake],
    sources_of: Sources,
    extract: Extract,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An input that is too large to be read at once is read as it lies there: digests and counts are the same."""
    source = extract("api", 200, 500)
    rate(lake, sources_of("api"))
    other = new_lake("other")
    extract_day(other, source, DAY)
    monkeypatch.setattr(aggregate, "SMALL_BYTES", 0)
    rate(other, sources_of("api"))
    for made in (
        Partition(each.name, each.version, DAY, "api" if each.per_source else None)
        for each in CONTRACTS.values()
        if is_everybodys(each)
    ):
        assert other.sha256(made) == lake.sha256(made)


def rows_of(dataset: str, file: Path) -> Rows:
    """Return a file of a dataset as the SQL reads it, which doesn't ask for the footer."""
    return Rows(Partition(dataset, 1, DAY), file, None)  # type: ignore[arg-type]


def test_a_files_name_may_hold_a_quote(tmp_path: Path) -> None:
    """The names of input files are quoted for SQL."""
    file = tmp_path / "it's.parquet"
    pq.write_table(contract("error_counts").schema.empty_table(), file)
    found = run_query(ERROR_RATE, DAY, {"error_counts": [rows_of("error_counts", file)], "source_days": []})
    assert found.num_rows == 0


def test_a_file_that_has_gone_is_named(tmp_path: Path) -> None:
    """As when its disk is unmounted in the middle: that hinders the day, and is no defect of ours."""
    with pytest.raises(StoreError, match=r"Can't make error_rate: IO Error: No files found .*gone\.parquet"):
        run_query(
            ERROR_RATE,
            DAY,
            {"error_counts": [rows_of("error_counts", tmp_path / "gone.parquet")], "source_days": []},
        )


def test_what_a_day_lacks_stands_beside_its_rate(
    lake: Lake, extract: Extract, sources_of: Sources, caplog: pytest.LogCaptureFixture
) -> None:
    """Of the sources that a row is made of, in the row; of all, in the footer; extraction has warned of it."""
    extract("api", 200, 500, expected_hours="12-14")
    extract("shop", 200, 200, expected_hours="12-13")
    rows = rate(lake, sources_of("api", "shop")).to_pylist()
    assert [(each["application"], each["incomplete"]) for each in rows] == [
        ("api", "api: no request in UTC hours 14"),
        ("shop", None),
    ]
    assert lake.provenance(PARTITION).incomplete == "api: no request in UTC hours 14"
    assert caplog.messages == ["2026-09-17 of source api is incomplete: no request in UTC hours 14"]


def test_a_missing_source_has_a_row_without_a_rate(
    lake: Lake, extract: Extract, sources_of: Sources, caplog: pytest.LogCaptureFixture
) -> None:
    """If it may be left out: its application would otherwise just not be there."""
    aggregate._tell_missing.cache_clear()  # noqa: SLF001 - as in a process of its own
    extract("shop", 200)
    sources = sources_of("api", "shop")
    with pytest.raises(PartitionMissing, match="of source api is not published"):
        rate(lake, sources, missing=["shop"])
    rows = rate(lake, sources, missing=["api"]).to_pylist()
    shown = [(r["application"], r["requests_total"], r["error_rate"], r["hours_observed"]) for r in rows]
    assert shown == [("api", 0, None, 0), ("shop", 1, 0.0, 1)]
    assert [each["incomplete"] for each in rows] == ["api: no raw logs", None]
    assert caplog.messages == ["2026-09-17 is made without source api: no raw logs"]


def test_a_missing_source_of_many_applications_concerns_all_at_its_vantage(
    lake: Lake, extract: Extract, sources_of: Sources
) -> None:
    """Nobody knows which ones its lines would have named."""
    extract("shop", 200)
    several = {"format": "vhost_combined", "application": "field:vhost"}
    for vantage, expected in (("edge", ["several: no raw logs"]), ("origin", [None])):
        revision = Revision(1, "its vantage is another") if vantage == "origin" else Revision()
        (other,) = sources_of("several", **several, vantage=vantage)
        rows = rate(lake, [*sources_of("shop"), other], revision, missing=["several"]).to_pylist()
        assert [each["incomplete"] for each in rows] == expected


def test_a_metric_made_of_a_metric_inherits_what_is_missing(
    lake: Lake, extract: Extract, sources_of: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However far the raw logs are."""
    extract("api", 200, expected_hours="0-23")
    monkeypatch.setitem(CONTRACTS, "again", replace(ERROR_RATE, name="again", inputs=(Input("error_rate"),)))
    metric = sql.metric
    monkeypatch.setattr(sql, "metric", lambda name: "from error_rate" if name == "again" else metric(name))
    rate(lake, sources_of("api"))
    again = Partition("again", 1, DAY)
    aggregate_day(lake, [again], sources_of("api"))
    assert lake.provenance(again).incomplete == "api: no request in UTC hours 0-11, 13-23"


def test_a_day_of_several_is_made_of_those_on_which_a_source_is_active(
    lake: Lake, extract: Extract, sources_of: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others count as empty, which the day says; one that should be there and is not is named."""
    extract("api", 200, expected_hours="0-23")
    rate(lake, sources_of("api"))
    days = Input("error_rate", days=3)
    monkeypatch.setitem(CONTRACTS, "three", replace(ERROR_RATE, name="three", inputs=(days,), counts=None))
    metric = sql.metric
    query = "select * exclude (dt) replace (hour_of(dt) as hours_observed) from error_rate"
    query = query.replace("hour_of(dt)", "cast(day(dt) as smallint)")
    monkeypatch.setattr(sql, "metric", lambda name: query if name == "three" else metric(name))
    three = Partition("three", 1, DAY)
    rows = aggregate_day(lake, [three], sources_of("api", since="2026-09-17")).to_pylist()
    assert [each["hours_observed"] for each in rows] == [17]
    said = lake.provenance(three).incomplete or ""
    assert said.startswith(
        "error_rate: no source was active on 2 of 3 days; error_rate: 1 of 3 days are incomplete"
    )
    with pytest.raises(PartitionMissing, match="error_rate 2026-09-16 is not published"):
        aggregate_day(lake, [three], sources_of("api", since="2026-09-16"))

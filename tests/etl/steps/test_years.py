"""Times without a year: it comes from the file's name, an envelope or a setting, and from nothing else."""

import json
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from etl.lines import blocks
from etl.looks import identify
from etl.sources.source import Source
from etl.steps.extract import extract_day
from lake.errors import ConfigError, InputError
from lake.lake import Lake

NEW_YEAR = date(2027, 1, 1)
EVE = date(2026, 12, 31)
OWN = {
    "format": "log_format",
    "log_format": '$time_local $host $remote_addr "$request" $status',
    "timezone": "UTC",
}
ENVELOPE = {
    "format": "logfmt",
    "fields": "status = status, target = path",
    "envelope": "syslog",
    "timezone": "UTC",
}
KEYED = {"format": "json", "fields": "time = t, status = s", "timezone": "UTC"}
SHAPES = {
    "own": (OWN, '{time} web1 192.0.2.7 "GET /{n} HTTP/1.1" 50{n}'),
    "envelope": (ENVELOPE, "{time} web1 app[4242]: method=GET path=/{n} status=50{n}"),
    "key": (KEYED, '{{"t": "{time}", "s": 50{n}}}'),
}
TIMES = ("Dec 31 23:59:58", "Dec 31 23:59:59.25", "Jan  1 00:00:00", "Jan 01 00:00:01", "Jan 1 00:00:02")
Declare = Callable[..., Source]
Published = Callable[..., list[dict[str, Any]]]


@pytest.fixture(params=SHAPES)
def shape(request: pytest.FixtureRequest) -> tuple[dict[str, str], str]:
    """Settings of a source whose times have no year, and what its lines look like."""
    return SHAPES[request.param]


def _log(line: str, times: tuple[str, ...] = TIMES) -> bytes:
    return "".join(line.format(time=time, n=n) + "\n" for n, time in enumerate(times)).encode()


@pytest.mark.parametrize("worth_loading", [0, 1 << 40])
def test_the_year_is_that_of_the_files_name_right_across_new_year(  # noqa: PLR0913, PLR0917 - fixtures
    shape: tuple[dict[str, str], str],
    declare: Declare,
    lake: Lake,
    tmp_path: Path,
    published: Published,
    monkeypatch: pytest.MonkeyPatch,
    worth_loading: int,
) -> None:
    """In a file of 1 January, December is of the year before, by either parser."""
    monkeypatch.setattr(blocks, "WORTH_LOADING", worth_loading)
    settings, line = shape
    tmp_path.joinpath("app.log-20270101").write_bytes(_log(line))
    tmp_path.joinpath("app.log-20261231").write_bytes(_log(line, ("Dec 31 12:00:00",)))
    tmp_path.joinpath("app.log-20270102").write_bytes(_log(line, ("Jan  1 12:00:00",)))
    source = declare(**settings, files="app.log-{YYYY}{MM}{DD}", covers="-1 to 0")
    for day in (EVE, NEW_YEAR):
        extract_day(lake, source, day)
    assert [
        (each["ts"], each["status"]) for day in (EVE, NEW_YEAR) for each in published(lake, "requests", day)
    ] == [
        (datetime(2026, 12, 31, 12), 500),
        (datetime(2026, 12, 31, 23, 59, 58), 500),
        (datetime(2026, 12, 31, 23, 59, 59, 250_000), 501),
        (datetime(2027, 1, 1), 502),
        (datetime(2027, 1, 1, 0, 0, 1), 503),
        (datetime(2027, 1, 1, 0, 0, 2), 504),
        (datetime(2027, 1, 1, 12), 500),
    ]


@pytest.mark.parametrize("year", ["2026-07-01", "2026-12-31", "2026-01-02"])
def test_a_setting_tells_it_where_names_have_no_date(  # noqa: PLR0913, PLR0917 - fixtures
    shape: tuple[dict[str, str], str],
    declare: Declare,
    lake: Lake,
    tmp_path: Path,
    published: Published,
    year: str,
) -> None:
    """The twelve months may begin on any day; a calendar year puts January before December."""
    settings, line = shape
    tmp_path.joinpath("access.log").write_bytes(_log(line))
    extract_day(lake, declare(**settings, year=year), NEW_YEAR)
    assert len(published(lake, "requests", NEW_YEAR)) == 3
    extract_day(lake, declare(**settings, year="2026"), date(2026, 1, 1))
    assert len(published(lake, "requests", date(2026, 1, 1))) == 3


def test_an_envelope_around_it_tells_it(
    declare: Declare, lake: Lake, tmp_path: Path, published: Published
) -> None:
    """The time with a year is the one that counts, though it stands farther out."""
    settings, line = SHAPES["envelope"]
    wrapped = f"2026-12-31T23:59:59.5Z stdout F {line}"
    tmp_path.joinpath("access.log").write_bytes(_log(wrapped, TIMES[:1]))
    extract_day(lake, declare(**settings | {"envelope": "cri, syslog"}), EVE)
    assert [each["ts"] for each in published(lake, "requests", EVE)] == [
        datetime(2026, 12, 31, 23, 59, 59, 500_000)
    ]


@pytest.mark.parametrize("worth_loading", [0, 1 << 40])
@pytest.mark.parametrize("kind", ["own", "key"])
@pytest.mark.parametrize("envelope", ["cri", "docker"])
def test_an_envelope_tells_the_year_of_a_lines_own_time(  # noqa: PLR0913, PLR0917 - fixtures
    declare: Declare,
    lake: Lake,
    tmp_path: Path,
    published: Published,
    monkeypatch: pytest.MonkeyPatch,
    worth_loading: int,
    kind: str,
    envelope: str,
) -> None:
    """Each line's, the nearest one, in one file of two years; a year that is written stays."""
    monkeypatch.setattr(blocks, "WORTH_LOADING", worth_loading)
    settings, line = SHAPES[kind]
    told = (
        ("2026-12-31T23:59:59.5Z", "Dec 31 23:59:58"),
        ("2027-01-01T00:00:00.5Z", "Dec 31 23:59:59"),
        ("2026-12-31T23:59:59.5Z", "Jan  1 00:00:00"),
        ("2027-01-01T00:00:01Z", "Jan  1 00:00:00.25"),
        ("2028-01-01T00:00:01Z", "Jan  1 00:00:01 2027"),
    )
    lines = []
    for n, (outer, own) in enumerate(told):
        inner = line.format(time=own, n=n)
        wrapped = json.dumps({"log": f"{inner}\n", "stream": "stdout", "time": outer})
        lines.append(f"{outer} stdout F {inner}" if envelope == "cri" else wrapped)
    tmp_path.joinpath("access.log").write_text("\n".join(lines) + "\n")
    source = declare(**settings | {"envelope": envelope})
    extract_day(lake, source, EVE)
    extract_day(lake, source, NEW_YEAR)
    assert [each["status"] for each in published(lake, "requests", EVE)] == [500, 501]
    assert [each["status"] for each in published(lake, "requests", NEW_YEAR)] == [502, 503, 504]


def test_a_year_that_is_written_counts(declare: Declare, lake: Lake, tmp_path: Path, published: Published) -> None:
    """As some write it behind the time; 29 February is a day of leap years only."""
    settings, line = SHAPES["key"]
    times = ("Feb 28 12:00:00", "Feb 29 12:00:00 2024", "Feb 29 12:00:01")
    tmp_path.joinpath("access.log").write_bytes(_log(line, times))
    source = declare(**settings, year="2024", max_reject_rate=1)
    extract_day(lake, source, date(2024, 2, 29))
    assert len(published(lake, "requests", date(2024, 2, 29))) == 2
    extract_day(lake, declare(**settings, year="2026", max_reject_rate=1), date(2026, 2, 28))
    assert [each["reason"] for each in published(lake, "rejects", date(2026, 2, 28))] == ["time"]


def test_from_nothing_else_and_that_is_said(
    shape: tuple[dict[str, str], str], declare: Declare, lake: Lake, tmp_path: Path
) -> None:
    """Without a year the day fails, and what to set is said; that of a file's last change is not taken."""
    settings, line = shape
    tmp_path.joinpath("access.log").write_bytes(_log(line))
    with pytest.raises(InputError, match="times without a year need year, and those without an offset timezone"):
        extract_day(lake, declare(**settings), NEW_YEAR)
    tmp_path.joinpath("app.log-20270101").write_bytes(_log(line))
    dated = declare(**settings | {"timezone": "Europe/Berlin"}, files="app.log-{YYYY}{MM}{DD}")
    with pytest.raises(InputError, match="set covers = -1 to 0"):  # it knows which days these are
        extract_day(lake, dated, NEW_YEAR)


def test_a_zone_that_is_missing_is_named(declare: Declare, lake: Lake, tmp_path: Path) -> None:
    """With the year known from the name, the offset is what is asked for."""
    settings, line = SHAPES["envelope"]
    tmp_path.joinpath("app.log-20270101").write_bytes(_log(line))
    without_zone = {key: value for key, value in settings.items() if key != "timezone"}
    with pytest.raises(InputError, match="Their times have no year and no offset: set timezone"):
        extract_day(lake, declare(**without_zone, files="app.log-{YYYY}{MM}{DD}"), NEW_YEAR)


def test_the_setting_shapes_rows_of_undated_files_only(declare: Declare) -> None:
    """It is in their digest, and refused where names tell the year, or where it is none."""
    one, other = (declare(**KEYED, year=year) for year in ("2026", "2027"))
    assert not one.known_as & other.known_as
    assert not one.known_as & declare(**KEYED).known_as
    with pytest.raises(ConfigError, match="year is for files without a date in their names"):
        declare(**KEYED, year="2026", files="a-{YYYY}{MM}{DD}")
    with pytest.raises(ConfigError, match="year = 26: expected a year, or the first day of the twelve months"):
        declare(**KEYED, year="26")


@pytest.mark.parametrize(
    ("name", "wanted"), [("app.log-20270101", "files = app.log-{YYYY}{MM}{DD}"), ("app.log", "# year = YYYY")]
)
def test_identify_asks_for_a_year_that_no_name_tells(tmp_path: Path, name: str, wanted: str) -> None:
    """A section for files with dates needs none; that for others says that it is missing, and no days."""
    times = tuple(f"Jan  1 00:{n:02}:00" for n in range(9))
    log = _log('{{"time": "{time}", "method": "GET", "path": "/{n}", "status": 200}}', times)
    tmp_path.joinpath(name).write_bytes(log)
    found = identify.suggestion(identify.identify(log)[0], log, name, tmp_path)
    said = identify.section(found, "app")
    assert wanted in said
    assert "format = json" in said
    assert ("since = 2027-01-01" in said) == (name != "app.log")
    assert "1972" not in said

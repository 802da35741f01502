"""What monitors are told."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from backfill import check, options
from backfill.check import Finding, Status
from backfill.days import Day, State
from lake.errors import StoreError

NOW = datetime(2015, 5, 24, 12, tzinfo=UTC)


def finding(*states: State, warning: int = 1, critical: int = 3, reason: str | None = None) -> Finding:
    """Return what a check of days in a row found."""
    days = [Day(date(2015, 5, 17) + timedelta(days=n), state, reason) for n, state in enumerate(states)]
    return Finding("ErrorRateDaily", days, warning, critical)


@pytest.mark.parametrize(
    ("states", "status"),
    [
        ([State.THERE, State.INACTIVE, State.UNSETTLED], Status.OK),
        ([State.THERE, State.MISSING], Status.WARNING),
        ([State.SKIPPED, State.FAILED], Status.WARNING),
        ([State.SKIPPED, State.FAILED, State.NO_INPUT], Status.CRITICAL),
    ],
)
def test_late_days_are_settled_and_not_there(states, status):
    """As many of them as the thresholds say, whatever the reason."""
    assert finding(*states).status is status


def test_nagios_has_one_line_with_its_figures():
    """The text, a bar, and the figures with both thresholds; no second bar, whatever the task is called."""
    assert check.nagios(finding(State.THERE, State.THERE)) == (
        "ErrorRateDaily OK: 2 days there, 0 late | late=0;1;3;0 there=2;;;0 incomplete=0;1;;0 older=0;1;;0"
    )
    assert check.nagios(finding(*[State.MISSING] * 4)) == (
        "ErrorRateDaily CRITICAL: 0 days there, 4 late, the oldest: 2015-05-17 missing, 2015-05-18 missing, "
        "2015-05-19 missing …; see backfill status --of ErrorRateDaily --start 2015-05-17 --stop 2015-05-21 | "
        "late=4;1;3;0 there=0;;;0 incomplete=0;1;;0 older=0;1;;0"
    )
    assert check.unknown("ErrorRateDaily", StoreError("can't | read\nit")) == (
        "ErrorRateDaily UNKNOWN: can't / read it"
    )


def test_incomplete_days_are_a_warning():
    """They are there, so no more than that; each format says how many, or which."""
    days = [Day(date(2015, 5, n), State.THERE) for n in (17, 18, 19)]
    lacking = {date(2015, 5, 17): "web: 1 of 2 files", date(2015, 5, 18): "web: no raw logs"}
    found = Finding("ErrorRateDaily", days, 1, 3, lacking)
    assert found.status is Status.WARNING
    assert check.nagios(found) == (
        "ErrorRateDaily WARNING: 3 days there, 0 late, 2 incomplete, the latest: 2015-05-18 web: no raw logs; "
        "see backfill status --of ErrorRateDaily --start 2015-05-17 --stop 2015-05-20 | "
        "late=0;1;3;0 there=3;;;0 incomplete=2;1;;0 older=0;1;;0"
    )
    assert 'error_rate_lake_incomplete_days{task="ErrorRateDaily"} 2\n' in check.prometheus(found, NOW)
    cases = ET.fromstring(check.junit(found).partition("\n")[2]).findall("testcase")  # noqa: S314 - our own
    assert [case.findtext("system-out") for case in cases] == [
        "incomplete: web: 1 of 2 files",
        "incomplete: web: no raw logs",
        None,
    ]
    assert Finding("ErrorRateDaily", days, 1, 3, lacking, 3).status is Status.OK
    assert Finding("ErrorRateDaily", days, 1, 0, lacking).status is Status.CRITICAL


def test_prometheus_has_a_series_a_state_and_none_a_day():
    """However long the range is, the text is as long; every line is of the exposition format."""
    text = check.prometheus(finding(State.THERE, State.MISSING), NOW)
    longer = check.prometheus(finding(*[State.THERE] * 1000), NOW)
    assert len(text.splitlines()) == len(longer.splitlines())
    sample = re.compile(r'[a-z_]+\{task="ErrorRateDaily"(,source="[a-z]+")?(,state="[a-z ]+")?\} [0-9]+')
    assert all(line.startswith("# ") or sample.fullmatch(line) for line in text.splitlines())
    assert 'error_rate_lake_late_days{task="ErrorRateDaily"} 1\n' in text
    assert 'error_rate_lake_days{task="ErrorRateDaily",state="there"} 1\n' in text
    seconds = int(datetime(2015, 5, 18, tzinfo=UTC).timestamp())
    assert f'oldest_gap_timestamp_seconds{{task="ErrorRateDaily"}} {seconds}\n' in text
    assert f'latest_day_timestamp_seconds{{task="ErrorRateDaily"}} {seconds - 86400}\n' in text
    assert f'checked_timestamp_seconds{{task="ErrorRateDaily"}} {int(NOW.timestamp())}\n' in text


def test_the_cause_is_said_with_its_source():
    """Nagios has the first that is known, cut, and the command that says all; Prometheus counts them by source."""
    days = [
        Day(date(2015, 5, 17), State.THERE),
        Day(date(2015, 5, 18), State.MISSING),
        Day(date(2015, 5, 19), State.NO_INPUT, "no input: source api: 0 of 1 files " + "x" * 500, "api"),
        Day(date(2015, 5, 20), State.FAILED, "failed once: RequestsDaily api: broken", "api"),
    ]
    incomplete = {date(2015, 5, 17): "web: one; api: two"}
    found = Finding("A", days, 1, 9, incomplete, of="--of A", sources=["api", "web", "two"])
    said = check.nagios(found).partition(" | ")[0]
    assert "; 2015-05-19 no input: source api: 0 of 1 files xxx" in said
    assert said.endswith("xx…; see backfill status --of A --start 2015-05-17 --stop 2015-05-21")
    assert len(said) < 500
    metrics = check.prometheus(found, NOW)
    assert 'error_rate_lake_source_late_days{task="A",source="api",state="no input"} 1\n' in metrics
    assert 'error_rate_lake_source_late_days{task="A",source="api",state="failed"} 1\n' in metrics
    assert 'error_rate_lake_source_late_days{task="A",source="web",state="no input"} 0\n' in metrics
    lacking = [f'error_rate_lake_source_incomplete_days{{task="A",source="{name}"}}' for name in found.sources]
    assert [f"{each} {n}\n" in metrics for each, n in zip(lacking, (1, 1, 0), strict=True)] == [True] * 3
    late = {state for state in State if f'source="web",state="{state}"' in metrics}
    assert late == set(State) - {State.THERE, State.INACTIVE, State.UNSETTLED}


UNKNOWN_IN = {
    "nagios": ("ErrorRateDaily UNKNOWN: it broke\n",),
    "prometheus": (
        'error_rate_lake_check_succeeded{task="ErrorRateDaily"} 0\n',
        "# ErrorRateDaily UNKNOWN: it broke\n",
    ),
    "junit": ('errors="1"', "UNKNOWN: it broke"),
    "json": ('"severity": "UNKNOWN"', "UNKNOWN: it broke"),
}


@pytest.mark.parametrize("name", UNKNOWN_IN)
def test_what_is_unknown_is_said_in_every_format(tmp_path, capsys, name):
    """In the file, so that no old one is taken for today's, beside a line for people; without a file, there."""
    path = tmp_path / "out"
    path.write_text("all is well\n")
    asked = options.Check(
        of="ErrorRateDaily",
        source=None,
        json=name == "json",
        start=None,
        stop=None,
        days=14,
        format="nagios" if name == "json" else name,
        warning=1,
        critical=2,
        incomplete=1,
        unusual=False,
        output=str(path),
    )
    assert check.say_unknown(asked, StoreError("it\nbroke")) is Status.UNKNOWN
    assert capsys.readouterr().out == "ErrorRateDaily UNKNOWN: it broke\n"
    text = path.read_text()
    assert "all is well" not in text
    assert [each for each in UNKNOWN_IN[name] if each not in text] == []
    assert check.say_unknown(replace(asked, output=None), StoreError("it\nbroke")) is Status.UNKNOWN
    assert capsys.readouterr().out == text


def test_junit_has_a_case_a_day():
    """Late days fail with their reason, unsettled ones are skipped, inactive ones are none."""
    reason = "failed: <b>&\x00\x1b"
    text = check.junit(finding(State.THERE, State.FAILED, State.UNSETTLED, State.INACTIVE, reason=reason))
    suite = ET.fromstring(text.encode())  # noqa: S314 - our own
    assert suite.attrib == {"name": "ErrorRateDaily", "tests": "3", "failures": "1", "errors": "0", "skipped": "1"}
    assert [case.get("name") for case in suite] == ["2015-05-17", "2015-05-18", "2015-05-19"]
    assert [[child.tag for child in case] for case in suite] == [[], ["failure"], ["skipped"]]
    failure = suite[1][0]
    assert (failure.get("type"), failure.get("message")) == ("failed", "failed: <b>&??")


def test_a_file_is_written_as_a_whole(tmp_path: Path):
    """A reader sees the old text or the new one, and all may read it; a bad place is named."""
    path = tmp_path / "lake.prom"
    check.write(str(path), "old\n")
    with path.open() as reader:
        check.write(str(path), "new ünicode\n")
        assert (reader.read(), path.read_text()) == ("old\n", "new ünicode\n")
    assert path.stat().st_mode & 0o777 == 0o644
    assert [each.name for each in tmp_path.iterdir()] == ["lake.prom"]
    with pytest.raises(StoreError, match=r"Can.t write .*/nowhere/lake\.prom: No such file"):
        check.write(str(tmp_path / "nowhere/lake.prom"), "text")

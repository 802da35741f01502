"""Silence is judged when a day is looked at, by the weeks before it; the day's bytes don't depend on them."""

import json
from datetime import date, timedelta

import pytest

from lake.silence import BUSY

OF = ("--of", "ErrorRateDaily")
DAY = date(2026, 3, 2)
LINE = '192.0.2.7 - - [{:%d/%b/%Y}:{:02}:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "-"\n'
SAID = "web: no request in UTC hours 3, which had 50 and more in each of the 4 weeks before"


def log_of(day: date, hours: list[int]) -> str:
    """Return the log of a day, with BUSY requests in some hours."""
    return "".join(LINE.format(day, hour) * BUSY for hour in hours)


@pytest.mark.slow
def test_a_silent_hour_is_said_wherever_the_day_is_looked_at(make_project):
    """By the same hour of the four weeks before, of which one day each is there."""
    project = make_project("silent")
    project.configure(web=project.source | {"since": str(DAY - timedelta(28)), "until": str(DAY + timedelta(1))})
    logs = project.folder / "logs"
    logs.mkdir()
    weeks = [DAY - timedelta(7 * n) for n in range(5)]
    for day in weeks:
        (logs / f"{day}.log").write_text(log_of(day, [4] if day == DAY else [3, 4]))
    run = project.run("backfill", "run", *OF)
    assert "5 built" in run.stdout
    assert "incomplete:" not in run.stderr
    of_day = (*OF, "--start", str(DAY))
    status = project.run("backfill", "status", *of_day).stdout
    assert "■ 1 there (□ 1 incomplete)" in status
    assert f"2026-03-02  incomplete: {SAID}" in status
    assert json.loads(project.run("backfill", "status", *of_day, "--json").stdout)["incomplete"] == {
        str(DAY): SAID
    }
    check = project.run("backfill", "check", *of_day)
    assert (check.returncode, f"1 incomplete, the latest: 2026-03-02 {SAID[:40]}" in check.stdout) == (1, True)
    assert "incomplete=1;1;;0" in check.stdout
    assert f"Incomplete: {SAID}" in project.run("backfill", "explain", *OF, "--date", str(DAY)).stdout
    view = project.run("lake", "sql", "--csv", "select source, dt, hour from silent_hours").stdout
    assert view.splitlines()[1:] == ["web,2026-03-02,3"]
    project.run("lake", "report", "-o", "report.html")
    page = (project.folder / "report.html").read_text()
    assert SAID.removeprefix("web: ") in page
    assert "all of source web" in page
    before = project.published()
    project.run("backfill", "status", *OF)
    assert project.published() == before
    whole = project.run("lake", "sql", "--csv", "select distinct incomplete is null from error_rate").stdout
    assert whole.splitlines()[1:] == ["true"]

"""Rotation: which days a log's files hold, as their own first and last lines show it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from etl.looks import identify

LINE = '192.0.2.7 - - [{:%d/%b/%Y:%H:%M:%S} {}] "GET / HTTP/1.1" 200 1 "-" "x"\n'
NAMES = {n: f"access.log-202609{n}" for n in range(10, 31)}


def _lines(begin: str, end: str, offset: str = "+0000") -> str:
    """Return a line each three hours from one time of September to another, local ones as DD HH."""
    at, stop = (datetime.strptime(f"2026 09 {each}", "%Y %m %d %H") for each in (begin, end))  # noqa: DTZ007 - local
    lines = []
    while at < stop:
        lines.append(LINE.format(at, offset))
        at += timedelta(hours=3)
    return "".join(lines)


def _settings(folder: Path, files: Mapping[str, str]) -> Mapping[str, str]:
    for name, text in files.items():
        (folder / name).write_text(text)
    head = next(reversed(files.values())).encode()
    return identify.suggestion(identify.identify(head)[0], head, next(reversed(files)), folder).settings


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({NAMES[n]: _lines(f"{n} 00", f"{n} 23") for n in (16, 17, 18)}, {"covers": None, "since": "2026-09-16"}),
        ({NAMES[n]: _lines(f"{n - 1} 00", f"{n - 1} 23") for n in (16, 17)}, {"covers": "-1 to 0"}),
        ({NAMES[n]: _lines(f"{n - 1} 07", f"{n} 06") for n in (16, 17)}, {"covers": "-1 to 0"}),
        ({NAMES[n]: _lines(f"{n} 00", f"{n} 23", "+0800") for n in (16, 17)}, {"covers": "-1 to 0"}),
        ({NAMES[n]: _lines(f"{n} 09", f"{n} 12", "+0800") for n in (16, 17)}, {"covers": "-1 to 0"}),
        ({NAMES[n]: _lines(f"{n} 03", f"{n} 12", "-0500") for n in (16, 17)}, {"covers": "0 to 1"}),
        (
            {NAMES[n]: _lines(f"{n - 7} 03", f"{n} 03") for n in (20, 27)},
            {"files": "access.log-*", "covers": None},
        ),
        (
            {NAMES[n]: _lines(f"{n - 1} 00", f"{n - 1} 23") for n in (16, 17)}
            | {"access.log": _lines("17 00", "17 09")},
            {"files": "access.log*", "covers": None, "since": "2026-09-15"},
        ),
        (
            {"access.log": _lines("18 00", "18 09"), "access.log.2": _lines("16 00", "16 09")},
            {"files": "access.log*", "since": "2026-09-16"},
        ),
    ],
)
def test_what_files_cover_is_told_by_their_lines(
    tmp_path: Path, files: Mapping[str, str], expected: dict[str, str | None]
) -> None:
    """Named by the day of their lines or of the next, cut at midnight or not, in UTC or not, daily or weekly."""
    found = _settings(tmp_path, files)
    assert {key: found.get(key) for key in expected} == expected


def test_times_without_an_offset_are_taken_for_utc(tmp_path: Path) -> None:
    """The days of names are those of lines, so no day waits for the file of the next one."""
    line = '{{"time": "2026-09-{}T10:00:00", "status": 200}}\n'
    for n in (16, 17):
        (tmp_path / NAMES[n]).write_text(line.format(n) * 3)
    head = line.format(17).encode()
    found = identify.suggestion(identify.identify(head)[0], head, NAMES[17], tmp_path)
    assert found.settings.keys() & {"covers", "timezone"} == {"timezone"}
    assert (found.settings["since"], found.settings["timezone"]) == ("2026-09-16", "UTC")
    assert "# (and then also say: covers = -1 to 1)\ntimezone = UTC\n" in identify.section(found, "web")


@pytest.mark.parametrize(
    ("lines", "files"),
    [
        (_lines("16 12", "17 06"), "access.log-*"),
        (_lines("16 03", "16 23"), "access.log-{YYYY}{MM}{DD}"),
        (_lines("17 03", "17 23"), "access.log-{YYYY}{MM}{DD}"),
    ],
)
def test_one_file_with_lines_of_two_days_may_hold_any(tmp_path: Path, lines: str, files: str) -> None:
    """What the next ones hold is unknown, and no day waits for a file that may never come."""
    name = NAMES[16]
    (tmp_path / name).write_text(lines)
    head = lines.encode()
    found = identify.suggestion(identify.identify(head)[0], head, name, tmp_path)
    assert found.settings["files"] == files
    assert ("files" in found.comments) == ("*" in files)
    if "*" in files:
        assert "# a guess by one file: any file may hold any day." in identify.section(found, "web")

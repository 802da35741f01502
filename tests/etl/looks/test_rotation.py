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


def test_times_without_an_offset_may_be_of_the_days_beside(tmp_path: Path) -> None:
    """Until it is known which time zone they are in, a day also waits for the files beside its own."""
    line = '{{"time": "2026-09-{}T10:00:00", "status": 200}}\n'
    found = _settings(tmp_path, {NAMES[n]: line.format(n) * 3 for n in (16, 17)})
    assert (found["covers"], found["since"]) == ("-1 to 1", "2026-09-16")

"""Rejects read again: what today's settings make of lines that were none when their day was published."""

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from etl.lines.parse import DIRECTIVE, NOISE
from etl.looks import replay
from etl.looks.replay import CHANGED, GONE, NO_REJECT, Tally, Verdict
from etl.sources.source import Source
from etl.steps.extract import extract_day
from lake.contracts import contract
from lake.errors import InputError, StoreError
from lake.lake import Lake
from lake.provenance import Revision

DAY = date(2026, 9, 17)
Declare = Callable[..., Source]
LOOSE = {"format": "json", "max_reject_rate": 1}
JSON = (
    b'{"time_iso8601": "2026-09-17T10:05:03Z", "status": 200}\n'
    b'{"time_iso8601": "2026-09-17T10:05:04", "status": 200, "request_method": "GET", "request_uri": "/a"}\n'
    b"no json\n"
    b'{"time_iso8601": "2026-09-17T00:05:05", "status": 500}\n'
    b'{"time_iso8601": "2026-09-17T10:05:06", "status": "none"}\n'
)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """access.log."""
    path = tmp_path / "access.log"
    path.write_bytes(JSON)
    return path


def _verdicts(lake: Lake, source: Source, day: date = DAY) -> list[Verdict]:
    return list(replay.replay(lake, source, replay.published_rejects(lake, source, day)))


def _told(verdicts: list[Verdict]) -> list[tuple[int, str, Any]]:
    return [(each.line_number, each.was, each.reason or each.neither or each.row) for each in verdicts]


def test_the_same_code_and_settings_give_the_same_verdicts(lake: Lake, declare: Declare, log: Path) -> None:
    """Each is a reject for the reason that it was."""
    extract_day(lake, declare(**LOOSE), DAY)
    found = _verdicts(lake, declare(**LOOSE))
    assert _told(found) == [(2, "time", "time"), (3, "shape", "shape"), (4, "time", "time"), (5, "time", "time")]
    assert {each.file for each in found} == {"access.log"}
    assert [each.line for each in found] == JSON.splitlines(keepends=True)[1:]
    assert found[1].masked_line == "xx xxxx"


def test_a_time_zone_makes_requests_of_rejects(lake: Lake, declare: Declare, log: Path) -> None:
    """With a setting that came later some are rows, maybe of other days, and others rejects for another reason."""
    extract_day(lake, declare(**LOOSE), DAY)
    found = _verdicts(lake, declare(**LOOSE, timezone="Europe/Berlin"))
    assert [each.reason for each in found] == [None, "shape", None, "status"]
    rows = [each.row for each in found if each.row]
    assert [(row["ts"], row["method"], row["path"], row["status"]) for row in rows] == [
        (datetime(2026, 9, 17, 8, 5, 4), "GET", "/a", 200),
        (datetime(2026, 9, 16, 22, 5, 5), None, None, 500),
    ]
    tally = replay.tally(found, 3)
    assert (tally.rows, tally.neither, tally.rejects, tally.total) == (2, 0, 2, 4)
    assert tally.days == {DAY, date(2026, 9, 16)}
    assert tally.first == [found[0], found[2], found[1]]
    assert replay.tally([], 3) == Tally()
    assert not replay.tally(found, 0).first


def test_a_day_is_restated_with_what_is_made_from_it(lake: Lake, declare: Declare, log: Path) -> None:
    """A day that is not published yet is built. The latest revision is read."""
    source = declare(**LOOSE)
    extract_day(lake, source, DAY)
    extract_day(lake, declare(**LOOSE, timezone="UTC"), DAY, Revision(1, "times in UTC"))
    restated = f'backfill restate --of RequestsDaily --source web --date {DAY} --reason "…"'
    assert replay.restatement(lake, source, DAY) == restated
    built = "luigi RequestsDaily --source web --date 2026-09-16"
    assert replay.restatement(lake, source, date(2026, 9, 16)) == built
    assert replay.published_rejects(lake, source, DAY).revision == 1
    assert [each.was for each in _verdicts(lake, source)] == ["shape", "status"]


def test_header_and_file_day_count(lake: Lake, declare: Declare, tmp_path: Path) -> None:
    """Lines of a headed format mean what the header before them says; a day too far off is still too far."""
    settings: dict[str, Any] = {"format": "w3c", "files": "{YYYY}{MM}{DD}.log", "max_reject_rate": 1}
    (tmp_path / "20260917.log").write_bytes(
        b"#Fields: date time sc-status\n2026-09-17 10:05:03 2oo\n2026-09-18 00:05:03 200\n"
        b"2026-09-18 00:05:04 2oo\n"
        b"#Comment: none\n#Fields: sc-status date time\n200 2026-09-17 10:05:03\nx 2026-09-17 10:05:04\n"
    )
    extract_day(lake, declare(**settings), DAY)
    same = [(2, "status", "status"), (3, "wrong_day", "wrong_day"), (4, "status", "status")]
    same += [(5, "shape", "shape"), (8, "status", "status")]
    assert _told(_verdicts(lake, declare(**settings))) == same
    found = _verdicts(lake, declare(**settings, neighbour_days=1))
    assert [each.line_number for each in found if each.row] == [3]
    found = _verdicts(lake, declare(**settings | {"format": "combined"}))
    assert {each.reason for each in found} == {"shape"}


def test_rejects_that_are_directives_now_are_neither(lake: Lake, declare: Declare, log: Path) -> None:
    """A header is no request, and no reject of a format that has headers."""
    log.write_bytes(b"#Version: 1.0\n" + JSON)
    extract_day(lake, declare(**LOOSE), DAY)
    found = _verdicts(lake, declare(format="w3c"))
    assert [each.neither for each in found] == [NO_REJECT[DIRECTIVE], None, None, None, None]
    assert replay.tally(found, 9).first[0].line == b"#Version: 1.0\n"


def test_what_became_of_the_raw_file_is_said(lake: Lake, declare: Declare, log: Path) -> None:
    """A line that is another now, one that is not there any more, and a file that isn't."""
    extract_day(lake, declare(**LOOSE), DAY)
    log.write_bytes(
        JSON.replace(b"no json", b"other json").partition(b'{"time_iso8601": "2026-09-17T10:05:06"')[0]
    )
    found = _verdicts(lake, declare(**LOOSE))
    assert _told(found) == [(2, "time", "time"), (3, "shape", CHANGED), (4, "time", "time"), (5, "time", CHANGED)]
    log.unlink()
    assert {each.neither for each in _verdicts(lake, declare(**LOOSE))} == {GONE}
    assert replay.tally(_verdicts(lake, declare(**LOOSE)), 1).neither == 4


def test_each_file_is_read_once_and_no_further_than_needed(
    lake: Lake, declare: Declare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several files of a day, in blocks of any size."""
    first = JSON.splitlines(keepends=True)[0]
    for name, lines in (("a.log", JSON), ("b.log", first), ("c.log", JSON + first)):
        (tmp_path / name).write_bytes(lines)
    source = declare(**LOOSE, files="?.log")
    extract_day(lake, source, DAY)
    expected = _verdicts(lake, source)
    monkeypatch.setattr("etl.raw.reading.BLOCK_BYTES", 100)
    opened: list[Any] = []
    monkeypatch.setattr(
        replay, "RawReader", lambda *args, make=replay.RawReader: opened.append(args) or make(*args)
    )
    assert _verdicts(lake, source) == expected
    assert [(file.name, url) for file, url in opened] == [("a.log", None), ("c.log", None)]
    with (tmp_path / "c.log").open("ab") as file:
        file.write(JSON * 100)
    assert _verdicts(lake, source) == expected


def test_a_day_that_is_not_there_cannot_be_read(lake: Lake, declare: Declare, log: Path) -> None:
    """A StoreError names the day and what to do; so it does for a file that is no Parquet."""
    source = declare(**LOOSE)
    with pytest.raises(StoreError, match=r"no rejects of source web on 2026-09-17\. Build the day first: luigi"):
        replay.published_rejects(lake, source, DAY)
    extract_day(lake, source, DAY)
    with pytest.raises(StoreError, match="no rejects of source web on 2026-09-18"):
        replay.published_rejects(lake, source, date(2026, 9, 18))
    partition = lake.latest_of_day(contract("rejects"), DAY)[0]
    path = Path(lake.root) / partition.key
    path.chmod(0o644)
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(StoreError, match="is no Parquet file"):
        list(replay.replay(lake, source, partition))


def test_a_broken_raw_file_is_named(lake: Lake, declare: Declare, log: Path) -> None:
    """As at its extraction."""
    source = declare(**LOOSE)
    extract_day(lake, source, DAY)
    log.write_bytes(b"\x1f\x8b" + JSON)
    with pytest.raises(InputError, match=r"access\.log: the gzip stream is cut off or damaged"):
        _verdicts(lake, source)


def test_rejects_in_envelopes_are_read_again(lake: Lake, declare: Declare, log: Path) -> None:
    """By their raw line numbers, without the envelope; what is declared noise by now is neither."""
    cri = b"2026-09-17T12:00:00Z stdout %s %s\n"
    good = b'- - - [17/Sep/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "-"'
    bad = b'2026/09/17 12:00:00 [error] 7#7: *1 open() "/x" failed'
    log.write_bytes(b"".join(cri % each for each in ((b"F", good), (b"P", b"cut "), (b"F", b"off"), (b"F", bad))))
    usual = {"format": "combined", "envelope": "cri", "max_reject_rate": 1}
    extract_day(lake, declare(**usual), DAY)
    assert [(each.line_number, each.reason, each.line) for each in _verdicts(lake, declare(**usual))] == [
        (3, "shape", b"cut off\n"),
        (4, "shape", bad + b"\n"),
    ]
    found = _verdicts(lake, declare(**usual, noise="nginx"))
    assert [each.neither for each in found] == [None, NO_REJECT[NOISE]]

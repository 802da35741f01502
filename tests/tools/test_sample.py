"""The sample logs: the same each time, and with something to find in them."""

import hashlib
import re
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from tools import sample

from etl.lines.formats import FORMATS
from etl.lines.parse import ACCEPTED, parse_lines, split_lines
from etl.lines.places import places_of
from etl.lines.privacy import mask_line


def _digests(folder: Path) -> dict[str, str]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_sample_is_the_same_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second run writes the same bytes: four files a day of api, one a rotation of shop, one of docs."""
    monkeypatch.setattr(sample, "DAYS", 2)
    sample.write_all(tmp_path / "one")
    sample.write_all(tmp_path / "two")
    assert _digests(tmp_path / "one") == _digests(tmp_path / "two")
    assert len(_digests(tmp_path / "one")) == 2 * 4 + 5 + 1 + 1  # the deploys, too
    times_in_gzip_headers = {path.read_bytes()[4:8] for path in tmp_path.rglob("*.gz")}
    assert times_in_gzip_headers == {b"\0\0\0\0"}


@pytest.mark.parametrize(
    ("application", "format_name"),
    [(sample.API, "common"), (sample.DOCS, "combined"), (sample.SHOP, "vhost_combined")],
    ids=lambda each: getattr(each, "name", each),
)
def test_each_application_writes_its_format_with_a_few_malformed_lines(
    application: sample.Application, format_name: str
) -> None:
    """Nearly all lines are of the format that luigi.cfg says, and some are not."""
    days = [sample.FIRST_DAY + timedelta(days=n) for n in range(12_000 // application.daily)]
    log = "".join(f"{line}\n" for day in days for _, line in sample.lines(application, day))
    parsed = parse_lines(split_lines(log.encode()), FORMATS[format_name])
    malformed = int((parsed.reasons != ACCEPTED).sum())
    assert 0 < malformed < len(parsed.lines) / 500


def test_no_glued_line_of_the_sample_shows_an_address() -> None:
    """Some are cut in their time's offset, and the next one begins with an address: no digit is kept."""
    days = [sample.FIRST_DAY + timedelta(days=n) for n in range(sample.DAYS)]
    lines = [line for app in (sample.API, sample.DOCS) for day in days for _, line in sample.lines(app, day)]
    glued = [line for line in lines if re.search(r" [+-]\d{4}:", line)]
    assert glued
    for line in glued:
        masked = mask_line(line.encode(), places_of(FORMATS["combined"]))
        assert not set(masked) & set("012345678"), masked


def test_the_shop_has_an_incident_on_one_day() -> None:
    """On that day far more of its requests fail than on the day before."""
    failed = [
        sum(request.status >= 500 for request in sample.requests(sample.SHOP, sample.INCIDENT[0].date() - ago))
        for ago in (timedelta(0), timedelta(days=1))
    ]
    assert failed[0] > 5 * failed[1] > 0


def test_the_command_writes_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is there is left alone, and nothing unfinished stays behind."""
    monkeypatch.setattr(sample, "DAYS", 1)
    monkeypatch.setattr(sys, "argv", ["sample", str(tmp_path / "logs")])
    sample.main()
    written = _digests(tmp_path / "logs")
    assert written
    tmp_path.joinpath("logs", "docs.log.gz").unlink()
    sample.main()
    assert _digests(tmp_path / "logs").keys() == written.keys() - {"docs.log.gz"}
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]
    assert "are in" in capsys.readouterr().out.splitlines()[-1]

"""What the tests of etl share: lines, sources, lakes, and the reference parser."""

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from etl.lines import blocks
from etl.sources.sections import read_sources
from etl.sources.source import Source
from lake import config
from lake.contracts import contract
from lake.lake import Lake, open_store


def _log_line(  # noqa: PLR0913 - as many fields as a line has
    time: datetime | str,
    *,
    vhost: str = "",
    client: str = "192.0.2.7",
    user: str = "-",
    request: str = "GET / HTTP/1.1",
    status: str = "200",
    size: str = "512",
    tail: str | None = ' "-" "curl/8.16.0"',
) -> bytes:
    shown = time if isinstance(time, str) else time.strftime("%d/%b/%Y:%H:%M:%S +0000")
    line = f'{vhost + " " if vhost else ""}{client} - {user} [{shown}] "{request}" {status} {size}{tail or ""}\n'
    return line.encode("latin-1")


@pytest.fixture(autouse=True)
def has_read_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which parser a small file gets depends on what the process has read before, here on the test alone."""
    monkeypatch.setattr(blocks, "_bytes_read", 0)


@pytest.fixture(scope="session")
def log_line() -> Callable[..., bytes]:
    """Makes one line of format combined (vhost_combined with a vhost, common without tail) with its LF."""
    return _log_line


@pytest.fixture
def read_settings(tmp_path: Path) -> Callable[..., list[Source]]:
    """Reads the sources of a luigi.cfg with the given sections, made of keys and values."""

    def read(**sections: dict[str, Any]) -> list[Source]:
        path = tmp_path / "luigi.cfg"
        path.write_text(
            "[lake]\nroot = lake\n"
            + "".join(
                f"[source.{name}]\n" + "".join(f"{key} = {value}\n" for key, value in settings.items())
                for name, settings in sections.items()
            )
        )
        return read_sources(config.read(path))

    return read


@pytest.fixture
def declare(read_settings: Callable[..., list[Source]]) -> Callable[..., Source]:
    """Declares the source `web`: combined lines in access.log, but for the settings given."""

    def source(**settings: Any) -> Source:
        usual = {"format": "combined", "files": "access.log", "application": "web", "vantage": "origin"}
        return read_settings(web=usual | settings)[0]

    return source


@pytest.fixture
def new_lake(tmp_path: Path) -> Callable[[str], Lake]:
    """Makes an empty lake in a folder of that name."""
    return lambda name: Lake(open_store(str(tmp_path / name)))


@pytest.fixture
def lake(new_lake: Callable[[str], Lake]) -> Lake:
    """An empty lake."""
    return new_lake("lake")


@pytest.fixture(scope="session")
def published() -> Callable[..., list[dict[str, Any]]]:
    """Reads the rows of a day's latest partitions of a dataset."""

    def rows(lake: Lake, dataset: str, day: date) -> list[dict[str, Any]]:
        files = [Path(lake.root) / partition.key for partition in lake.latest_of_day(contract(dataset), day)]
        return [row for file in files for row in pq.ParquetFile(file).read().to_pylist()]

    return rows

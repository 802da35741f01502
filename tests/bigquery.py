"""A stand-in for BigQuery to test against: bqemulator, on this machine only, a process for the whole session.

`make test-stores` installs it beside the environment that the tests run in, whose versions are others. Without it
such a test is skipped, or fails if `STORES` is set.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

if TYPE_CHECKING:
    from google.cloud import bigquery

PROJECT = "lake-test"
NUMBERS = count()
START_SECONDS = 60
ENVIRONMENT = Path(f"{sys.prefix}-bigquery")


class Emulator:
    """bqemulator, with what is in it in memory.

    Attributes:
        url: Where it listens on 127.0.0.1.
        port: The port of it.
    """

    def __init__(self, folder: Path, port: int) -> None:
        import duckdb

        (spatial,) = ENVIRONMENT.glob("lib/python3*/site-packages/duckdb_extension_spatial/extensions/*/*")
        ((platform,),) = duckdb.sql("pragma platform").fetchall()
        extensions = folder / ".duckdb/extensions" / spatial.parent.name / platform
        extensions.mkdir(parents=True)
        (extensions / spatial.name).symlink_to(spatial)
        self.port, self.url = port, f"http://127.0.0.1:{port}"
        command = [ENVIRONMENT / "bin/bqemulator", "start", "--ephemeral", "--log-level", "error"]
        command += ["--rest-port", str(port), "--grpc-port", "0"]
        # DuckDB looks for other extensions elsewhere, and there is no way
        environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "HTTP_PROXY": "http://127.0.0.1:1"}
        environment["TMPDIR"] = str(folder)  # it keeps uploads in a folder there that all users' would be
        with (folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self._process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, f"bqemulator does not answer: {folder / 'log'}"
            time.sleep(0.1)

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/bigquery/v2/projects/{PROJECT}/datasets", timeout=5).ok
        except requests.RequestException:
            return False


class Dataset:
    """A dataset of its own there.

    Attributes:
        url: Where it is, as luigi.cfg may have it.
        client: Asks there, whatever the environment says.
    """

    def __init__(self, emulator: Emulator, name: str) -> None:
        from google.api_core.client_options import ClientOptions
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import bigquery

        self.emulator, self.name = emulator, f"{PROJECT}.{name}"
        self.url = f"bigquery://{PROJECT}/{name}"
        self.client = bigquery.Client(
            PROJECT,
            credentials=AnonymousCredentials(),
            client_options=ClientOptions(api_endpoint=emulator.url),
            default_query_job_config=bigquery.QueryJobConfig(default_dataset=self.name),
        )
        self.client.create_dataset(self.name)

    def ask(self, *statements: str) -> list[tuple[Any, ...]]:
        """Do statements, one after the other, and return the rows of the last one."""
        for each in statements:
            rows = self.client.query(each, retry=None, job_retry=None).result(retry=None, job_retry=None)
        return [tuple(row) for row in rows]

    def tables(self) -> list[str]:
        """Return the names of its tables."""
        return sorted(each.table_id for each in self.client.list_tables(self.name))

    def table(self, name: str = "error_rate") -> "bigquery.Table":
        """Return a table."""
        return self.client.get_table(f"{self.name}.{name}")


@pytest.fixture(scope="session")
def bigquery_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """A stand-in of this session; a skip where it is not installed, but in `make test-stores`."""
    from s3_servers import free_ports

    is_there = (ENVIRONMENT / "bin/bqemulator").is_file()
    if not is_there and not os.environ.get("STORES"):
        pytest.skip("bqemulator is not installed: make test-stores installs it")
    assert is_there, f"bqemulator is not installed in {ENVIRONMENT}"
    made = Emulator(tmp_path_factory.mktemp("bigquery"), next(free_ports()))
    yield made
    made.stop()


@pytest.fixture
def dataset(bigquery_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """An empty dataset, where Google's client looks in this process."""
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", bigquery_emulator.url)
    return Dataset(bigquery_emulator, f"figures_{next(NUMBERS)}")

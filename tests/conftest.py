"""What tests of several folders share: a project in a folder of its own, and its commands."""

import configparser
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest

if TYPE_CHECKING:
    import pyarrow as pa

    from lake.lake import Lake
    from lake.partition import Partition
    from lake.provenance import Provenance

TESTS = Path(__file__).parent
sys.path += [str(TESTS), str(TESTS / "etl" / "lines")]  # tests are no package
PLUGINS = [
    "bigquery",
    "containers",
    "elastic",
    "faulty",
    "graphite_server",
    "mongo",
    "postgres",
    "s3_servers",
    "wheels",
]
pytest.register_assert_rewrite(*PLUGINS)  # before they are imported
from commands import COMMANDS, Template  # noqa: E402 - tests are no package
from s3_servers import KEYS, make_bucket  # noqa: E402 - so they are rewritten

pytest_plugins = PLUGINS
REPOSITORY = Path(__file__).parent.parent
FIRST_DAY = date(2015, 5, 17)


@dataclass(frozen=True)
class Project:
    """A folder with a luigi.cfg and raw logs, and the commands run in it.

    Attributes:
        folder: Where it is.
        environment: That of its commands.
        template: What its commands are forks of; None has each be a process of its own from the start.
    """

    folder: Path
    environment: dict[str, str]
    template: Template | None
    source: ClassVar = {
        "format": "combined",
        "files": "logs/{YYYY}-{MM}-{DD}.log",
        "application": "shop",
        "vantage": "origin",
        "since": "2015-05-17",
        "until": "2015-05-21",
    }

    def configure(self, lake: dict[str, str] | None = None, **sources: dict[str, str]) -> None:
        """Write luigi.cfg; without arguments, a local lake and one source of four days."""
        sections = {"lake": lake or {"root": "lake"}}
        sections |= {f"source.{name}": values for name, values in (sources or {"web": self.source}).items()}
        text = "".join(
            f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in values.items()) + "\n"
            for name, values in sections.items()
        )
        (self.folder / "luigi.cfg").write_text(text, encoding="utf-8")

    def lake(self) -> dict[str, str]:
        """Return what luigi.cfg says of the lake."""
        parser = configparser.ConfigParser()
        parser.read(self.folder / "luigi.cfg")
        return dict(parser["lake"])

    def write_logs(self, days: int = 4, lines: int = 3) -> None:
        """Write a file a day, each line answered 200 but the last, which is a 500."""
        (self.folder / "logs").mkdir(exist_ok=True)
        for n in range(days):
            day = FIRST_DAY + timedelta(days=n)
            text = "".join(
                f'192.0.2.1 - - [{day:%d/%b/%Y}:{hour:02}:00:00 +0000] "GET /{hour} HTTP/1.1" '
                f'{500 if hour == lines - 1 else 200} 10 "-" "curl"\n'
                for hour in range(lines)
            )
            (self.folder / f"logs/{day}.log").write_text(text, encoding="utf-8")

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the installed environment in the folder; in another time zone, always on its own."""
        if self.template and command[0] in COMMANDS and "TZ" not in environment:
            return self.template.run(command, self.folder, self.environment | environment)
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def anew(self) -> "Project":
        """Return the project with commands that are processes of their own from the start, as a user's are."""
        return replace(self, template=None)

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start a command of the installed environment in the folder."""
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def published(self) -> dict[str, bytes]:
        """Return the local lake's files by key."""
        lake = self.folder / "lake"
        return {str(path.relative_to(lake)): path.read_bytes() for path in sorted(lake.rglob("*.parquet"))}


STORES = {"bigquery_emulator", "elastic_server", "graphite_server", "mongo_server", "postgres_server"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the longest tests begin first, and mark those that ask another store."""
    for item in items:
        if STORES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("stores")
    items.sort(key=lambda item: item.get_closest_marker("longest") is None)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Template]:
    """Return the process that projects' commands are forks of."""
    made = Template(tmp_path_factory.mktemp("commands"))
    yield made
    made.end()


@pytest.fixture
def make_project(tmp_path: Path, template: Template) -> Callable[[str], Project]:
    """Return a function that makes a project in a new folder."""
    scripts = Path(sys.executable).parent
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "LUIGI_"))}
    environment |= {"PATH": f"{scripts}:{environment['PATH']}", "AWS_EC2_METADATA_DISABLED": "true"}

    def make(name: str) -> Project:
        folder = tmp_path / name
        folder.mkdir()
        made = Project(folder, environment | {"HOME": str(tmp_path)}, template)
        made.configure()
        return made

    return make


@pytest.fixture
def a_project(make_project: Callable[[str], Project]) -> Project:
    """Return a project with four days of logs and a local lake."""
    made = make_project("project")
    made.write_logs()
    return made


@pytest.fixture
def in_project(a_project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Return the same project, being also that of this process."""
    monkeypatch.setenv("LUIGI_CONFIG_PATH", str(a_project.folder / "luigi.cfg"))
    return a_project


@pytest.fixture
def on_s3(a_project: Project, moto_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Return the project with its lake in a bucket of its own."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    bucket = f"bucket-{abs(hash(tmp_path)):x}"
    make_bucket(moto_url, bucket)
    made = replace(a_project, environment=a_project.environment | KEYS)
    made.configure(lake={"root": f"s3://{bucket}/some/prefix", "endpoint_url": moto_url})
    return made


@pytest.fixture(scope="session")
def cache_homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Yield folders that are not there yet, one after the other."""
    folder = tmp_path_factory.mktemp("caches")
    return (folder / str(number) for number in count())


@pytest.fixture(autouse=True)
def cache_home(cache_homes: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where this test's lakes are kept, which is nobody's home."""
    found = next(cache_homes)
    monkeypatch.setenv("XDG_CACHE_HOME", str(found))
    return found


@pytest.fixture(scope="session")
def real_log() -> Path:
    """Return the real log beside the checkout, where there is one."""
    path = REPOSITORY.parent / "shared/data/semicomplete.access.log.gz"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    return path


@pytest.fixture
def sample_project(make_project: Callable[[str], Project]) -> Project:
    """Return a project with the repository's own luigi.cfg."""
    made = make_project("sample")
    shutil.copy(REPOSITORY / "luigi.cfg", made.folder)
    return made


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> datetime:
    """Return the time that tasks are told: day 2015-05-19 is the latest settled one."""
    from etl import clock

    noon = datetime(2015, 5, 20, 12, tzinfo=UTC)
    monkeypatch.setattr(clock, "utc_now", lambda: noon)
    return noon


@pytest.fixture
def build() -> Callable[..., bool]:
    """Return a function that has Luigi build tasks in this process, and tells whether all went well."""
    import luigi

    from backfill.engines.local.registration import register

    register()

    def run(*tasks: luigi.Task) -> bool:
        return luigi.build(tasks, local_scheduler=True, log_level="CRITICAL", no_lock=True)

    return run


@pytest.fixture(scope="session")
def spark() -> None:
    """Skip what needs Spark where there is none."""
    if not find_spec("pyspark"):
        pytest.skip("pyspark is not installed here: make test-spark")
    if not shutil.which("java") and "JAVA_HOME" not in os.environ:
        pytest.skip("Spark needs Java, and there is none here")


@pytest.fixture(scope="session")
def provenance_of() -> "Callable[..., Provenance]":
    """Makes the provenance of a partition."""
    from lake.provenance import Input, Provenance

    def make(partition: "Partition", rows: int = 0) -> "Provenance":
        return Provenance(
            dataset=partition.dataset,
            version=partition.version,
            dt=partition.dt.isoformat(),
            source=partition.source,
            revision=partition.revision,
            inputs=(Input("logs/a.log", 3, "00ff"),),
            rows_read=rows,
            rows_kept=rows,
            rows_rejected=0,
            rows_of_other_days=0,
            code_version="test",
            checks=(),
        )

    return make


@pytest.fixture(scope="session")
def publish(provenance_of: "Callable[..., Provenance]") -> "Callable[[Lake, Partition, pa.Table], bool]":
    """Publishes rows under the contract of the partition's dataset."""
    from lake.contracts import CONTRACTS

    def published(lake: "Lake", partition: "Partition", table: "pa.Table") -> bool:
        contract = CONTRACTS[partition.dataset]
        with lake.staging() as folder, lake.writer(contract, partition.dt, folder) as writer:
            writer.write(table)
            return lake.publish(partition, writer.finish(provenance_of(partition, table.num_rows)))

    return published


@pytest.fixture(scope="session")
def error_rates() -> "Callable[..., pa.Table]":
    """Makes rows of error_rate: the server errors among 1,000 requests of each application."""
    import pyarrow as pa

    from lake.contracts import CONTRACTS

    def make(**errors: int) -> "pa.Table":
        return pa.Table.from_pylist(
            [
                {
                    "application": application,
                    "vantage": "origin",
                    "requests_total": 1000,
                    "health_check_requests": 0,
                    "synthetic_requests": 0,
                    "valid_requests": 1000,
                    "server_error_requests": n,
                    "client_error_requests": 0,
                    "client_abort_requests": 0,
                    "throttled_requests": 0,
                    "error_rate": n / 1000,
                    "error_rate_low": 0.0,
                    "error_rate_high": 1.0,
                    "hours_observed": 24,
                }
                for application, n in errors.items()
            ],
            CONTRACTS["error_rate"].schema,
        )

    return make

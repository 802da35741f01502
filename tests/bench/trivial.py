"""Days of trivial tasks, run by ours and by other orchestrators, each as one would backfill days with it.

    python tests/bench/trivial.py NAME DAYS

in an empty folder runs so many days and prints as JSON how many seconds that took, `wall` and `cpu` (of this
process), and the CPU seconds of each chunk; imports and the start of databases and servers don't count. It
needs only the orchestrator that it names.

A day is raw logs that are there, then `rejects` and `requests`, then `error_rate`. What would be extraction,
SQL and publication is the same few lines for all: empty files are created, without fsync. So orchestration is
what is left: to find out which days to do, to ask what is there, to run in order, and to keep what came of it.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from itertools import pairwise
from pathlib import Path
from typing import Any

FIRST_DAY = date(1996, 1, 1)
MIDNIGHT = time_of_day(tzinfo=UTC)
CHUNK = 100  # days, as backfill.engines.local.runner has it
RAW = "raw/{day}.log"
PUBLISHED = {
    "rejects": "lake/rejects/v1/dt={day}/source=bench/rev=0/part-0.parquet",
    "requests": "lake/requests/v1/dt={day}/source=bench/rev=0/part-0.parquet",
    "error_rate": "lake/error_rate/v1/dt={day}/rev=0/part-0.parquet",
}
COUNTS = {
    "source_counts": "lake/source_counts/v1/dt={day}/source=bench/rev=0/part-0.parquet",
    "source_days": "lake/source_days/v1/dt={day}/source=bench/rev=0/part-0.parquet",
    "error_counts": "lake/error_counts/v1/dt={day}/rev=0/part-0.parquet",
}
"""What ours makes on the way, and the others do without."""
CONFIGURATION = """
[lake]
root = lake
[source.bench]
format = combined
files = raw/{{YYYY}}-{{MM}}-{{DD}}.log
application = shop
vantage = origin
since = {first}
until = {stop}
"""


class Clock:
    """Measures what is done within `running`, and each chunk of it."""

    def __init__(self) -> None:
        self._wall = 0.0
        self._marks: list[float] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        """Measure what is done here."""
        begun = time.perf_counter()
        self.mark()
        yield
        self.mark()
        self._wall = time.perf_counter() - begun

    def mark(self) -> None:
        """Note that a chunk is done."""
        self._marks.append(time.process_time())

    def to_json(self) -> str:
        """Return what was measured."""
        chunks = [after - before for before, after in pairwise(self._marks)]
        return json.dumps({"wall": self._wall, "cpu": sum(chunks), "chunks": chunks})


def keep_to_this_folder(**settings: str) -> None:
    """Let an orchestrator write nowhere else, and tell nobody of it."""
    os.environ |= {"DO_NOT_TRACK": "1", "HOME": str(Path.cwd()), "SCARF_ANALYTICS": "false"} | settings


def create(day: date | str, *names: str) -> None:
    """Do the work of a task: make empty files."""
    for name in names:
        path = Path((PUBLISHED | COUNTS)[name].format(day=day))
        path.parent.mkdir(parents=True)
        path.touch()


def check(day: date | str) -> None:
    """Fail if the raw log is not there, for orchestrators that know only tasks that run."""
    if not Path(RAW.format(day=day)).exists():
        raise FileNotFoundError(day)


def with_ours(days: Sequence[date], clock: Clock) -> None:
    """`backfill run`, from the plan to the report, with builds replaced: attempts are recorded, with fsync."""
    Path("luigi.cfg").write_text(
        CONFIGURATION.format(first=days[0], stop=days[-1] + timedelta(days=1)), encoding="utf-8"
    )
    os.environ["LUIGI_CONFIG_PATH"] = str(Path("luigi.cfg").absolute())

    from backfill.attempts import NAME, Attempts
    from backfill.days import DayRange
    from backfill.engines.local import runner, settings
    from backfill.plan import Plan
    from etl.clock import utc_now
    from etl.project import project
    from etl.units import Unit

    def build(self: Unit, *_: object) -> str:
        create(self.day, *(contract.name for contract in self.contracts))
        if self.dataset == "error_rate":
            Path(PUBLISHED[self.dataset].format(day=self.day)).write_bytes(written)
        return ""

    settings.apply()
    written = _partition(days[0])
    Unit.build = build
    with clock.running():
        example = Unit(project(), "error_rate", days[0])
        past = Attempts(project().lake.journal(NAME), example)
        asked_for = DayRange.resolve(example, days[0], days[-1] + timedelta(days=1), utc_now())
        plan = Plan.of(asked_for, utc_now(), past, max_attempts=3)
        result = runner.run(plan, past, workers=1, say=lambda _: clock.mark())
        report = plan.report(result.failed)
        after = Plan.of(asked_for, utc_now(), past, max_attempts=0)
    if after.not_there or f" {len(days)} built" not in report:
        raise AssertionError(report)


def _partition(day: date) -> bytes:
    """Return a partition without rows, whose footer the report reads."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from lake.contracts import contract
    from lake.provenance import KEY, Provenance

    counts = dict.fromkeys(("rows_read", "rows_kept", "rows_rejected", "rows_of_other_days"), 0)
    made = Provenance(
        dataset="error_rate",
        version=1,
        dt=str(day),
        source=None,
        revision=0,
        inputs=(),
        code_version="",
        checks=(),
        **counts,
    )
    table = contract("error_rate").schema.empty_table()
    file = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata({KEY: made.to_json()}), file)
    return file.getvalue().to_pybytes()


def with_luigi(days: Sequence[date], clock: Clock) -> None:
    """Luigi alone, in chunks: the same graph with its own targets; it keeps nothing of what came of a day."""
    import luigi

    class RawLogs(luigi.ExternalTask):
        source = luigi.Parameter()
        date = luigi.DateParameter()

        def output(self) -> luigi.LocalTarget:
            return luigi.LocalTarget(RAW.format(day=self.date))

    class Requests(luigi.Task):
        source = luigi.Parameter()
        date = luigi.DateParameter()

        def requires(self) -> luigi.Task:
            return RawLogs(source=self.source, date=self.date)

        def output(self) -> list[luigi.LocalTarget]:
            return [luigi.LocalTarget(PUBLISHED[name].format(day=self.date)) for name in ("rejects", "requests")]

        def run(self) -> None:
            create(self.date, "rejects", "requests")

    class ErrorRate(luigi.Task):
        date = luigi.DateParameter()

        def requires(self) -> list[luigi.Task]:
            return [Requests(source="bench", date=self.date)]

        def output(self) -> luigi.LocalTarget:
            return luigi.LocalTarget(PUBLISHED["error_rate"].format(day=self.date))

        def run(self) -> None:
            create(self.date, "error_rate")

    with clock.running():
        for begin in range(0, len(days), CHUNK):
            tasks = [ErrorRate(date=day) for day in days[begin : begin + CHUNK]]
            luigi.build(tasks, workers=1, local_scheduler=True, log_level="WARNING")
            clock.mark()


def with_dagster(days: Sequence[date], clock: Clock) -> None:
    """Assets with daily partitions, one run a day in this process, events kept in SQLite."""
    keep_to_this_folder()
    import dagster

    partitions = dagster.DailyPartitionsDefinition(start_date=str(days[0]))
    asset = dagster.asset(partitions_def=partitions)

    @asset
    def raw_logs(context: dagster.AssetExecutionContext) -> None:
        check(context.partition_key)

    @dagster.asset(partitions_def=partitions, deps=[raw_logs])
    def requests(context: dagster.AssetExecutionContext) -> None:
        create(context.partition_key, "rejects", "requests")

    @dagster.asset(partitions_def=partitions, deps=[requests])
    def error_rate(context: dagster.AssetExecutionContext) -> None:
        create(context.partition_key, "error_rate")

    folder = Path("dagster").absolute()
    folder.mkdir()
    silent = {"telemetry": {"enabled": False}}
    with dagster.DagsterInstance.local_temp(str(folder), silent) as instance, clock.running():
        for day in days:
            dagster.materialize(
                [raw_logs, requests, error_rate],
                partition_key=str(day),
                instance=instance,
                run_config={"loggers": {"console": {"config": {"log_level": "ERROR"}}}},
            )


def with_prefect(days: Sequence[date], clock: Clock) -> None:
    """A flow run a day with a task run a step, kept by the server that Prefect starts for itself, on SQLite."""
    keep_to_this_folder(
        PREFECT_HOME=str(Path("prefect").absolute()),
        PREFECT_LOGGING_LEVEL="ERROR",
        PREFECT_SERVER_ANALYTICS_ENABLED="false",
    )
    import prefect

    raw_logs = prefect.task(check)
    publish = prefect.task(create)

    @prefect.flow
    def one_day(day: str) -> None:
        raw_logs(day)
        publish(day, "rejects", "requests")
        publish(day, "error_rate")

    @prefect.flow
    def nothing() -> None:
        """Have the server started."""

    nothing()
    with clock.running():
        for day in days:
            one_day(str(day))


def airflow_dag() -> Any:
    """Return the DAG of a day; Airflow wants to find it in a file of its own, too."""
    from airflow.sdk import DAG, task

    with DAG("bench", schedule="@daily") as dag:

        @task
        def raw_logs(ds: str) -> None:
            check(ds)

        @task
        def requests(ds: str) -> None:
            create(ds, "rejects", "requests")

        @task
        def error_rate(ds: str) -> None:
            create(ds, "error_rate")

        raw_logs() >> requests() >> error_rate()
    return dag


def with_airflow(days: Sequence[date], clock: Clock) -> None:
    """A DAG run a day in this process, as `airflow dags test` does it, kept in SQLite."""
    keep_to_this_folder(
        AIRFLOW_HOME=str(Path("airflow").absolute()),
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW__LOGGING__LOGGING_LEVEL="ERROR",
        AIRFLOW__USAGE_DATA_COLLECTION__ENABLED="False",
    )
    folder = Path("airflow/dags")
    folder.mkdir(parents=True)
    (folder / "bench.py").write_text(
        f"import sys\nsys.path.append({str(Path(__file__).parent)!r})\n"
        "from trivial import airflow_dag\ndag = airflow_dag()\n",
        encoding="utf-8",
    )
    subprocess.run([Path(sys.executable).with_name("airflow"), "db", "migrate"], check=True, capture_output=True)
    dag = airflow_dag()
    with clock.running():
        for day in days:
            dag.test(logical_date=datetime.combine(day, MIDNIGHT))


ORCHESTRATORS: dict[str, Callable[[Sequence[date], Clock], None]] = {
    "ours": with_ours,
    "luigi": with_luigi,
    "dagster": with_dagster,
    "prefect": with_prefect,
    "airflow": with_airflow,
}


def main() -> None:
    """Make the raw logs, run the days, and print the cost."""
    name, count = sys.argv[1], int(sys.argv[2])
    days = [FIRST_DAY + timedelta(days=n) for n in range(count)]
    for day in days:
        path = Path(RAW.format(day=day))
        path.parent.mkdir(exist_ok=True)
        path.touch()
    clock = Clock()
    ORCHESTRATORS[name](days, clock)
    missing = [
        path for day in days for each in PUBLISHED.values() if not Path(path := each.format(day=day)).exists()
    ]
    if missing:
        raise FileNotFoundError(missing[0])
    print(clock.to_json())


if __name__ == "__main__":
    main()

"""A year's daily error rates, asked of the lake and otherwise; each asks in a process of its own.

    python tests/bench/asked.py NAME FOLDER

in a folder with a year's raw logs, a luigi.cfg and the lake that was built of them asks several times, and prints
as JSON the seconds that each took, without imports, and how many rows, requests and errors are in the answer.
`build` makes the folder, with ten years beside it that are links to the year's files, and one file of their rows.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

FIRST_DAY, DAYS, TEN_YEARS = date(2025, 1, 1), 365, 3650
STOP = FIRST_DAY + timedelta(days=DAYS)
CHROMIUM = Path("/usr/bin/chromium")
APPLICATIONS, LINES = 50, 10_000  # lines a day
TIMES = 7
CONFIGURATION = f"""
[lake]
root = lake

[source.bench]
format = vhost_combined
files = logs/{{YYYY}}-{{MM}}-{{DD}}.log
application = field:vhost
vantage = edge
since = {FIRST_DAY}
until = {STOP}
"""
QUESTION = f"""
    select dt, application, valid_requests, server_error_requests, error_rate, error_rate_low, error_rate_high
    from error_rate_daily where dt >= '{FIRST_DAY}' and dt < '{STOP}'
"""
OF_YEARS = """
    select application, sum(server_error_requests) / sum(valid_requests) as error_rate
    from error_rate group by application order by application
"""
LINE = r'^([^ :]+):\d+ [^ ]+ [^ ]+ [^ ]+ \[(\d+/\w+/\d+):[^\]]*\] "[^"]*" ([1-5]\d\d) '
COLUMNS = "{'line': 'varchar'}"
RAW = f"""
    with fields as (
        select regexp_extract(line, '{LINE}', ['application', 'day', 'status']) as field
        from read_csv(
            'logs/*.log', columns = {COLUMNS}, auto_detect = false, header = false,
            delim = '\x01', quote = '', escape = ''
        )
    )
    select
        strptime(field.day, '%d/%b/%Y')::date as dt, field.application as application,
        count(*) as valid_requests, count(*) filter (where field.status >= '500') as server_error_requests,
        server_error_requests / valid_requests as error_rate
    from fields group by all
"""
KEY = "error_rate/v1/dt={}/rev=0/part-0.parquet"
GLOB = "lake/error_rate/v1/dt=*/rev=*/part-0.parquet"


def build(folder: Path) -> None:
    """Write the raw logs, and have the lake built of them."""
    from etl.project import Project
    from etl.sources.sections import read_sources
    from etl.units import Unit, below
    from lake import config
    from lake.lake import Lake

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "luigi.cfg").write_text(CONFIGURATION, encoding="utf-8")
    (folder / "logs").mkdir(exist_ok=True)
    found = config.read(folder / "luigi.cfg")
    project = Project(Lake.of(found), tuple(read_sources(found)), found)
    random = Random(0)  # noqa: S311 - logs, not secrets
    for n in range(DAYS):
        day = FIRST_DAY + timedelta(days=n)
        lines = []
        for number in range(LINES):
            second = number * 86_400 // LINES
            clock = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
            application = f"app{random.randrange(APPLICATIONS):02}.example.com"
            status = 500 if random.random() < 0.003 else 200
            lines.append(
                f"{application}:443 192.0.2.1 - - [{day:%d/%b/%Y}:{clock} +0000] "
                f'"GET /item/{number % 100} HTTP/1.1" {status} 1234 "-" "curl/8.16.0"\n'
            )
        (folder / f"logs/{day}.log").write_text("".join(lines), encoding="utf-8")
        for unit in below(Unit(project, "error_rate", day)):
            unit.build()
    files = sorted(folder.glob(GLOB))
    for n in range(TEN_YEARS):
        link = folder / "ten-years" / KEY.format(FIRST_DAY - timedelta(days=n))
        link.parent.mkdir(parents=True)
        link.hardlink_to(files[n % DAYS])
    (folder / "ten-years.cfg").write_text("[lake]\nroot = ten-years\n", encoding="utf-8")
    one_file(folder)
    (folder / "as-they-are.cfg").write_text("[lake]\nroot = lake\ncopy_mb = 0\n", encoding="utf-8")


def one_file(folder: Path) -> None:
    """Write the rows of ten years to one Parquet file."""
    import duckdb

    files = f"{folder}/ten-years/{KEY.format('*')}"
    rows = f"from read_parquet('{files}', hive_partitioning = true)"
    duckdb.connect().execute(f"copy ({rows}) to '{folder}/ten-years.parquet' (format parquet)")


def files() -> Callable[[], Any]:
    """Ask the catalog, with nothing kept: the partitions as they are."""
    import lake

    connection = lake.connect("as-they-are.cfg")
    return lambda: connection.execute(QUESTION).to_arrow_table()


def catalog() -> Callable[[], Any]:
    """Ask the catalog as it is by default, which keeps a copy."""
    import lake

    connection = lake.connect("luigi.cfg")
    return lambda: connection.execute(QUESTION).to_arrow_table()


def years() -> Callable[[], Any]:
    """Ask the catalog of ten years."""
    import lake

    connection = lake.connect("ten-years.cfg")
    return lambda: connection.execute(OF_YEARS).to_arrow_table()


def opening() -> Callable[[], Any]:
    """Open the catalog of ten years."""
    import lake

    return lambda: lake.connect("ten-years.cfg").execute("select 1").to_arrow_table()


def looked_at() -> list[float]:
    """Read the footer of each file of the year's lake, and add up its counts, with pyarrow and nothing of ours."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    def look() -> None:
        for path in sorted(Path("lake").glob("[!_]*/v1/**/*.parquet")):
            with pq.ParquetFile(path) as file:
                json.loads(file.metadata.metadata[b"provenance"])
                if "requests_total" in file.schema.names:
                    pc.sum(file.read(columns=["requests_total"])["requests_total"]).as_py()

    return [taken(look)]


def on_s3() -> list[float]:
    """Open the catalog of ten years on an S3 server of this machine; return the seconds beyond its listing's."""
    import boto3
    from moto.server import ThreadedMotoServer

    import lake
    from lake import config
    from lake.contracts import CONTRACTS
    from lake.lake import Lake

    os.environ |= dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "x")
    os.environ["AWS_DEFAULT_REGION"] = "us-east-1"
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    s3 = boto3.client("s3", endpoint_url=url)
    s3.create_bucket(Bucket="bench")
    content = next(Path().glob(GLOB)).read_bytes()
    for n in range(TEN_YEARS):
        s3.put_object(Bucket="bench", Key=KEY.format(FIRST_DAY - timedelta(days=n)), Body=content)
    Path("s3.cfg").write_text(f"[lake]\nroot = s3://bench\nendpoint_url = {url}\n", encoding="utf-8")
    there = Lake.of(config.read(Path("s3.cfg").absolute()))

    def listing() -> None:
        for each in CONTRACTS.values():
            there.objects(each)

    beyond = [taken(lambda: lake.connect("s3.cfg")) - taken(listing) for _ in range(TIMES)]
    server.stop()
    return beyond


def drawn() -> list[float]:
    """Open the report in Chromium, each time in a window of its own; return the seconds until it is drawn."""
    from playwright.sync_api import sync_playwright

    page = Path("report.html").absolute().as_uri()
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])

        def draw() -> None:
            opened = browser.new_context(offline=True).new_page()
            opened.goto(page)
            opened.wait_for_selector("html[data-ready]", state="attached")

        return [taken(draw) for _ in range(TIMES)]


def raw_logs() -> Callable[[], Any]:
    """Ask the raw logs, with DuckDB."""
    import duckdb

    connection = duckdb.connect()
    return lambda: connection.execute(RAW).to_arrow_table()


def polars() -> Callable[[], Any]:
    """Ask the partitions with Polars."""
    import polars as pl

    columns = ("dt", "application", "valid_requests", "server_error_requests", "error_rate")

    def ask() -> Any:
        rows = pl.scan_parquet(GLOB, hive_partitioning=True, try_parse_hive_dates=True)
        return rows.filter(pl.col("dt").is_between(FIRST_DAY, STOP, closed="left")).select(columns).collect()

    return ask


def clickhouse() -> Callable[[], Any]:
    """Ask the partitions with ClickHouse in this process."""
    from chdb import session

    asked = session.Session()
    query = (
        "select toDate(extract(_path, 'dt=([0-9-]+)')) as dt, application, valid_requests, server_error_requests, "
        f"error_rate from file('{Path(GLOB).absolute()}', Parquet) where dt >= '{FIRST_DAY}' and dt < '{STOP}'"
    )

    def ask() -> Any:
        import pyarrow as pa

        return pa.ipc.open_stream(asked.query(query, "ArrowStream").bytes()).read_all()

    return ask


MEASURED = {"s3": on_s3, "drawn": drawn, "looked_at": looked_at}
ASKED: dict[str, Callable[[], Callable[[], Any]]] = {
    "files": files,
    "catalog": catalog,
    "years": years,
    "opening": opening,
    "raw": raw_logs,
    "polars": polars,
    "clickhouse": clickhouse,
}


def facts(answer: Any) -> list[int]:
    """Return how many rows, requests and errors an answer has; nothing of one about something else."""
    found = answer.to_arrow() if hasattr(answer, "to_arrow") else answer
    if "valid_requests" not in found.column_names:
        return []
    sums = [sum(found[name].to_pylist()) for name in ("valid_requests", "server_error_requests")]
    return [found.num_rows, *sums]


def taken(something: Callable[[], object]) -> float:
    """Return how many seconds something takes."""
    begun = time.perf_counter()
    something()
    return time.perf_counter() - begun


def main() -> None:
    """Build, or ask and print."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    if name == "build":
        build(folder)
        return
    os.chdir(folder)
    if name in MEASURED:
        print(json.dumps({"seconds": MEASURED[name](), "facts": []}))
        return
    ask = ASKED[name]()
    print(json.dumps({"seconds": [taken(ask) for _ in range(TIMES)], "facts": facts(ask())}))


if __name__ == "__main__":
    main()

"""A year of daily rates delivered to Postgres, over psycopg's COPY of the same rows, a transaction a day.

The peer writes no receipts, compares nothing and takes the rows as CSV, the fastest way that it has.
"""

import io
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from asked import APPLICATIONS, DAYS
from figures import HERE, Bench, peak, wall
from measure import Cost, Figure, run
from questions import FACTS, LAKE, YEAR, built

sys.path.append(str(HERE.parent))
from postgres_server import PASSWORD, USER, Server, binaries

TYPES = {
    "string": "text",
    "int64": "bigint",
    "int32": "integer",
    "int16": "smallint",
    "double": "float8",
    "bool": "bool",
}
COUNTED = "select count(*), sum(requests_total)::bigint from error_rate"


def deliveries(bench: Bench) -> Iterator[Figure]:
    """`lake deliver` to an empty database: its wall time over the peer's, and its memory."""
    what = f"{YEAR} delivered to Postgres"
    ratio = Figure(
        f"{what}, wall, over psycopg's COPY of as many transactions", DAYS * APPLICATIONS, "x", must=1.5
    )
    found = binaries()
    if not found or not find_spec("psycopg"):
        ratio.problem = "MISSING: Postgres or psycopg is not installed"
        yield ratio
        return
    folder = built(bench)
    with tempfile.TemporaryDirectory() as data:
        Path(data).chmod(0o755)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        server = Server(Path(data) / "server", found, port)
        url = f"postgresql://{USER}@127.0.0.1:{port}/postgres"
        section = f"\n[deliver.figures]\nto = {url}\ndatasets = error_rate\n"
        configuration = folder / "deliver.cfg"
        configuration.write_text((folder / "luigi.cfg").read_text(encoding="utf-8") + section, encoding="utf-8")
        environment = {"LUIGI_CONFIG_PATH": str(configuration), "PGPASSWORD": PASSWORD}

        def brought(command: list[str]) -> tuple[Cost, str | None]:
            _run("empty", folder, url, environment)
            cost, _ = run(command, folder, environment)
            said = _run("count", folder, url, environment)
            wanted = str(tuple(FACTS))
            return cost, None if said == wanted else f"rows and requests {said}, not {wanted}"

        ours = partial(brought, [LAKE, "deliver", "--to", "figures"])
        peer = partial(brought, [sys.executable, __file__, "copy", str(folder), url])
        try:
            yield bench.compare(ratio, wall, peer, ours)
            yield bench.measure(Figure(f"{what}, peak memory", DAYS * APPLICATIONS, "MB"), peak, ours)
        finally:
            server.stop()


def _run(name: str, folder: Path, url: str, environment: dict[str, str]) -> str:
    return run([sys.executable, __file__, name, str(folder), url], folder, environment)[1].strip()


def main(name: str, folder: str, url: str) -> None:
    """Empty the database, copy the year into it, or say what is there."""
    import psycopg

    with psycopg.connect(url) as connection:
        if name == "empty":
            connection.execute("drop schema public cascade")
            connection.execute("create schema public")
        elif name == "count":
            print(connection.execute(COUNTED).fetchone())
        else:
            _copy(connection, Path(folder))


def _copy(connection: "psycopg.Connection", folder: Path) -> None:  # noqa: F821 - of an optional package
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet as pq

    files = sorted(folder.glob("lake/error_rate/v1/dt=*/rev=0/part-0.parquet"))
    columns = ", ".join(f'"{each.name}" {TYPES[str(each.type)]}' for each in pq.read_schema(files[0]))
    connection.execute(f"create table error_rate (dt date, {columns})")
    connection.commit()
    for path in files:
        table = pq.ParquetFile(path).read()
        day = pa.repeat(path.parts[-3].removeprefix("dt="), len(table))
        text = io.BytesIO()
        pyarrow.csv.write_csv(table.add_column(0, "dt", day), text, pyarrow.csv.WriteOptions(include_header=False))
        with connection.cursor().copy("copy error_rate from stdin (format csv)") as copied:
            copied.write(text.getbuffer())
        connection.commit()


FIGURES: dict[str, Callable[[Bench], Iterator[Figure]]] = {"deliveries": deliveries}

if __name__ == "__main__":
    main(*sys.argv[1:])

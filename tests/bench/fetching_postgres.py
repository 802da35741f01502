"""A day fetched from Postgres as Parquet, over DuckDB's own scan of the same rows: wall, CPU and memory.

    python tests/bench/fetching_postgres.py [ROWS [PAIRS]]

The peer needs duckdb-extension-postgres-scanner of DuckDB's own version, which no lock file has: install it
beside, and set DUCKDB_POSTGRES to its file. Without it, there are only our figures. The two take turns; each is a
process of its own, whose time and memory count, and not the server's.
"""

import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))
from postgres_server import PASSWORD, USER, Server, binaries

DAY = date(2026, 9, 1)
COLUMNS = "id, at, path, n, duration, status"
WHERE = "at >= {} and at < {}"
MADE = """create table views as
    select g as id, timestamptz '2026-09-01 00:00Z' + g * interval '86400 s' / {rows} as at,
        '/path/' || (g * 7919) % 5003 as path, (g * 7) % 200 as n, (g % 1000) / 7.0::float8 as duration,
        case when g % 3 = 0 then null else 'status ' || g % 7 end as status
    from generate_series(0::bigint, {rows} - 1) g"""


def ours(url: str, folder: Path) -> Path:
    """Fetch the day as a source does."""
    from etl.fetch.opening import read_asked

    query = f"select {COLUMNS} from views where {WHERE.format('$start', '$stop')}"
    (part,) = read_asked({"fetch": "postgres", "url": url, "query": query}, folder).fetch(DAY, folder)
    return part.path


def theirs(url: str, folder: Path) -> Path:
    """Have DuckDB scan the same, and write Parquet with its own settings and the same compression."""
    import duckdb

    path = folder / "theirs"
    start, stop = ("timestamptz '2026-09-01 00:00:00+00'", "timestamptz '2026-09-02 00:00:00+00'")
    with duckdb.connect() as connection:
        connection.execute(f"load '{os.environ['DUCKDB_POSTGRES']}'")
        connection.execute(f"attach '{url}' as p (type postgres, read_only)")
        where = WHERE.replace("at ", '"at" ').format(start, stop)
        columns = COLUMNS.replace(" at,", ' "at",')
        connection.execute(
            f"copy (select {columns} from p.views where {where}) to '{path}' (format parquet, compression zstd)"
        )
    return path


WAYS = {"ours": ours, "theirs": theirs}


def one(way: str, url: str) -> None:
    """Do it once; say its rows, wall and CPU seconds, and MB at most."""
    import pyarrow.parquet as pq

    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        path = WAYS[way](url, Path(folder))
        wall = time.perf_counter() - begun
        used = resource.getrusage(resource.RUSAGE_SELF)
        print(pq.read_metadata(path).num_rows, wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def main(rows: int = 1_000_000, pairs: int = 5) -> None:
    """Compare them by turns."""
    ways = [each for each in WAYS if each == "ours" or os.environ.get("DUCKDB_POSTGRES")]
    found = binaries()
    if not found:
        sys.exit("Postgres is not installed: apt-get install postgresql")
    with tempfile.TemporaryDirectory() as data:
        Path(data).chmod(0o755)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        server = Server(Path(data) / "server", found, port)
        url = f"postgresql://{USER}@127.0.0.1:{port}/postgres"
        os.environ["PGPASSWORD"] = PASSWORD
        from adbc_driver_postgresql import dbapi

        try:
            with dbapi.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
                cursor.execute(MADE.format(rows=rows))
                cursor.execute("vacuum analyze views")
            costs: dict[str, list[list[float]]] = {each: [] for each in ways}
            for _ in range(pairs):
                for each in ways:
                    command = [sys.executable, __file__, "one", each, url]
                    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
                    assert int(said[0]) == rows, said
                    costs[each].append([float(number) for number in said[1:]])
        finally:
            server.stop()
    for each, runs in costs.items():
        wall, cpu, memory = (statistics.median(column) for column in zip(*runs, strict=True))
        print(f"{each}: wall {wall:.2f} s, CPU {cpu:.2f} s, {memory:.0f} MB (medians of {pairs})")
    if len(ways) > 1:
        for place, name in enumerate(("wall", "CPU")):
            pairs_of = zip(costs["ours"], costs["theirs"], strict=True)
            ratios = sorted(mine[place] / other[place] for mine, other in pairs_of)
            print(f"{name} over theirs: {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")


if __name__ == "__main__":
    if sys.argv[1:2] == ["one"]:
        one(*sys.argv[2:])
    else:
        main(*map(int, sys.argv[1:]))

"""The alerts of a year: what all that would have fired costs, over one plain sum of the same counts.

The objective allows a third of the errors that there are, so that alerts are on for much of the year.
"""

import sys
from collections.abc import Callable, Iterator

from asked import DAYS, LINES
from figures import Bench, cpu, peak
from measure import Cost, Figure, run
from questions import LAKE, YEAR, built

OBJECTIVE = "[slo.web]\napplications = *\nobjective = 0.999\n"
QUESTION = "select count(*), sum(minutes) from slo_alerts()"
ALERTS = "41699,5340540"  # as whole numbers summed with numpy have it, too
SUM = """
import duckdb
print(*duckdb.sql(
    "select count(*), sum(valid), sum(failed) from (select application, vantage, bucket_start, "
    "sum(valid_requests) as valid, sum(server_error_requests) as failed "
    "from 'lake/error_counts/v1/*/*/part-0.parquet' group by all)"
).fetchone())
"""


def alerts(bench: Bench) -> Iterator[Figure]:
    """All alerts of a year, asked by a command."""
    folder = built(bench)
    configuration = folder / "slo.cfg"
    configuration.write_text((folder / "luigi.cfg").read_text(encoding="utf-8") + OBJECTIVE, encoding="utf-8")
    environment = {"LUIGI_CONFIG_PATH": str(configuration), "XDG_CACHE_HOME": str(folder / "no-copy")}

    def ours() -> tuple[Cost, str | None]:
        cost, printed = run([LAKE, "sql", "--csv", QUESTION], folder, environment)
        found = printed.splitlines()[-1]
        return cost, None if found == ALERTS else f"alerts and their minutes {found}, not {ALERTS}"

    def peer() -> tuple[Cost, str | None]:
        cost, printed = run([sys.executable, "-c", SUM], folder)
        requests = printed.split()[1]
        return cost, None if requests == str(DAYS * LINES) else f"{requests} requests"

    what = f"{YEAR}, `lake sql` of slo_alerts"
    yield bench.measure(Figure(f"{what}, CPU", 0, "s", must=2, aim=1), cpu, ours)
    yield bench.measure(Figure(f"{what}, peak memory", 0, "MB", must=800), peak, ours)
    figure = Figure(f"{what}, CPU over one sum of each five minutes by DuckDB", 0, "x")
    yield bench.compare(figure, cpu, peer, ours)


FIGURES: dict[str, Callable[[Bench], Iterator[Figure]]] = {"alerts": alerts}

"""What is known of one source's day beside its counts: what its raw logs held, and what they lack."""

import pyarrow as pa

from lake.contract import Column, Contract, Input, Rule
from lake.contracts.rejects import OF_LOGS
from lake.contracts.requests import APPLICATION, VANTAGE


def _number(name: str, unit: str, meaning: str, maximum: int | None = None) -> Column:
    return Column(name, pa.int64(), unit, meaning, minimum=0, maximum=maximum)


CONTRACT = Contract(
    name="source_days",
    version=1,
    grain="the day of one source",
    key=("vantage",),
    per_source=True,
    inputs=(Input("requests"), Input("rejects")),
    made_with="source_counts",
    counts="requests",
    columns=(
        VANTAGE,
        Column(
            "application",
            APPLICATION.type,
            APPLICATION.unit,
            "The application that the source declares; NULL if its lines name theirs",
            nullable=True,
            pattern=APPLICATION.pattern,
        ),
        _number("files", "files", "Raw files read"),
        _number("lines_read", "lines", "Lines of those files, as far as the provenance of requests says"),
        _number("requests", "requests", "Lines that are requests of the day"),
        _number("rejects", "lines", "Lines of the day that are no request"),
        *(_number(f"rejects_{reason}", "lines", f"Those of them with the reason {reason}") for reason in OF_LOGS),
        _number("hours_observed", "hours", "Hours of the UTC day with any request", maximum=24),
        Column(
            "incomplete",
            pa.string(),
            "text",
            "What the raw logs lack on the day; NULL if nothing is known to be missing",
            nullable=True,
        ),
    ),
    rules=(Rule(" + ".join(f"rejects_{reason}" for reason in OF_LOGS) + " = rejects", "a reject has one reason"),),
)

"""Which paths, methods and statuses had a day's requests and errors: it stays when requests are deleted."""

import pyarrow as pa

from lake.contract import Column, Contract, Input, Rule
from lake.contracts.error_rate import COUNT_RULES, COUNTS
from lake.contracts.requests import APPLICATION, VANTAGE

CONTRACT = Contract(
    name="error_breakdown",
    version=1,
    grain="one hour, path template, method and status of one application at one vantage",
    key=("application", "vantage", "hour", "path_template", "method", "status"),
    inputs=(Input("requests"),),
    counts="requests_total",
    time="hour",
    columns=(
        APPLICATION,
        VANTAGE,
        Column("hour", pa.timestamp("us"), "UTC", "When the hour began"),
        Column(
            "path_template",
            pa.string(),
            "URL path",
            "path_template(path), of those with the day's most requests or errors; '(none)' if the request names "
            "no path, '(other)' for all others",
            pattern=r"/[!-~]*|\*|\(none\)|\(other\)",
        ),
        Column(
            "method",
            pa.string(),
            "name",
            "HTTP method; '(other)' for any other, and if the request has none",
            values=("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "(other)"),
        ),
        Column(
            "status",
            pa.int16(),
            "HTTP status",
            "Final status at this vantage; 0 if the client left before there was one",
            minimum=0,
            maximum=599,
        ),
        *COUNTS,
    ),
    rules=(
        Rule("hour = date_trunc('hour', hour)", "an hour begins at a full hour"),
        Rule("requests_total > 0", "what didn't occur has no row"),
        *COUNT_RULES,
    ),
)

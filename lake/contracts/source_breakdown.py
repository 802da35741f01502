"""One source's requests and errors by hour, path template, method and status: of them all, unbounded."""

import pyarrow as pa

from lake.contract import Column, Contract, Input, Rule
from lake.contracts.error_rate import COUNT_RULES, COUNTS
from lake.contracts.requests import APPLICATION, VANTAGE

KEY = ("application", "vantage", "hour", "path_template", "method", "status")
HOUR = Column("hour", pa.timestamp("us"), "UTC", "When the hour began")
PATHS = r"/[!-~]*|\*|\(none\)|\(other\)"
METHOD = Column(
    "method",
    pa.string(),
    "name",
    "HTTP method; '(other)' for any other, and if the request has none",
    values=("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "(other)"),
)
STATUS = Column(
    "status",
    pa.int16(),
    "HTTP status",
    "Final status at this vantage; 0 if the client left before there was one",
    minimum=0,
    maximum=599,
)
RULES = (
    Rule("hour = date_trunc('hour', hour)", "an hour begins at a full hour"),
    Rule("requests_total > 0", "what didn't occur has no row"),
    *COUNT_RULES,
)

CONTRACT = Contract(
    name="source_breakdown",
    version=1,
    grain="one hour, path template, method and status of one application at one vantage, by one source",
    key=KEY,
    per_source=True,
    inputs=(Input("requests"),),
    counts="requests_total",
    time="hour",
    columns=(
        APPLICATION,
        VANTAGE,
        HOUR,
        Column(
            "path_template",
            pa.string(),
            "URL path",
            "path_template(path) of any path; '(none)' if the request names none, '(other)' for what is no path "
            "or has more than 1,000 characters",
            pattern=PATHS,
        ),
        METHOD,
        STATUS,
        *COUNTS,
    ),
    rules=RULES,
)

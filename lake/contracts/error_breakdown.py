"""Which paths, methods and statuses had a day's requests and errors: it stays when requests are deleted."""

import pyarrow as pa

from lake.contract import Column, Contract, Input
from lake.contracts.error_rate import COUNTS
from lake.contracts.requests import APPLICATION, VANTAGE
from lake.contracts.source_breakdown import HOUR, KEY, METHOD, PATHS, RULES, STATUS

CONTRACT = Contract(
    name="error_breakdown",
    version=1,
    grain="one hour, path template, method and status of one application at one vantage",
    key=KEY,
    inputs=(Input("source_breakdown"),),
    former_sql=("e27280c321f91a60e63797d2311e28fb7b1bd18564f816935a37a417bbda41f8",),  # from requests
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
            "path_template(path), of those with the day's most requests or errors; '(none)' if the request names "
            "no path, '(other)' for all others",
            pattern=PATHS,
        ),
        METHOD,
        STATUS,
        *COUNTS,
    ),
    rules=RULES,
)

"""How a day's requests were answered, by class of status."""

import pyarrow as pa

from lake.contract import Column, Contract
from lake.contracts.requests import APPLICATION, VANTAGE

CONTRACT = Contract(
    name="status_mix",
    version=1,
    grain="one status class of one application at one vantage",
    key=("application", "vantage", "status_class"),
    inputs=("requests",),
    counts="requests",
    columns=(
        APPLICATION,
        VANTAGE,
        Column("status_class", pa.string(), "name", "First digit of status; none for 0", pattern="[1-5]xx|none"),
        Column("requests", pa.int64(), "requests", "All requests, whatever their traffic class", minimum=1),
    ),
)

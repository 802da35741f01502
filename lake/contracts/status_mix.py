"""How a day's requests were answered, by class of status."""

import pyarrow as pa

from lake.contract import Column, Contract
from lake.contracts.requests import APPLICATION, STATUS_CLASS, VANTAGE

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
        STATUS_CLASS,
        Column("requests", pa.int64(), "requests", "All requests, whatever their traffic class", minimum=1),
    ),
)

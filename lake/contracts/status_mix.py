"""How a day's requests were answered, by class of status."""

import pyarrow as pa

from lake.contract import Column, Contract, Input
from lake.contracts.requests import APPLICATION, STATUS_CLASS, VANTAGE

CONTRACT = Contract(
    name="status_mix",
    version=1,
    grain="one status class of one application at one vantage",
    key=("application", "vantage", "status_class"),
    inputs=(Input("error_counts"),),
    former_sql=("59ceeac2b20688e48c10ccdff2cf316f2edf383a8ea68e07ff77c6de6cc96140",),  # from requests
    counts="requests",
    columns=(
        APPLICATION,
        VANTAGE,
        STATUS_CLASS,
        Column("requests", pa.int64(), "requests", "All requests, whatever their traffic class", minimum=1),
    ),
)

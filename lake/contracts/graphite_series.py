"""What Graphite knows of applications: how many requests they had in each window, and how many failed."""

import pyarrow as pa

from lake.contract import Column, Contract
from lake.contracts.requests import APPLICATION_NAME

CONTRACT = Contract(
    name="graphite_series",
    version=1,
    grain="one value of one series",
    key=("series", "window_start"),
    per_source=True,
    time="window_start",
    columns=(
        Column(
            "series",
            pa.string(),
            "name",
            "The application, and what is counted: all requests, or those with status 500 to 599",
            pattern=rf"({APPLICATION_NAME})\.(requests|errors)",
        ),
        Column("window_start", pa.timestamp("us"), "UTC", "When the window began in which it was counted"),
        Column(
            "value", pa.float64(), "requests", "How many; NULL if Graphite knows none", nullable=True, minimum=0
        ),
    ),
)

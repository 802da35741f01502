"""Error rates of applications whose requests are counted by Graphite, window by window."""

import pyarrow as pa

from lake.contract import Column, Contract, Input, Rule
from lake.contracts.error_rate import COUNTS, RATE
from lake.contracts.requests import APPLICATION

VALID, ERRORS = (each for each in COUNTS if each.name in {"valid_requests", "server_error_requests"})

CONTRACT = Contract(
    name="windowed_error_rate",
    version=1,
    grain="one application",
    key=("application",),
    inputs=(Input("graphite_series"),),
    columns=(
        APPLICATION,
        Column("windows", pa.int64(), "windows", "Windows of the day with requests", minimum=1),
        Column("windows_with_errors", pa.int64(), "windows", "Those in which some failed", minimum=0),
        Column(
            VALID.name, VALID.type, VALID.unit, "Requests of all windows, also of those without errors", minimum=0
        ),
        Column(ERRORS.name, ERRORS.type, ERRORS.unit, "Those with status 500 to 599", minimum=0),
        *RATE,
        Column("worst_window_start", pa.timestamp("us"), "UTC", "When the window with the highest rate began"),
        Column("worst_window_error_rate", pa.float64(), "share, 0 to 1", "Its rate", minimum=0, maximum=1),
    ),
    rules=(
        Rule("windows_with_errors <= windows", "a window is counted once"),
        Rule("server_error_requests <= valid_requests", "a request fails once"),
    ),
)

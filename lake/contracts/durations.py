"""How long requests took, in each five minutes: sketches of which percentiles of any time are made."""

from lake.contract import Contract, Input
from lake.contracts.source_durations import COLUMNS, KEY, RULES

CONTRACT = Contract(
    name="durations",
    version=1,
    grain="one bucket of durations of one application at one vantage in five minutes",
    key=KEY,
    inputs=(Input("source_durations"),),
    counts="requests_total",
    time="bucket_start",
    columns=COLUMNS,
    rules=RULES,
)

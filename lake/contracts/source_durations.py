"""How long one source's requests took, in each five minutes: sketches that add up to those of any time."""

import pyarrow as pa

from lake.contract import Column, Contract, Input, Rule
from lake.contracts.error_rate import COUNTS
from lake.contracts.requests import APPLICATION, VANTAGE
from lake.contracts.source_counts import BUCKET_RULES, BUCKET_START

TOTAL, VALID = (each for each in COUNTS if each.name in {"requests_total", "valid_requests"})
KEY = ("application", "vantage", "bucket_start", "duration_bucket")
COLUMNS = (
    APPLICATION,
    VANTAGE,
    BUCKET_START,
    Column(
        "duration_bucket",
        pa.int16(),
        "number",
        "duration_bucket(duration_seconds): durations of one bucket differ by 2 % at most; -1 for 0 seconds, -2 "
        "for none",
        minimum=-2,
        maximum=3000,
    ),
    TOTAL,
    VALID,
)
RULES = (*BUCKET_RULES, Rule("valid_requests <= requests_total", "valid requests are among all"))

CONTRACT = Contract(
    name="source_durations",
    version=1,
    grain="one bucket of durations of one application at one vantage in five minutes, by one source",
    key=KEY,
    per_source=True,
    inputs=(Input("requests"),),
    counts="requests_total",
    time="bucket_start",
    columns=COLUMNS,
    rules=RULES,
)

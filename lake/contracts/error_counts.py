"""The metric's counts in each five minutes: what incidents, burn rates, alerts and local days are made of."""

import pyarrow as pa

from lake.contract import Column, Contract, Rule
from lake.contracts.error_rate import COUNT_RULES, COUNTS
from lake.contracts.requests import APPLICATION, STATUS_CLASS, VANTAGE

CONTRACT = Contract(
    name="error_counts",
    version=1,
    grain="one status class of one application at one vantage in five minutes with requests of it",
    key=("application", "vantage", "bucket_start", "status_class"),
    inputs=("requests",),
    counts="requests_total",
    time="bucket_start",
    columns=(
        APPLICATION,
        VANTAGE,
        Column("bucket_start", pa.timestamp("us"), "UTC", "When the five minutes began"),
        STATUS_CLASS,
        *COUNTS,
    ),
    rules=(
        Rule(
            "bucket_start = time_bucket(interval 5 minutes, bucket_start)",
            "a bucket begins at a full five minutes",
        ),
        Rule("requests_total > 0", "what didn't occur has no row"),
        *COUNT_RULES,
    ),
)

"""One source's counts in each five minutes: its requests are read once, and all other counts are sums of these."""

import pyarrow as pa

from lake.contract import Column, Contract, Input, Rule
from lake.contracts.error_rate import COUNT_RULES, COUNTS
from lake.contracts.requests import APPLICATION, STATUS_CLASS, VANTAGE

BUCKET_START = Column("bucket_start", pa.timestamp("us"), "UTC", "When the five minutes began")
BUCKET_RULES = (
    Rule("bucket_start = time_bucket(interval 5 minutes, bucket_start)", "a bucket begins at a full five minutes"),
    Rule("requests_total > 0", "what didn't occur has no row"),
)

CONTRACT = Contract(
    name="source_counts",
    version=1,
    grain="one status class of one application at one vantage in five minutes with requests of it, by one source",
    key=("application", "vantage", "bucket_start", "status_class"),
    per_source=True,
    inputs=(Input("requests"),),
    former_sql=("578a2fba0cb86844325dff544528ffc1c4366a17e6c2d53cf2227031c4ddedf7",),  # counts written out
    counts="requests_total",
    time="bucket_start",
    columns=(APPLICATION, VANTAGE, BUCKET_START, STATUS_CLASS, *COUNTS),
    rules=(*BUCKET_RULES, *COUNT_RULES),
)

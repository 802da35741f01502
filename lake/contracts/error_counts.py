"""The metric's counts in each five minutes: what incidents, burn rates, alerts and local days are made of."""

from lake.contract import Contract, Input
from lake.contracts.error_rate import COUNT_RULES, COUNTS
from lake.contracts.requests import APPLICATION, STATUS_CLASS, VANTAGE
from lake.contracts.source_counts import BUCKET_RULES, BUCKET_START

CONTRACT = Contract(
    name="error_counts",
    version=1,
    grain="one status class of one application at one vantage in five minutes with requests of it",
    key=("application", "vantage", "bucket_start", "status_class"),
    inputs=(Input("source_counts"),),
    former_sql=("9654746edd1c30a2d32c6f69e021e7ed98bcc719d6b8481c9824e06e39c6b9ae",),  # from requests
    counts="requests_total",
    time="bucket_start",
    columns=(
        APPLICATION,
        VANTAGE,
        BUCKET_START,
        STATUS_CLASS,
        *COUNTS,
    ),
    rules=(*BUCKET_RULES, *COUNT_RULES),
)

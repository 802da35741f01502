"""What incidents, burn rates, alerts and days of other time zones are made of."""

from lake.contracts import contract
from tasks.metric import MetricDaily


class ErrorCountsDaily(MetricDaily):
    """Requests and errors in each five minutes of one UTC day."""

    contracts = (contract("error_counts"),)

"""The main metric."""

from lake.contracts import contract
from tasks.metric import MetricDaily


class ErrorRateDaily(MetricDaily):
    """Application error rates of one UTC day."""

    contracts = (contract("error_rate"),)

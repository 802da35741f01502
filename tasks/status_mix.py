"""How requests were answered."""

from lake.contracts import contract
from tasks.metric import MetricDaily


class StatusMixDaily(MetricDaily):
    """Requests per application and status class of one UTC day."""

    contracts = (contract("status_mix"),)

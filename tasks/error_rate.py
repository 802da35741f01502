"""The main metric."""

from tasks.daily import DailyTask


class ErrorRateDaily(DailyTask):
    """Application error rates of one UTC day."""

    dataset = "error_rate"

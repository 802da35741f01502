"""What incidents, burn rates, alerts and days of other time zones are made of."""

from tasks.daily import DailyTask


class ErrorCountsDaily(DailyTask):
    """Requests and errors in each five minutes of one UTC day."""

    dataset = "error_counts"

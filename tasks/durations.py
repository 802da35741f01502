"""How long requests took."""

from tasks.daily import DailyTask


class DurationsDaily(DailyTask):
    """Requests per five minutes and bucket of durations of one UTC day."""

    dataset = "durations"

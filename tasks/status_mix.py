"""How requests were answered."""

from tasks.daily import DailyTask


class StatusMixDaily(DailyTask):
    """Requests per application and status class of one UTC day."""

    dataset = "status_mix"

"""How pages do."""

from tasks.daily import DailyTask


class ContentPerformanceDaily(DailyTask):
    """Views, feedback and errors of each page on one UTC day."""

    dataset = "content_performance"

"""Pages by popularity."""

from tasks.daily import DailyTask


class PagePopularityDaily(DailyTask):
    """The popularity of each page over the 14 days that end with one UTC day."""

    dataset = "page_popularity"

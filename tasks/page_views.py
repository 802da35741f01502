"""From what web analytics export to `page_views` and `rejects`."""

import luigi

from tasks.daily import DailyTask


class PageViewsDaily(DailyTask):
    """The page views of one source on one UTC day."""

    dataset = "page_views"
    source = luigi.Parameter(description="name of a [source.NAME] in luigi.cfg")

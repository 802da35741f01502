"""From what people say of pages to `page_feedback` and `rejects`."""

import luigi

from tasks.daily import DailyTask


class PageFeedbackDaily(DailyTask):
    """The feedback of one source on one UTC day."""

    dataset = "page_feedback"
    source = luigi.Parameter(description="name of a [source.NAME] in luigi.cfg")

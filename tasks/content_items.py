"""From a site's nightly export to `content_items` and `rejects`."""

import luigi

from tasks.daily import DailyTask


class ContentItemsDaily(DailyTask):
    """The content of one source on one UTC day."""

    dataset = "content_items"
    source = luigi.Parameter(description="name of a [source.NAME] in luigi.cfg")

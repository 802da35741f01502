"""From a source's raw logs to `requests` and `rejects`."""

import luigi

from tasks.daily import DailyTask


class RequestsDaily(DailyTask):
    """The requests and rejects of one source on one UTC day."""

    dataset = "requests"
    source = luigi.Parameter(description="name of a [source.NAME] in luigi.cfg")

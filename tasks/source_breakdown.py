"""What the requests and errors of each source were for, from which a day's breakdown is summed."""

import luigi

from tasks.daily import DailyTask


class SourceBreakdownDaily(DailyTask):
    """Requests and errors of one source per hour, path template, method and status of one UTC day."""

    dataset = "source_breakdown"
    source = luigi.Parameter(description="name of a [source.NAME] in luigi.cfg")

"""How long the requests of each source took, from which a day's durations are summed."""

import luigi

from tasks.daily import DailyTask


class SourceDurationsDaily(DailyTask):
    """Requests of one source per five minutes and bucket of durations of one UTC day."""

    dataset = "source_durations"
    source = luigi.Parameter(description="name of a [source.NAME] in luigi.cfg")

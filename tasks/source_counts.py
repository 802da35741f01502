"""What each source counts, from which all other counts are summed."""

import luigi

from tasks.daily import DailyTask


class SourceCountsDaily(DailyTask):
    """The counts of one source on one UTC day, and what is known of that day."""

    dataset = "source_counts"
    source = luigi.Parameter(description="name of a [source.NAME] in luigi.cfg")

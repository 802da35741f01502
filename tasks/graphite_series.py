"""From Graphite's series to `graphite_series` and `rejects`."""

import luigi

from tasks.daily import DailyTask


class GraphiteSeriesDaily(DailyTask):
    """The series of one source on one UTC day."""

    dataset = "graphite_series"
    source = luigi.Parameter(description="name of a [source.NAME] in luigi.cfg")

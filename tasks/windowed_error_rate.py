"""Error rates of what Graphite has counted."""

from tasks.daily import DailyTask


class WindowedErrorRateDaily(DailyTask):
    """Error rates per application of one UTC day, from the windows of Graphite."""

    dataset = "windowed_error_rate"

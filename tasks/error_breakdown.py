"""What had the errors."""

from tasks.daily import DailyTask


class ErrorBreakdownDaily(DailyTask):
    """Requests and errors per hour, path template, method and status of one UTC day."""

    dataset = "error_breakdown"

"""What Luigi's workers, which may be processes of their own, report of a range while it is built."""

import multiprocessing
import sys
from collections.abc import Sequence
from datetime import date

import luigi
from tqdm import tqdm

from tasks.daily import DailyTask

tqdm.monitor_interval = 0  # its thread would not survive the worker's forks


class Progress:
    """Remembers which days failed, and shows a bar of the finished ones on a terminal."""

    def __init__(self, example: DailyTask, days: Sequence[date]) -> None:
        self._days = {day: index for index, day in enumerate(days)}
        self._failed = multiprocessing.Array("b", len(days))
        self._done = multiprocessing.Value("i", 0)
        self._bar = tqdm(
            total=len(days),
            desc=example.task_family,
            unit="day",
            disable=not days or not sys.stderr.isatty(),
            leave=False,
        )
        DailyTask.event_handler(luigi.Event.FAILURE)(self._remember)
        for event in (luigi.Event.SUCCESS, luigi.Event.FAILURE):
            type(example).event_handler(event)(self._count)

    def failed_days(self) -> set[date]:
        """Return the days of which some task failed, be it one that the day requires."""
        return {day for day, index in self._days.items() if self._failed[index]}

    def close(self) -> None:
        """Take the bar off the screen."""
        self._bar.close()

    def _remember(self, task: DailyTask, _error: BaseException) -> None:
        if task.date in self._days:
            self._failed[self._days[task.date]] = 1

    def _count(self, task: DailyTask, *_error: BaseException) -> None:
        with self._done.get_lock():
            self._done.value += 1
            self._bar.n = self._done.value
            self._bar.set_postfix_str(str(task.date))

"""A progress bar over the days of a range, on a terminal only."""

import multiprocessing
import sys

import luigi
from tqdm import tqdm

from tasks.daily import DailyTask

tqdm.monitor_interval = 0  # its thread would not survive the worker's forks


class Progress:
    """Counts the finished days of one task family; Luigi's workers may be processes of their own."""

    def __init__(self, example: DailyTask, days: int) -> None:
        self._done = multiprocessing.Value("i", 0)
        self._bar = tqdm(
            total=days,
            desc=example.task_family,
            unit="day",
            disable=not days or not sys.stderr.isatty(),
            leave=False,
        )
        for event in (luigi.Event.SUCCESS, luigi.Event.FAILURE):
            type(example).event_handler(event)(self._count)

    def close(self) -> None:
        """Take the bar off the screen."""
        self._bar.close()

    def _count(self, task: DailyTask, *_error: BaseException) -> None:
        with self._done.get_lock():
            self._done.value += 1
            self._bar.n = self._done.value
            self._bar.set_postfix_str(str(task.date))

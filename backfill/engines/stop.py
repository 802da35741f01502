"""The wish to stop a run, by Ctrl-C or SIGTERM: once lets what runs finish, twice abandons it."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Self

STOPS = frozenset({signal.SIGINT, signal.SIGTERM})
STOPPING = b"Stopping: what runs is finished first. Once more to abandon it.\n"


class Stop:
    """The wish to stop: the first Ctrl-C or SIGTERM lets what runs finish, the second ends it.

    Attributes:
        signals: Those that came so far.
        process: The one that they are for: its children finish what they do, and hear of it from here.
    """

    def __init__(self) -> None:
        self.signals: list[int] = []
        self.process = os.getpid()

    def __bool__(self) -> bool:
        return bool(self.signals)

    @property
    def exit_code(self) -> int | None:
        """The code of a shell for what a signal ended, None if none came."""
        return 128 + self.signals[0] if self.signals else None

    def note(self, number: int, _frame: FrameType | None) -> None:
        """Handle a signal, in this process."""
        if os.getpid() != self.process:
            return
        self.signals.append(number)
        if len(self.signals) > 1:
            self.abandon()
            raise KeyboardInterrupt
        os.write(sys.stderr.fileno(), STOPPING)  # print is not to be called while it may be at work
        self.begin_no_more()

    def begin_no_more(self) -> None:
        """Have the engine's system begin nothing more, where it doesn't ask here."""

    def abandon(self) -> None:
        """End what runs, before the engine does so itself."""

    @classmethod
    @contextmanager
    def on_signals(cls) -> Iterator[Self]:
        """Listen to both signals for a while."""
        stop = cls()
        before = {number: signal.signal(number, stop.note) for number in STOPS}
        try:
            yield stop
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

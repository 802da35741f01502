"""What is asked of another system, a day at a time, and what it says when it has nothing yet."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Protocol

from etl.fetch.parts import Part
from lake.errors import NoLines


class NotReady(NoLines):
    """The other system doesn't have the day yet: it waits, like a day without a raw file."""


class Asked(Protocol):
    """What is asked of which system, a day at a time."""

    def recorded(self) -> dict[str, object]:
        """Return what is recorded of it with each snapshot: templates and settings, never a secret."""
        ...

    def parameters(self, day: date) -> dict[str, object]:
        """Return what is recorded of what a day puts into it."""
        ...

    def fetch(self, day: date, folder: Path) -> Sequence[Part]:
        """Fetch a day into files of a folder, all of it or none.

        Raises:
            NotReady: The system says that it doesn't have the day yet, or has nothing of it.
            ConfigError: A variable of the environment is not set, or what is needed is not installed.
            StoreError: It can't be reached, doesn't let us in, or stays too busy.
            InputError: It refuses what is asked, or answers something else.
        """
        ...

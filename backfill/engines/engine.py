"""What an engine is to its callers."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from backfill.attempts import Attempts
from backfill.plan import Plan
from etl.units import Unit


@dataclass(frozen=True)
class Result:
    """What came of the units that an engine was given.

    Attributes:
        failed: The days of which some unit failed, be it one that the day's unit is made from.
        errors: What was said of each of them first.
        waiting: The days of which no raw log has a line yet, with what was said of it.
        below: Of which days something was built that a day's own unit is made from, by kinds of units.
        stopped: The exit code of a command that somebody stopped meanwhile, None if nobody did.
    """

    failed: frozenset[date]
    errors: Mapping[date, str]
    waiting: Mapping[date, str]
    below: Mapping[Unit, Collection[date]]
    stopped: int | None = None


class Engine(Protocol):
    """Builds the units of a plan, each after what it is made from, and records their attempts."""

    def __call__(  # noqa: PLR0913 - each says another thing of what to do
        self,
        plan: Plan,
        past: Attempts,
        *,
        workers: int,
        max_failures: int | None = None,
        say: Callable[[str], None] | None = None,
        says_errors: bool = True,
    ) -> Result:
        """Build what a plan has chosen.

        Args:
            plan: What to build, in the order wanted.
            past: Where the attempts are recorded.
            workers: How many units are built at the same time.
            max_failures: After how many failed days to begin no more; None for never.
            say: Is told now and then how far it is.
            says_errors: Whether to say why a day failed when it does, and not to leave that to the caller.

        Raises:
            ConfigError: What the engine needs is not there.
        """

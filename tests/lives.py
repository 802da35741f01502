"""Machines of hypothesis live: as many of them in CI as a test says, and with MACHINE_LIVES so many instead."""

import os
from collections.abc import Callable

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

LIVES = int(os.environ.get("MACHINE_LIVES", "0"))


def live(make: Callable[[], RuleBasedStateMachine], lives: int, steps: int) -> None:
    """Let so many machines live for so many steps each."""
    run_state_machine_as_test(
        make,
        settings=settings(
            max_examples=LIVES or lives,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            derandomize=not LIVES,  # with MACHINE_LIVES others live each time
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink],
        ),
    )

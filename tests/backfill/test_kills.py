"""Runs that are killed at any moment, and what the lake is after the next one.

`KILLS=100 python -m pytest tests/backfill/test_kills.py` does it longer than CI.
"""

import os
import random
import signal
import time
from datetime import date, timedelta
from pathlib import Path

import pytest

RUN = ("backfill", "run", "--of", "ErrorRateDaily", "--workers", "2")
DAYS = 12
KILLS = int(os.environ.get("KILLS", "12"))
SEED = 20151


def processes_in(folder: Path) -> list[str]:
    """Return the command lines of the processes that work in a folder."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            if (each / "cwd").readlink() == folder:
                found.append((each / "cmdline").read_text().replace("\0", " "))
        except OSError:  # it has just ended, or is another's
            continue
    return found


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_lake_is_the_same_after_runs_that_were_killed(make_project, number):
    """Byte for byte that of an undisturbed run, with no process and no temporary file left."""

    def fresh(name):
        made = make_project(name)
        made.configure(web=made.source | {"until": str(date(2015, 5, 17) + timedelta(days=DAYS))})
        made.write_logs(days=DAYS, lines=20)
        return made

    undisturbed = fresh("undisturbed")
    assert undisturbed.run(*RUN).returncode == 0
    rng, lakes, project = random.Random(SEED), 0, None  # noqa: S311 - moments, no secrets
    for _ in range(KILLS):
        if project is None:
            lakes += 1
            project = fresh(f"disturbed{lakes}")
        process = project.start(*RUN)
        time.sleep(rng.uniform(0.3, 2))
        process.send_signal(number)
        process.communicate(timeout=60)
        assert process.returncode in {0, -number, 128 + number}
        time.sleep(0.1)
        assert processes_in(project.folder) == []
        assert project.published().items() <= undisturbed.published().items()
        if len(project.published()) == len(undisturbed.published()):
            project = None
    if project:
        assert project.run(*RUN).returncode == 0
        assert project.published() == undisturbed.published()
        assert not list(project.folder.glob("lake/_staging/*"))

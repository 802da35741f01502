"""Eight processes publish the same 25 partitions at the same time, or as many as RACES says.

`RACES=200 python -m pytest -m slow tests/lake/test_race.py` does it longer than CI, on disk and moto; with
`--s3-server ministack` or `seaweedfs` on that server. SeaweedFS takes most of a second for a key that eight want.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from lake.lake import Lake
from lake.partition import Partition

pytestmark = pytest.mark.slow
RACERS, PARTITIONS = 8, int(os.environ.get("RACES", "25"))


@pytest.fixture
def race(lake, atomic_moto):
    """Runs the race; returns what came of each attempt, by partition and process."""

    def run(contents):
        endpoint_url = getattr(lake.store, "endpoint_url", None) or ""
        script = Path(__file__).with_name("racer.py")
        done = subprocess.run(
            [sys.executable, script, lake.root, endpoint_url, contents, str(PARTITIONS)],
            capture_output=True,
            text=True,
            check=False,
            timeout=1200,
        )
        assert (done.returncode, done.stderr) == (0, "")
        outcomes = {(n, racer): outcome for n, racer, outcome in map(json.loads, done.stdout.splitlines())}
        assert len(outcomes) == RACERS * PARTITIONS
        return outcomes

    return run


def published(lake: Lake, day, folder):
    """Return the contents of the raced partitions."""
    partitions = [Partition("raced", 1, day + timedelta(n)) for n in range(PARTITIONS)]
    return [lake.local_copy(partition, folder).read_text() for partition in partitions]


@pytest.mark.parametrize("contents", ["same", "different"])
def test_a_race_has_one_winner(race, lake, day, tmp_path, contents):
    """Of each partition exactly one process publishes its bytes; the others succeed with the same bytes only."""
    others = {"same": "False", "different": "PartitionExists"}[contents]
    outcomes = race(contents)
    for n in range(PARTITIONS):
        assert Counter(outcomes[n, racer] for racer in range(RACERS)) == {"True": 1, others: RACERS - 1}
    winners = sorted(attempt for attempt, outcome in outcomes.items() if outcome == "True")
    expected = [f"{n} by {racer if contents == 'different' else 'all'}" for n, racer in winners]
    assert published(lake, day, tmp_path) == expected

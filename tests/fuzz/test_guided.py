"""The fuzz programs work: what they say must hold does, of each target's seeds and of many that are damaged."""

from importlib import import_module
from pathlib import Path
from random import Random

import pytest

FOLDER = str(Path(__file__).parent)  # tests are no package
DAMAGED = {"raw_lines": 30, "raw_file": 30, "configuration": 100, "keys": 1000}


@pytest.mark.parametrize("name", DAMAGED)
def test_what_must_hold_does(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the seeds, some of the many, and of what becomes of them by damage: no exception, no difference."""
    monkeypatch.syspath_prepend(FOLDER)
    target, rng = import_module(name), Random(name)  # noqa: S311 - no secret
    seeds = list(target.seeds(rng))
    for data in rng.sample(seeds, min(len(seeds), 20)):
        target.check(data)
    for _ in range(DAMAGED[name]):
        target.check(target.damaged(rng, rng.choice(seeds)))

"""Limits: what an extraction may use of a machine."""

from pathlib import Path

import pytest

from etl.sources.limits import Limits, cores, limits
from lake import config
from lake.errors import ConfigError


def _limits(tmp_path: Path, text: str) -> tuple[int, int]:
    path = tmp_path / "luigi.cfg"
    path.write_text(text)
    found = limits(config.read(path))
    return found.readers, found.blocks_ahead


def test_by_default_all_cores_within_400_mb(tmp_path: Path) -> None:
    """As many readers as cores, as far as the memory goes."""
    readers, ahead = _limits(tmp_path, "")
    assert 1 <= readers <= min(cores(), 3)
    assert ahead >= 1


@pytest.mark.parametrize(
    ("text", "readers"), [("threads = 1", 1), ("threads = 8\nmemory_mb = 1000", 8), ("memory_mb = 300", 1)]
)
def test_both_bound_the_readers(tmp_path: Path, text: str, readers: int) -> None:
    """The setting where it is given, and no more than fit into the memory."""
    found, ahead = _limits(tmp_path, f"[extraction]\n{text}\n")
    assert found == min(readers, 8 if "threads" in text else cores())
    assert ahead >= 1


def test_more_memory_reads_farther_ahead(tmp_path: Path) -> None:
    """What one reader may have waiting grows with it."""
    less, more = (_limits(tmp_path, f"[extraction]\nthreads = 2\nmemory_mb = {mb}\n")[1] for mb in (500, 2000))
    assert more > less


@pytest.mark.parametrize(("readers", "encoders"), [(1, 1), (2, 1), (3, 1), (4, 2), (16, 8)])
def test_two_readers_have_an_encoder(tmp_path: Path, readers: int, encoders: int) -> None:
    """Else many would wait for one; each takes memory too."""
    path = tmp_path / "luigi.cfg"
    path.write_text(f"[extraction]\nthreads = {readers}\nmemory_mb = 1460\n")
    found = limits(config.read(path))
    assert (found.readers, found.encoders) == (readers, encoders)
    path.write_text(f"[extraction]\nthreads = {readers}\nmemory_mb = 300\n")
    assert limits(config.read(path)) == Limits(1, 1, 1)


@pytest.mark.parametrize(
    "text",
    [
        "threads = 0",
        "threads = two",
        pytest.param("threads = " + "9" * 5000, id="thousands of digits"),
        "memory_mb = 100",
        "memory_mb = -1",
        "cores = 2",
    ],
)
def test_a_limit_that_cannot_be_meant_is_refused(tmp_path: Path, text: str) -> None:
    """The message names the file, the section and the key."""
    with pytest.raises(ConfigError, match=rf"luigi\.cfg, \[extraction\]: .*{text.split(maxsplit=1)[0]}"):
        _limits(tmp_path, f"[extraction]\n{text}\n")

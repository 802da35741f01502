"""How much of a machine an extraction may use: the section `[extraction]` of luigi.cfg."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from lake.config import Config, check_keys, whole_number

SECTION = "extraction"
KEYS = ("threads", "memory_mb")
# What an extraction takes with one reader and nothing read ahead, each further reader, each further row group that
# is encoded meanwhile, and each block's rows
BASE_MB, READER_MB, ENCODER_MB, AHEAD_MB = 300, 40, 80, 16
READERS_AN_ENCODER = 2  # to read rows takes about twice as long as to encode them
DEFAULT_MEMORY_MB = 400
HIGHEST_MB = 1 << 20


def cores() -> int:
    """Return how many cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Limits:
    """How much an extraction may use.

    Attributes:
        readers: How many raw files are read at once, each in a thread.
        blocks_ahead: How many blocks of each may wait, taken apart, for the files before it.
        encoders: How many row groups may be encoded at once; with more than one, each in a thread.
    """

    readers: int = 1
    blocks_ahead: int = 1
    encoders: int = 1


def limits(config: Config) -> Limits:
    """Return the limits that luigi.cfg sets, else what the cores and 400 MB allow.

    Raises:
        ConfigError: A key is unknown, no number, or too little to work with.
    """
    values = config.section(SECTION) if SECTION in config.sections else {}
    with config.named(SECTION):
        check_keys(values, KEYS)
        return _limits(values)


def _limits(values: Mapping[str, str]) -> Limits:
    readers = whole_number("threads", values.get("threads", str(cores())), 1, 256)
    memory = whole_number("memory_mb", values.get("memory_mb", str(DEFAULT_MEMORY_MB)), BASE_MB, HIGHEST_MB)
    left = memory - BASE_MB
    readers = max(each for each in range(1, readers + 1) if _threads_mb(each) <= left)
    left -= _threads_mb(readers)
    return Limits(readers, max(1, left // (readers * AHEAD_MB)), encoders_beside(readers))


def encoders_beside(readers: int) -> int:
    """Return how many row groups are encoded at once, so that so many readers don't wait for it."""
    return max(1, readers // READERS_AN_ENCODER)


def _threads_mb(readers: int) -> int:
    return (readers - 1) * READER_MB + (encoders_beside(readers) - 1) * ENCODER_MB

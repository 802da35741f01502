"""What can go wrong, as one tree.

LakeError                 anything the project raises on purpose      exit code 1
├── ConfigError           luigi.cfg or an argument is wrong           exit code 2
├── StoreError            the lake, or a delivery's target, is away   exit code 3
│   └── Damaged           a published file is not what was published  exit code 3
├── PartitionExists       other bytes are published under that name   exit code 1
├── PartitionMissing      a partition was asked for that isn't there  exit code 1
├── ContractViolation     data break their dataset's contract         exit code 1
├── TargetRefused         a delivery would change what isn't its own  exit code 1
├── InputError            raw logs are missing, broken or too bad     exit code 1
│   └── NoLines           an undated log has no line of a day yet     exit code 1
└── RangeIncomplete       a range has days that are not there         exit code 1

A message says what happened, to what, what was expected, and what to do next.
"""

from typing import ClassVar

__all__ = [
    "ConfigError",
    "ContractViolation",
    "Damaged",
    "InputError",
    "LakeError",
    "NoLines",
    "PartitionExists",
    "PartitionMissing",
    "RangeIncomplete",
    "StoreError",
    "TargetRefused",
]


class LakeError(Exception):
    """Base of everything raised on purpose; its text is meant for the user."""

    exit_code: ClassVar[int] = 1


class ConfigError(LakeError):
    """luigi.cfg, or an argument of a command, is missing or wrong."""

    exit_code = 2


class StoreError(LakeError):
    """The lake's root, or the target of a delivery, can't be reached, read or written."""

    exit_code = 3


class Damaged(StoreError):
    """A published file is there and has come, and can't be read as what it should be."""


class PartitionExists(LakeError):
    """Other bytes are already published under this partition's name; nothing was changed."""


class PartitionMissing(LakeError):
    """A partition was asked for that isn't published."""


class ContractViolation(LakeError):
    """Data break the contract of their dataset, or a check on them failed; nothing was published."""


class TargetRefused(LakeError):
    """A delivery's target holds what isn't the delivery's, or is ahead of the lake; nothing was changed."""


class InputError(LakeError):
    """Raw logs are missing, unreadable, or hold more rejects than allowed."""


class NoLines(InputError):
    """No undated raw log has a line of the day yet: it waits for some."""


class RangeIncomplete(LakeError):
    """A range was worked through, and some of its days are still not there."""

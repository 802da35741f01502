"""The commands over raw logs: identify and rejects."""

import glob
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from backfill import options, report
from etl.looks import identify, replay
from etl.project import project
from etl.raw.files import RawFile
from lake import config
from lake.cli import printable
from lake.errors import ConfigError
from lake.store.protocol import S3_SCHEME

MOST_FILES = 8  # of several, that are looked into
STANDARD_INPUT, PIPED = "standard input", "access.log"


def identify_log(asked: options.Identify) -> int:
    """Print what the first lines of a log become; return 0 if nearly all of them are read, else 1."""
    declared = project().source(asked.source) if asked.source else None
    files = [each for given in asked.files for each in _found(given)]
    looked_at = files[-MOST_FILES:]
    endpoint_url = declared.files.endpoint_url if declared else _endpoint_url(files)
    samples = [identify.sample(each, identify.SAMPLE_BYTES // len(looked_at), endpoint_url) for each in looked_at]
    sample = b"\n".join([*(each.removesuffix(b"\n") for each in samples[:-1]), samples[-1]])
    name = looked_at[-1].name if len(files) == 1 else f"{looked_at[-1].name} and {len(files) - 1:,} more"
    head = identify.first_lines(sample)
    if declared or asked.format:
        source = declared or identify.declare({"format": asked.format or ""})
        best = identify.read(head, source)
        _print(report.of_known(best, head, name, asked.lines, raw=asked.raw))
        return 0 if best.is_good else 1
    readings = identify.identify(head)
    if not readings[0].fits:
        _print(report.of_unreadable(readings[0], head, name, asked.lines, raw=asked.raw))
        return 1
    folder = _folder()
    path = _in_configuration(looked_at[-1], folder)
    beside = [replace(each, name=_in_configuration(each, folder)) for each in files if each != looked_at[-1]]
    best = identify.suggestion(readings[0], sample, path, folder, endpoint_url, beside=beside)
    _print(report.of_unknown(best, readings, head, name, asked.lines, raw=asked.raw))
    return 0 if best.is_good and not best.left_out else 1


def _found(given: str) -> list[RawFile]:
    """Return the files that an argument names, in order.

    Raises:
        ConfigError: There are none.
    """
    if given == "-":
        return [RawFile(STANDARD_INPUT, "/dev/stdin", None)]
    if given.startswith(S3_SCHEME) or not (Path(given).is_dir() or glob.has_magic(given)) or Path(given).is_file():
        location = given if given.startswith(S3_SCHEME) else str(Path(given).absolute())
        return [RawFile(printable(given), location, None)]
    pattern = os.path.join(glob.escape(given), "*") if Path(given).is_dir() else given  # noqa: PTH118 - a pattern
    found = [each for each in sorted(glob.glob(pattern, recursive=True)) if Path(each).is_file()]  # noqa: PTH207 - a pattern
    if not found and Path(given).is_dir() and any(each.is_file() for each in Path(given).rglob("*")):
        below = printable(os.path.join(given, "**", "*"))  # noqa: PTH118 - a pattern
        raise ConfigError(
            f"{printable(given)}: files lie only in the folders below it. Name one, or all by '{below}'."
        )
    if not found:
        raise ConfigError(f"{printable(given)}: there is no file. Name a log, or a folder or a pattern of logs.")
    return [RawFile(printable(each), str(Path(each).absolute()), None) for each in found]


def replay_rejects(asked: options.Rejects) -> int:
    """Print what a day's published rejects are to today's code; return 0 if all are still rejects, else 1."""
    found = project()
    source, day = found.source(asked.source), asked.date
    partition = replay.published_rejects(found.lake, source, day)
    tally = replay.tally(replay.replay(found.lake, source, partition), asked.limit)
    _print(report.of_replay(tally, source.rows_are, raw=asked.raw))
    if tally.days:
        _print(["To restate these days, and everything that is made from them:"])
        _print(f"  {replay.restatement(found.lake, source, each)}" for each in sorted({day, *tally.days}))
    return 0 if tally.rejects == tally.total else 1


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        print(printable(line))


def _folder() -> Path:
    """Return the folder that paths of luigi.cfg start from."""
    try:
        return config.find().parent.absolute()
    except ConfigError:  # none so far: it will lie here
        return Path.cwd()


def _endpoint_url(files: Iterable[RawFile]) -> str | None:
    """Return where luigi.cfg says that S3 is, None for AWS, or if no file is there."""
    if not any(each.location.startswith(S3_SCHEME) for each in files):
        return None
    try:
        found = config.read(config.find())
    except ConfigError:  # none so far
        return None
    return found.lake().endpoint_url if "lake" in found.sections else None


def _in_configuration(file: RawFile, folder: Path) -> str:
    """Return a path as luigi.cfg names it: relative to its folder, unless it is absolute."""
    if file.name == STANDARD_INPUT:
        return PIPED
    path = file.location if file.location.startswith(S3_SCHEME) else file.name
    return path if Path(path).is_absolute() or path == file.location else os.path.relpath(file.location, folder)

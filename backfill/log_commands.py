"""The commands over raw logs: identify and rejects."""

import os
from collections.abc import Iterable
from pathlib import Path

from backfill import options, report
from etl.looks import identify, replay
from etl.project import project
from etl.raw.files import RawFile
from lake import config
from lake.cli import printable
from lake.errors import ConfigError
from lake.store.protocol import S3_SCHEME


def identify_log(asked: options.Identify) -> int:
    """Print what the first lines of a log become; return 0 if nearly all of them are read, else 1."""
    is_on_s3 = asked.file.startswith(S3_SCHEME)
    location = asked.file if is_on_s3 else str(Path(asked.file).absolute())
    file = RawFile(printable(asked.file), location, None)
    declared = project().source(asked.source) if asked.source else None
    head = identify.first_lines(file, declared.files.endpoint_url if declared else None)
    if declared or asked.format:
        source = declared or identify.declare({"format": asked.format or ""})
        best = identify.read(head, source)
        _print(report.of_known(best, file.name, asked.lines))
    else:
        readings = identify.identify(head)
        best, files = readings[0], _in_configuration(asked.file)
        _print(report.of_unknown(readings, head, file.name, files, asked.lines))
    return 0 if best.is_good else 1


def replay_rejects(asked: options.Rejects) -> int:
    """Print what a day's published rejects are to today's code; return 0 if all are still rejects, else 1."""
    found = project()
    source, day = found.source(asked.source), asked.date
    partition = replay.published_rejects(found.lake, source, day)
    tally = replay.tally(replay.replay(found.lake, source, partition), asked.limit)
    _print(report.of_replay(tally, raw=asked.raw))
    if tally.days:
        _print(["To restate these days, and everything that is made from them:"])
        _print(f"  {replay.restatement(found.lake, source, each)}" for each in sorted({day, *tally.days}))
    return 0 if tally.rejects == tally.total else 1


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        print(printable(line))


def _in_configuration(path: str) -> str:
    """Return a path as luigi.cfg names it: relative to its folder, unless it is absolute."""
    try:
        folder = config.find().parent
    except ConfigError:  # none so far: it will lie here
        folder = Path.cwd()
    return path if Path(path).is_absolute() else os.path.relpath(path, folder)

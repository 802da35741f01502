"""The command `lake report`: writes a report as one HTML file, and as a picture."""

import argparse
from pathlib import Path
from types import ModuleType

from lake import config, connect
from lake.cli import printable
from lake.errors import ConfigError, LakeError
from lake.lake import Lake
from lake.report.data import Report, gather, require_applications, scope
from lake.report.figures import plural
from lake.store.disk import replace_file


def report(arguments: argparse.Namespace) -> int:
    """Write what is asked for, say where, and return 0.

    Raises:
        ConfigError: An argument is wrong, no application matches, or what draws charts is not installed.
        LakeError: A file can't be written.
        StoreError: The lake can't be read, or nothing is in it.
    """
    charts, page = _drawing()
    lake = Lake.of(config.read(config.find()))
    lake.require()
    asked = scope(lake, arguments.start, arguments.stop, arguments.applications, arguments.incident_threshold)
    with connect() as connection:
        found = gather(lake, connection, asked)
        if not found.series:
            require_applications(connection, asked)
    _write(arguments.output, page.page(found).encode())
    if arguments.png:
        _write(arguments.png, charts.picture(found))
    _say(found, [each for each in (arguments.output, arguments.png) if each])
    return 0


def _drawing() -> tuple[ModuleType, ModuleType]:
    """Import what draws, which takes long and starts threads, so no other command does."""
    try:
        from lake.report import charts, page  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name not in {"vl_convert", "jinja2"}:
            raise
        raise ConfigError(
            "What draws the charts is not installed. Install it with: pip install 'error-rate-lake[report]'"
        ) from error
    return charts, page


def _write(path: Path, content: bytes) -> None:
    """Write a file as a whole.

    Raises:
        LakeError: It can't be written; what was there stays.
    """
    try:
        replace_file(path, content)
    except OSError as error:
        raise LakeError(f"Can't write {path}: {error.strerror or error}. Nothing was changed there.") from error


def _say(report: Report, paths: list[Path]) -> None:
    days = report.scope.days
    found = [
        plural(len({each.application for each in report.series}), "application"),
        _incidents(report),
        plural(len(report.restatements), "restatement"),
    ]
    print(  # noqa: T201 - a command prints
        f"{' and '.join(printable(str(each)) for each in paths)}: {days[0]} … {days[-1]}, "
        f"{report.published:,} of {plural(len(days), 'day')} published, {', '.join(found)}."
    )


def _incidents(report: Report) -> str:
    if not report.knows_incidents:
        return "incidents not known"
    unknown = report.days_without_incidents
    return plural(len(report.incidents), "incident") + (
        f" (not known of {plural(unknown, 'day')})" if unknown else ""
    )

"""What monitors are told: how late the days of a task are, by the lake itself."""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import IntEnum
from pathlib import Path
from xml.etree import ElementTree as ET

from backfill import options
from backfill.calendar import oldest_gap
from backfill.days import NO_GAP, Day, State, listed
from etl.sources.source import ONE_DAY
from lake.cli import printable
from lake.errors import StoreError
from lake.partition import days_since_epoch
from lake.store.disk import replace_file

OLDEST_SHOWN = 3
CAUSE_CHARACTERS = 160
SUCCEEDED = ("check_succeeded", "1 if the days could be looked at; 0 if not, and then nothing else is said.")
DAY_SECONDS = 86_400


class Status(IntEnum):
    """A monitor's states, by the exit codes of Nagios' plugins."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        task: Of what.
        days: The days looked at.
        warning: From how many late days on it is a warning.
        critical: From how many on it is critical.
        incomplete: What days that are there lack of their raw logs.
        warning_incomplete: From how many such days on it is a warning.
        concerns: What else is wrong with days that are there, which is a warning.
        of: The options that name its kind, for a command.
        sources: The names of the sources that it is made from.
        older: The days before these that are settled and not there.
    """

    task: str
    days: Sequence[Day]
    warning: int
    critical: int
    incomplete: Mapping[date, str] = field(default_factory=dict)
    warning_incomplete: int = 1
    concerns: Sequence[str] = ()
    of: str = ""
    sources: Sequence[str] = ()
    older: Sequence[date] = ()

    @property
    def late(self) -> list[Day]:
        """The days that are settled and not there."""
        return [day for day in self.days if day.state not in NO_GAP | {State.UNSETTLED}]

    @property
    def command(self) -> str:
        """The command that says which days are late or incomplete, and why."""
        of, first, stop = self.of or f"--of {self.task}", self.days[0].date, self.days[-1].date + ONE_DAY
        return f"backfill status {of} --start {first} --stop {stop}"

    @property
    def status(self) -> Status:
        """How bad that is."""
        late = len(self.late)
        return (
            Status.CRITICAL
            if late >= self.critical
            else Status.WARNING
            if late >= self.warning
            or len(self.incomplete) >= self.warning_incomplete
            or self.concerns
            or self.older
            else Status.OK
        )


def nagios(finding: Finding) -> str:
    """Return a line of status and performance data, as Nagios' plugin guidelines have it."""
    late = finding.late
    there = sum(day.state is State.THERE for day in finding.days)
    said = f"{there} days there, {len(late)} late"
    if late:
        shown = ", ".join(f"{day.date} {day.state}" for day in late[:OLDEST_SHOWN])
        said += f", the oldest: {shown}" + (" …" if len(late) > OLDEST_SHOWN else "")
    if finding.incomplete:
        latest = max(finding.incomplete)
        said += f", {len(finding.incomplete)} incomplete, the latest: {latest} {cut(finding.incomplete[latest])}"
    said = "; ".join((said, *map(cut, finding.concerns)))
    because = next((f"{day.date} {cut(day.reason)}" for day in late if day.reason), None)
    said += f"; {because}" if because else ""
    said += f"; see {finding.command}" if late or finding.incomplete else ""
    if finding.older:
        of = finding.of or f"--of {finding.task}"
        said += (
            f"; {len(finding.older)} older days missing, the first: {finding.older[0]}; to build them: backfill "
        )
        said += f"nightly {of} --all-gaps"
    # a bar would begin the performance data
    said = f"{finding.task} {finding.status.name}: {said}".replace("|", "/")
    return (
        f"{said} | late={len(late)};{finding.warning};{finding.critical};0 there={there};;;0 "
        f"incomplete={len(finding.incomplete)};{finding.warning_incomplete};;0 older={len(finding.older)};1;;0"
    )


def unknown(task: str, error: Exception) -> str:
    """Return a line for a lake that can't be read."""
    return f"{task} UNKNOWN: {' '.join(str(error).split())}".replace("|", "/")


def say_unknown(asked: options.Check, error: Exception) -> Status:
    """Say why nothing is known, in the format asked for; beside a file that is written, in a line for people, too.

    Raises:
        StoreError: The file can't be written.
    """
    line = unknown(asked.title, error)
    texts = {
        "nagios": lambda: printable(line) + "\n",
        "prometheus": lambda: f"# {printable(line)}\n" + _gauges(asked.title, [(*SUCCEEDED, {"": 0})]),
        "junit": lambda: _unknown_suite(asked.title, line),
        "json": lambda: json.dumps({"of": asked.title, "severity": Status.UNKNOWN.name, "error": line}) + "\n",
    }
    text = texts["json" if asked.json else asked.format]()
    if asked.output:  # no old one stays
        print(printable(line))  # noqa: T201 - the command's result
        write(asked.output, text)
    else:
        sys.stdout.write(text)
    return Status.UNKNOWN


def prometheus(finding: Finding, now: datetime) -> str:
    """Return gauges in Prometheus' text format: a series a state, none a day."""
    counts = Counter(day.state for day in finding.days)
    gap = oldest_gap(finding.days)
    latest = max((day.date for day in finding.days if day.state is State.THERE), default=None)
    gauges: list[tuple[str, str, Mapping[str, float]]] = [
        ("days", "Days of the range by state.", {f',state="{state}"': counts[state] for state in State}),
        ("late_days", "Settled days that are not there.", {"": len(finding.late)}),
        (
            "incomplete_days",
            "Days that are there, and lack some of their raw logs.",
            {"": len(finding.incomplete)},
        ),
        ("concerns", "What else is wrong with days that are there.", {"": len(finding.concerns)}),
        (
            "older_gap_days",
            "Settled days before those of the range that are not there.",
            {"": len(finding.older)},
        ),
        ("checked_timestamp_seconds", "When the lake was looked at.", {"": now.timestamp()}),
    ]
    for name, meaning, day in (
        ("oldest_gap_timestamp_seconds", "Begin of the oldest late day, 0 if there is none.", gap),
        ("latest_day_timestamp_seconds", "Begin of the latest day that is there, 0 if none is.", latest),
    ):
        seconds = days_since_epoch(day) * DAY_SECONDS if day else 0
        gauges.append((name, meaning, {"": seconds}))
    late = Counter((day.source, day.state) for day in finding.late)
    causes = [state for state in State if state not in NO_GAP | {State.UNSETTLED}]
    lacking = Counter(
        name for text in finding.incomplete.values() for name in finding.sources if _names(text, name)
    )
    gauges += [
        (
            "source_late_days",
            "Late days that are known to be so because of a source, by state.",
            {
                f',source="{name}",state="{state}"': late[name, state]
                for name in finding.sources
                for state in causes
            },
        ),
        (
            "source_incomplete_days",
            "Days that lack some of a source's raw logs.",
            {f',source="{name}"': lacking[name] for name in finding.sources},
        ),
        (*SUCCEEDED, {"": 1}),
    ]
    return _gauges(finding.task, gauges)


def _names(incomplete: str, source: str) -> bool:
    """Tell whether what a day lacks is said of a source; a day of one source doesn't say which."""
    return any(part.startswith(f"{source}: ") for part in incomplete.split("; "))


def _gauges(task: str, gauges: Iterable[tuple[str, str, Mapping[str, float]]]) -> str:
    """Return gauges as text: name, meaning, and a value for each text of further labels."""
    task = task.replace("\\", r"\\").replace('"', r"\"")
    lines = []
    for name, meaning, values in gauges:
        lines += [f"# HELP error_rate_lake_{name} {meaning}", f"# TYPE error_rate_lake_{name} gauge"]
        lines += [
            f'error_rate_lake_{name}{{task="{task}"{labels}}} {value:.16g}' for labels, value in values.items()
        ]
    return "\n".join(lines) + "\n"


def junit(finding: Finding) -> str:
    """Return a test suite with a case a day, as Jenkins reads it."""
    cases = [day for day in finding.days if day.state is not State.INACTIVE]
    unsettled = sum(day.state is State.UNSETTLED for day in cases)
    suite = ET.Element(
        "testsuite",
        name=finding.task,
        tests=str(len(cases) + bool(finding.older)),
        failures=str(len(finding.late) + bool(finding.older)),
        errors="0",
        skipped=str(unsettled),
    )
    if finding.older:
        case = ET.SubElement(suite, "testcase", classname=finding.task, name=f"before {finding.days[0].date}")
        ET.SubElement(case, "failure", type=str(State.MISSING), message=f"missing: {listed(finding.older)}")
    for day in cases:
        case = ET.SubElement(suite, "testcase", classname=finding.task, name=str(day.date))
        if day.state is State.UNSETTLED:
            ET.SubElement(case, "skipped", message=_printable(day.reason or day.state))
        elif day.state is not State.THERE:
            ET.SubElement(case, "failure", type=str(day.state), message=_printable(day.reason or day.state))
        elif day.date in finding.incomplete:
            ET.SubElement(case, "system-out").text = f"incomplete: {_printable(finding.incomplete[day.date])}"
    if finding.concerns:
        ET.SubElement(suite, "system-out").text = "\n".join(map(_printable, finding.concerns))
    ET.indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suite, encoding="unicode") + "\n"


def _unknown_suite(task: str, line: str) -> str:
    suite = ET.Element("testsuite", name=task, tests="1", failures="0", errors="1", skipped="0")
    case = ET.SubElement(suite, "testcase", classname=task, name="check")
    ET.SubElement(case, "error", type=Status.UNKNOWN.name, message=_printable(line))
    ET.indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suite, encoding="unicode") + "\n"


def cut(text: str, characters: int = CAUSE_CHARACTERS) -> str:
    """Return a text in one line, cut after so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= characters else line[: characters - 1].rstrip() + "…"


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)


def write(path: str, text: str) -> None:
    """Write a file as a whole or not at all, so that nobody reads half of it.

    Raises:
        StoreError: It can't be written.
    """
    try:
        replace_file(Path(path).absolute(), text.encode(), 0o644)
    except OSError as error:
        raise StoreError(f"Can't write {path}: {error.strerror or error}. Check the folder.") from error

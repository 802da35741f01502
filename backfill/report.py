"""What `backfill identify` and `backfill rejects` say, as lines of text."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from etl.lines.privacy import mask_line
from etl.looks import guess
from etl.looks.identify import Reading, runner_up, section, split, suggestion
from etl.looks.replay import Tally, Verdict

WIDTH = 100
COLUMNS = (
    *("ts", "application", "method", "path", "status"),
    *("response_bytes", "duration_seconds", "upstream_status", "retried"),
)
LONGEST_APPLICATION, SHORTEST_PATH = 16, 12
EXAMPLES = 3
MASKED = "masked as in the lake: letters are x, digits 9"
NOT_ANY = """\
To declare a log of any shape, take the server's own log_format (nginx's notation; of Apache's LogFormat, put
$remote_addr for %h, $time_local for %t, "$request" for "%r", $status for %>s, $bytes_sent for %O, $host for %v):

[source.web]
format = log_format
log_format = $remote_addr - $remote_user [$time_iso8601] $host "$request" $status $bytes_sent rt=$request_time
files = {path}
application = field:host
vantage = origin

JSON and logfmt need a key with the time and one with the status, which `fields` names."""


def of_unknown(readings: Sequence[Reading], head: bytes, path: str, files: str, lines: int) -> Iterator[str]:
    """Yield what a log of unknown format is taken for, and how to declare it.

    Args:
        readings: What declarations make of it, the best first.
        head: Its first lines.
        path: Where it is, as it was asked for.
        files: How luigi.cfg names it.
        lines: How many rows or lines to show.
    """
    best = readings[0]
    if best.fits:
        suggested = suggestion(best, head, files)
        yield from of_known(suggested, path, lines)
        second = runner_up(readings)
        if second:
            yield f"Next best: {_reads(second)}."
        yield from ("", "For luigi.cfg:", "", section(suggested, guess.name(path)))
        return
    yield f"{path}: no format that is known here fits ({best.lines:,} lines looked at)."
    if best.recognised:
        yield f"The closest: {_reads(best)}."
    yield from ("", f"Its first lines, {MASKED}:", *_masked_lines(head, lines))
    yield from ("", NOT_ANY.replace("{path}", files))


def of_known(reading: Reading, path: str, lines: int) -> Iterator[str]:
    """Yield what a source or a format makes of the first lines of a file."""
    yield f"{path}: {_reads(reading)}."
    rows = reading.rows.slice(0, lines).to_pylist()
    if rows:
        yield from ("", *_table(rows))
    if len(reading.rejects):
        yield from ("", f"Rejects, {MASKED}:", *_rejects(reading))


def of_replay(tally: Tally, *, raw: bool) -> Iterator[str]:
    """Yield what published rejects are to today's code; `raw` shows their lines as they are."""
    for each in tally.first:
        yield from _verdict(each, raw=raw)
    said = [f"{tally.requests:,} are requests to today's code"] if tally.requests else []
    said += [f"{tally.neither:,} are neither or undetermined"] if tally.neither else []
    said += [f"{tally.rejects:,} are still rejects" if said else "all are still rejects"] if tally.rejects else []
    said += [f"{len(tally.first):,} are shown"] if len(tally.first) < tally.total else []
    yield f"{tally.total:,} rejects{': ' if said else ''}{', '.join(said)}."


def _reads(reading: Reading) -> str:
    name = reading.source.format.name
    kind = f" with {reading.guessed}" if reading.guessed else ""
    share = len(reading.rows) / max(reading.lines, 1)
    return f"{name}{kind} reads {len(reading.rows):,} of the first {reading.lines:,} lines ({share:.1%})"


def _masked_lines(head: bytes, lines: int) -> list[str]:
    return [f"  {number} {mask_line(line)}".rstrip() for number, line in enumerate(split(head)[:lines], 1)]


def _table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield rows of `requests` under their names, the path cut so that all fits into a terminal."""
    cells = [[_cell(row[name]) for name in COLUMNS] for row in rows]
    names = [name.split("_") for name in COLUMNS]
    heads = [["", *words] if len(words) == 1 else words for words in names]
    widths = [
        max(map(len, (*head, *column))) for head, column in zip(heads, zip(*cells, strict=True), strict=True)
    ]
    application, path = COLUMNS.index("application"), COLUMNS.index("path")
    widths[application] = min(widths[application], LONGEST_APPLICATION)
    others = sum(widths) - widths[path] + len(widths) - 1
    widths[path] = min(widths[path], max(WIDTH - others, SHORTEST_PATH))
    for line in (*zip(*heads, strict=True), *cells):
        yield " ".join(_cut(cell, width) for cell, width in zip(line, widths, strict=True)).rstrip()


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat(" ", "seconds")
    if value is None or isinstance(value, bool):
        return "-" if value is None else str(value).lower()
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _cut(text: str, width: int) -> str:
    return text.ljust(width) if len(text) <= width else text[: width - 1] + "…"


def _rejects(reading: Reading) -> Iterator[str]:
    """Yield how many rejects there are of each reason, the most frequent first, and the first of each."""
    rejects = reading.rejects.to_pylist()
    for reason, count in Counter(each["reason"] for each in rejects).most_common():
        yield f"  {reason}: {count:,}"
        these = (each for each in rejects if each["reason"] == reason)
        for each in islice(these, EXAMPLES):
            yield f"    line {each['line_number']} {each['masked_line']}".rstrip()
    if reading.without_offset:
        yield f"  {reading.without_offset:,} of these have a time without an offset from UTC: set `timezone`."


def _verdict(verdict: Verdict, *, raw: bool) -> Iterator[str]:
    """Yield a published reject, its line, and what it is now."""
    now = verdict.neither or f"still a reject: {verdict.reason}"
    if verdict.row:
        cells = ((name, verdict.row[name]) for name in COLUMNS)
        now = "a request: " + " ".join(f"{name}={_cell(value)}" for name, value in cells if value is not None)
    yield f"{verdict.file}:{verdict.line_number} was a reject: {verdict.was}"
    yield "  " + (verdict.line.rstrip(b"\r\n").decode("ascii", "backslashreplace") if raw else verdict.masked_line)
    yield f"  now {now}"

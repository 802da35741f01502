"""What `backfill identify` and `backfill rejects` say, as lines of text."""

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import chain, groupby, islice
from typing import Any

from etl.identify import Reading, runner_up, section
from etl.privacy import mask_line
from etl.replay import Verdict

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

JSON and logfmt lines need a key with the time and one with the status: see `fields` in the README."""


def printable(text: str) -> str:
    """Return a text that does nothing to a terminal: its line ends stay, other control characters are escaped."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


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
        yield from of_known(best, path, lines)
        second = runner_up(readings)
        if second:
            yield f"Next best: {_reads(second)}."
        yield from ("", "For luigi.cfg:", "", *section(best, head, files))
        return
    yield f"{path}: no format that is known here fits its first {best.lines:,} lines."
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


def of_replay(verdicts: Iterable[Verdict], day: date, limit: int, *, raw: bool) -> tuple[list[str], set[date], bool]:
    """Return what is to be said of rejects read again, those first that are none any more.

    Args:
        verdicts: What they are now.
        day: Of which day they are.
        limit: How many to show.
        raw: Whether to show the lines as they are instead of masked.

    Returns:
        The text, the days that are to be restated, and whether all are rejects still.
    """
    counts: Counter[str] = Counter()
    shown: dict[str, list[Verdict]] = {"request": [], "neither": [], "reject": []}
    days = set()
    for each in verdicts:
        kind = "request" if each.row else "neither" if each.neither else "reject"
        counts[kind] += 1
        if each.row:
            days |= {day, each.row["ts"].date()}
        if len(shown[kind]) < limit:
            shown[kind].append(each)
    text = [line for each in islice(chain(*shown.values()), limit) for line in _verdict(each, raw=raw)]
    said = [f"{counts['request']:,} are requests to today's code"] if counts["request"] else []
    said += [f"{counts['neither']:,} can't be told or are neither"] if counts["neither"] else []
    said += [f"{counts['reject']:,} are still rejects"] if said else ["all are still rejects"]
    if counts.total() > limit:
        said[-1] += f" ({limit:,} shown)"
    return [*text, f"{counts.total():,} rejects: {', '.join(said)}."], days, counts.total() == counts["reject"]

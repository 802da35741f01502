"""What `backfill identify` and `backfill rejects` say, as lines of text."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import islice
from typing import Any

import orjson

from etl.lines.privacy import mask_line
from etl.looks import guess
from etl.looks.identify import Reading, read, runner_up, section, split
from etl.looks.replay import Tally, Verdict

WIDTH = 100
COLUMNS = (
    *("ts", "application", "method", "path", "status"),
    *("response_bytes", "duration_seconds", "upstream_status", "retried"),
)
LONGEST_APPLICATION, SHORTEST_PATH = 16, 12
EXAMPLES = 3
LONGEST_LINE, LONGEST_VALUE = 500, 60
KEY = re.compile(r"@?[A-Za-z_][A-Za-z0-9_.$:-]{0,63}")
MASKED = "masked as in the lake: letters are x, digits 9"
NOT_ANY = """\
To declare a log of any shape, take the server's own log_format (nginx's notation; of Apache's LogFormat, put
$remote_addr for %h, $time_local for %t, "$request" for "%r", $status for %s, $bytes_sent for %O, $host for %v),
as format = log_format and log_format = …, which docs/reference/formats.md describes."""
NO_KEYS = """\
Each line is a JSON object, but none of its keys is known to be the time of a request or its status. Name them by
format = json and `fields`, as in fields = time = KEY, status = KEY. The keys, and values masked by type:"""
NO_ZONE = """\
Times of this log name no time zone. UTC is an assumption: if the server's clock shows another one, change
`timezone` in the section below before you use it, or requests count on the wrong day."""
NO_TIME = """\
These lines have a request and a status, but no time: no day can be told. Have the server write the time, too.
Uvicorn does by a formatter in --log-config: %(asctime)s %(client_addr)s "%(request_line)s" %(status_code)s"""
SEVERAL_LINES = """\
This is Rails' default log, which writes a request in several lines. Have it written in one line by the gem lograge
(config.lograge.enabled = true, with Lograge::Formatters::Json and a key for the time)."""
LEFT_OUT = """\
`files` in the section below leaves out files that were given, or are named like this log. Widen it before you use
it, or declare them as another log. {}"""
ELSEWHERE = """\
Folders beside this one hold files of the same name, which the section below leaves out. If they are the same log,
of another host, name them all to identify. {}"""
REQUEST = re.compile(rb'"(?:[A-Z]+) [^"]*HTTP/[0-9.]+"\s+[1-5][0-9]{2}\b')
CLOCK = re.compile(rb"[0-9]{1,2}:[0-5][0-9]:[0-5][0-9]|\b1[0-9]{9}\b")
RAILS = re.compile(rb"(?:^|\] )(?:Started [A-Z]+ \"|Processing by |Completed [1-5][0-9]{2} )")
FEW = 0.25  # of the lines


def of_unknown(  # noqa: PLR0913 - what was found, and how to show it
    suggested: Reading, readings: Sequence[Reading], head: bytes, path: str, lines: int, *, raw: bool
) -> Iterator[str]:
    """Yield what a log of unknown format is taken for, and how to declare it.

    Args:
        suggested: What the section that is printed makes of more of its lines.
        readings: What declarations make of its first lines, the best first.
        head: These.
        path: Where it is, as it was asked for.
        lines: How many rows or lines to show.
        raw: Whether to show lines as they are.
    """
    shown = read(head, suggested.source, suggested.settings)
    yield from of_known(shown, head, path, lines, raw=raw)
    if suggested.assumes_zone:
        yield f"\n{NO_ZONE}"
    second = runner_up(readings)
    if second:
        yield f"Next best: {_reads(second)}."
    if suggested.lines > readings[0].lines or suggested.failed:
        yield f"\nOf {suggested.lines:,} lines the section below reads {len(suggested.rows):,}."
    if suggested.failed:
        yield (
            f"{suggested.failed:,} of the {len(suggested.rejects):,} rejects show a 5xx status: it would lose "
            "server errors. Don't use it as it stands; compare it with the server's own log format."
        )
    if suggested.left_out:
        yield f"\n{LEFT_OUT.format(_some(suggested.left_out))}"
    if suggested.elsewhere:
        yield f"\n{ELSEWHERE.format(_some(suggested.elsewhere))}"
    yield from ("", "For luigi.cfg:", "", section(suggested, guess.name(suggested.settings["files"])))


def _some(names: Sequence[str]) -> str:
    """Return how many files there are, and what the first and the last ones are called."""
    shown = names if len(names) <= EXAMPLES else (*names[: EXAMPLES - 1], names[-1])
    count = f"{len(names):,} file{'s' * (len(names) > 1)}"
    return f"{count}{', such as' if len(names) > EXAMPLES else ''}:\n" + "\n".join(f"  {each}" for each in shown)


def of_unreadable(best: Reading, head: bytes, path: str, lines: int, *, raw: bool) -> Iterator[str]:
    """Yield what can be said of a log that no format fits.

    Args:
        best: What the best declaration makes of its first lines.
        head: These.
        path: Where it is, as it was asked for.
        lines: How many lines to show.
        raw: Whether to show lines as they are.
    """
    yield f"{path}: no format that is known here fits ({best.lines:,} lines looked at)."
    if best.recognised:
        yield f"The closest: {_reads(best)}."
    shown = f"Its first lines, {'as they are' if raw else MASKED}:"
    yield from ("", shown, *_masked_lines(head, lines, raw=raw), "")
    there = [each for each in split(head) if each.strip()]
    keys = guess.values_by_key(there)
    if _share(RAILS, there) > FEW:
        yield SEVERAL_LINES
    elif _share(REQUEST, there) > FEW and not _share(CLOCK, there):
        yield NO_TIME
    elif keys:
        yield NO_KEYS
        yield from (f"  {key} = {_mask(values[0])}" for key, values in keys.items())
    else:
        yield NOT_ANY


def _share(pattern: re.Pattern[bytes], lines: Sequence[bytes]) -> float:
    return sum(bool(pattern.search(line)) for line in lines) / max(len(lines), 1)


def of_known(reading: Reading, head: bytes, path: str, lines: int, *, raw: bool) -> Iterator[str]:
    """Yield what a source or a format makes of the first lines of a file."""
    yield f"{path}: {_reads(reading)}."
    rows = reading.rows.slice(0, lines).to_pylist()
    if rows:
        yield from ("", *_table(rows))
    if len(reading.rejects):
        yield from ("", f"Rejects, {'as they are' if raw else MASKED}:", *_rejects(reading, split(head), raw=raw))


def of_replay(tally: Tally, rows_are: str, *, raw: bool) -> Iterator[str]:
    """Yield what published rejects are to today's code; `raw` shows their lines as they are.

    Args:
        tally: How many are what.
        rows_are: What those are that are none any more: requests, or records.
        raw: See above.
    """
    for each in tally.first:
        yield from _verdict(each, raw=raw)
    said = [f"{tally.rows:,} are {rows_are} to today's code"] if tally.rows else []
    said += [f"{tally.neither:,} are neither or undetermined"] if tally.neither else []
    said += [f"{tally.rejects:,} are still rejects" if said else "all are still rejects"] if tally.rejects else []
    said += [f"{len(tally.first):,} are shown"] if len(tally.first) < tally.total else []
    yield f"{tally.total:,} rejects{': ' if said else ''}{', '.join(said)}."


def _reads(reading: Reading) -> str:
    name = reading.source.format.name
    kind = f" with {reading.guessed}" if reading.guessed not in {None, name} else ""
    share = len(reading.rows) / max(reading.lines, 1)
    return f"{name}{kind} reads {len(reading.rows):,} of the first {reading.lines:,} lines ({share:.1%})"


def _masked_lines(head: bytes, lines: int, *, raw: bool) -> list[str]:
    return [f"  {number} {_line(line, raw=raw)}".rstrip() for number, line in enumerate(split(head)[:lines], 1)]


def _line(line: bytes, masked: str | None = None, *, raw: bool) -> str:
    """Return a line as it may be shown: of JSON its keys and its values' types, of any other as in the lake."""
    if raw:
        return line.rstrip(b"\r\n").decode("utf-8", "backslashreplace")
    with suppress(orjson.JSONDecodeError):
        found = orjson.loads(line)
        if isinstance(found, dict):
            return orjson.dumps(_masked(found)).decode()[:LONGEST_LINE]
    return mask_line(line) if masked is None else masked


def _masked(value: object) -> object:
    """Return a value of JSON with letters as x and digits as 9; keys stay, unless they look like personal data."""
    if isinstance(value, dict):
        return {key if KEY.fullmatch(key) else _mask(key): _masked(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_masked(each) for each in value]
    return _mask(value) if isinstance(value, str) else (value if value is None or isinstance(value, bool) else 9)


def _mask(text: str) -> str:
    return re.sub("[^ -~]", "?", re.sub("[A-Za-z]", "x", re.sub("[0-9]", "9", text)))[:LONGEST_VALUE]


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


def _rejects(reading: Reading, lines: Sequence[bytes], *, raw: bool) -> Iterator[str]:
    """Yield how many rejects there are of each reason, the most frequent first, and the first of each."""
    rejects = reading.rejects.to_pylist()
    for reason, count in Counter(each["reason"] for each in rejects).most_common():
        yield f"  {reason}: {count:,}"
        these = (each for each in rejects if each["reason"] == reason)
        for each in islice(these, EXAMPLES):
            shown = _line(lines[each["line_number"] - 1], each["masked_line"], raw=raw)
            yield f"    line {each['line_number']} {shown}".rstrip()
    if reading.without_offset:
        yield f"  {reading.without_offset:,} of these have a time without an offset from UTC: set `timezone`."
    if reading.without_year:
        yield "  Times have no year, which nothing but the file's name or `year` may tell."


def _verdict(verdict: Verdict, *, raw: bool) -> Iterator[str]:
    """Yield a published reject, its line, and what it is now."""
    now = verdict.neither or f"still a reject: {verdict.reason}"
    if verdict.row:
        is_request = all(name in verdict.row for name in COLUMNS)
        cells = ((name, verdict.row[name]) for name in (COLUMNS if is_request else verdict.row))
        now = f"a {'request' if is_request else 'record'}: " + " ".join(
            f"{name}={_cell(value)}" for name, value in cells if value is not None
        )
    yield f"{verdict.file}:{verdict.line_number} was a reject: {verdict.was}"
    yield "  " + (verdict.line.rstrip(b"\r\n").decode("ascii", "backslashreplace") if raw else verdict.masked_line)
    yield f"  now {now}"

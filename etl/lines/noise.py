"""Noise: lines of a log that are no access lines at all, as its source declares them by pattern.

They are looked for among the lines that every format of the source refused, and never taken where a line shows
that a server failed: what is passed over must not be an error, but a record that stands beside that of one.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.lines import timestamps
from etl.lines.envelopes import SYSLOG
from etl.lines.formats import Alternatives, Delimited, Format, Json, Logfmt, Role, field_pattern
from etl.lines.parse import CONTINUED, NOISE, beside
from etl.lines.timestamps import unnamed
from lake.contracts.rejects import REASONS
from lake.errors import ConfigError
from lake.memory.arrays import array, numbers, to_numpy

_CLOCK = r"[0-9]{2}:[0-9]{2}:[0-9]{2}"
_LEVEL = "(?:debug|info|notice|warn|error|crit|alert|emerg)"
_WEEKDAY, _MONTH = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)", f"(?:{'|'.join(timestamps.MONTHS)})"
_TCP = r"(?:unix|[0-9A-Fa-f.:]+):[0-9]+ \[[^\]]*\]"  # option tcplog
_PARTS = r"(?:\.[a-z0-9_]+)*"
_NO_HTTP, _NO_LOG = "(?:[a-gi-z]|h[a-su-z])[a-z0-9_]*", "(?:[a-km-z]|l[a-np-z])[a-z0-9_]*"
BUILT_IN = {
    "blank": r"[ \t\r]*$",
    "nginx": (
        rf"[0-9]{{4}}/[0-9]{{2}}/[0-9]{{2}} {_CLOCK} \[{_LEVEL}\] [0-9]+#[0-9]+: |nginx: \[{_LEVEL}\] "
        r"|/docker-entrypoint\.(?:sh|d/[^ ]*)[: ]|[0-9]{2}-[a-z0-9-]+\.(?:env)?sh: "
    ),
    "httpd": (
        rf"\[{_WEEKDAY} {_MONTH} [ 0-9][0-9] {_CLOCK}(?:\.[0-9]+)? [0-9]{{4}}\] "
        rf"\[(?:[a-z0-9_-]*:)?(?:{_LEVEL}|trace[1-8])\] |AH[0-9]{{5}}: "
    ),
    "haproxy": (
        r"\[(?:NOTICE|WARNING|ALERT|EMERG)\] +(?:[0-9]+/[0-9]+ +)?\([0-9]+\) : "
        r"|(?:[Pp]roxy|(?:Backup )?[Ss]erver|[Bb]ackend|Health check for (?:backup )?server) [^ ]+ [a-z]"
        r"|(?:Stopping|Pausing|Enabling|Starting) (?:proxy|frontend|backend|listener|peers) "
        r"|Connect from [^ ]+ to "
        r"|(?:unix|[0-9A-Fa-f.:]+):[0-9]+ \[[^\]]*\] [^ ]+: [A-Z][A-Za-z ()-]*\r?$"
        rf"|{_TCP} [^ ]+ [^ ]+/[^ ]+ -?[0-9]+/-?[0-9]+/\+?[0-9]+ \+?[0-9]+ [A-Za-z-]{{2}} "
    ),
    "envoy": r'\[[^\]]*\] "- - -" (?:0|-) |\{.*"response_code" *: *(?:"?0"?|null|"-") *[,}]',  # of TCP
    "s3": r"[0-9a-f]+ [^ ]+ \[[^\]]*\] [^ ]+ [^ ]+ [0-9A-Z]+ S3\.[A-Z._]+ ",
    "caddy": (  # of loggers other than http.log.access, and at the start of none
        r'\{"level":"[a-z]+","ts":[^,]+,'
        rf'(?:"logger":"(?:{_NO_HTTP}{_PARTS}|http(?:\.{_NO_LOG}{_PARTS})?|http\.log(?:\.error{_PARTS})?)",)?'
        r'"msg":"(?:[^h"]|h[^a"])'
    ),
    "klog": rf"[IWEF][0-9]{{4}} {_CLOCK}\.[0-9]+ +[0-9]+ [^ ]+\.go:[0-9]+\] ",
    "gunicorn": rf"\[[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}} {_CLOCK} [+-][0-9]{{4}}\] \[[0-9]+\] \[[A-Z]+\] ",
    "werkzeug": (
        r"(?:\x1b\[[0-9;]*m)*(?: \* (?:Serving Flask app|Debug mode:|Running on |Restarting with |Debugger "
        r"|Environment:|Detected change)|WARNING: This is a development server|Press CTRL\+C to quit)"
    ),
    "django": (
        r"(?:Not Found|Bad Request|Forbidden(?: \([^)]*\))?|Unauthorized|Method Not Allowed(?: \([A-Z]+\))?|Gone"
        r"|Internal Server Error|Service Unavailable): /"
        r"|Watching for file changes with |Performing system checks|System check identified |Django version [0-9]"
        r"|Starting (?:development|ASGI)[^ ]* |Quit the server with |You have [0-9]+ unapplied migration"
        rf"|(?:January|February|March|April|May|June|July|August|September|October|November|December) [0-9]+, "
        rf"[0-9]{{4}} - {_CLOCK}"
        rf"|\[[0-9]{{2}}/{_MONTH}/[0-9]{{4}} {_CLOCK}\] (?:code [0-9]{{3}}, message |You're accessing )"
        r"|- Broken pipe from "
    ),
    "python": (  # tracebacks
        r'Traceback \(most recent call last\):|  File "|(?: {4,}|\t)[^ \t]|During handling of the above exception'
        r"|The above exception was the direct cause"
        r"|[A-Za-z_][A-Za-z0-9_.]*(?:Error|Exception|Exit|Interrupt|DoesNotExist|NotFound|Timeout)(?:: |\r?$)"
    ),
    "gin": (
        rf"\[GIN-debug\] |(?:[0-9]{{4}}/[0-9]{{2}}/[0-9]{{2}} (?:- )?{_CLOCK} )?(?:\x1b\[[0-9;]*m)*\[Recovery\] "
        r"|/[^ ]+\.go:[0-9]+ \(0x[0-9a-f]+\)"
    ),
    "puma": (
        r"(?:\[[0-9]+\] )?(?:Puma starting in |Use Ctrl-C to stop|\* +(?:Puma version|Ruby version|Min threads"
        r"|Max threads|Workers|Master PID|Environment|PID|Restarts|Preloading application|Listening on )"
        r"|- (?:Worker |Gracefully |Goodbye)|=== puma )|=> (?:Booting |Rails |Run `)|Exiting\r?$"
    ),
    "uvicorn": (
        r"(?:INFO|WARNING|ERROR|DEBUG): +(?:Started|Waiting for|Application|Uvicorn running|Shutting down|Finished"
        r"|Stopping|Will watch|Exception in ASGI)"
    ),
}
"""What servers write beside their access log, by the server's name."""
NAME = re.compile("[a-z][a-z0-9]+")
TRIED = tuple(REASONS.index(each) for each in ("blank", "shape", "time", "status"))
"""Reasons of rejects that may be noise: those of other reasons are requests but for one field."""
AFTER_QUOTE = r'(?s)" +5[0-9]{2}(?:[ ,|\]\r\n]|$)'
NAMED = r'(?is)(?:^|[ ,{"])(?:sc-)?status(?:_?code)?"?\s*[=:]\s*"?5[0-9]{2}(?:[^0-9]|$)'
OTHER_STATUS = "[1-4][0-9]{2}|000|0|-1|-"
"""What a status is that is no server error; some of it says that there is none."""


@dataclass(frozen=True)
class Noise:
    """Which lines of a source are noise.

    Attributes:
        declared: As the source says it: names of BUILT_IN, and regular expressions that match from a line's begin.
        format: That of the lines that are none.
    """

    declared: tuple[str, ...]
    format: Format

    @classmethod
    def of(cls, text: str, log_format: Format) -> "Noise":
        """Return what luigi.cfg says: one a line, or names between commas.

        Raises:
            ConfigError: It is no regular expression.
        """
        found: list[str] = []
        for line in filter(None, map(str.strip, text.splitlines())):
            names = [each.strip() for each in line.split(",")]
            found += names if all(NAME.fullmatch(each) for each in names) else [line]
        for each in found:
            if NAME.fullmatch(each) and each not in BUILT_IN:
                raise ConfigError(f"noise: {each!r} is not known. Known: {', '.join(BUILT_IN)}; or write ^{each}.")
            try:
                pc.match_substring_regex(array([b""], pa.binary()), _anchored(each))
            except pa.ArrowInvalid as error:
                raise ConfigError(f"noise: {each} is not a regular expression of RE2: {error}") from error
        return cls(tuple(dict.fromkeys(found)), log_format)

    def judged(self, lines: pa.BinaryArray, reasons: timestamps.Integers) -> timestamps.Integers:
        """Return why lines are no requests, NOISE for those that are noise.

        Args:
            lines: Lines that the format refused, with their ends.
            reasons: Why it did; others than TRIED are left alone.
        """
        tried = np.flatnonzero(np.isin(reasons, TRIED)) if self.declared else np.empty(0, np.int64)
        if not len(tried):
            return reasons
        of_tried = lines.take(numbers(tried))
        is_noise = to_numpy(pc.match_substring_regex(of_tried, self._pattern))
        failed = np.flatnonzero(is_noise & shows_server_error(of_tried, self.format))
        is_noise[failed] = beside(of_tried.take(numbers(failed)), self.format)
        found = reasons.copy()
        found[tried[is_noise]] = NOISE
        return found

    @cached_property
    def _pattern(self) -> str:
        return "|".join(f"(?:{_anchored(each)})" for each in self.declared)


class Neither:
    """Tells which lines of a file that its format refuses are no rejects: noise, and those that go on in another.

    Attributes:
        begin: How many lines of the file are in earlier batches.
    """

    def __init__(self, noise: Noise) -> None:
        self.begin = 0
        self._noise = noise
        self._continued = np.empty(0, np.int64)

    def add_continued(self, places: timestamps.Integers) -> None:
        """Take the places in the file of the next lines that go on in another one; they are blank."""
        if len(places):
            self._continued = np.append(self._continued[self._continued >= self.begin], places)

    def judged(
        self, lines: pa.BinaryArray, places: timestamps.Integers, reasons: timestamps.Integers
    ) -> timestamps.Integers:
        """Return why lines are no requests, CONTINUED or NOISE in place of a reason.

        Args:
            lines: The lines, with their ends.
            places: Their places in their batch.
            reasons: Why the format refused them; of others, what they are.
        """
        found = self._noise.judged(lines, reasons)
        if len(self._continued):
            found = np.where(np.isin(places + self.begin, self._continued), CONTINUED, found)
        return found


def found_in(lines: pa.BinaryArray) -> list[str]:
    """Return the names of BUILT_IN of which some lines, with their ends, may be; of all others none is."""
    return [name for name in BUILT_IN if pc.any(pc.match_substring_regex(lines, _anchored(name))).as_py()]


def _anchored(declared: str) -> str:
    """Return a pattern for a line from its begin on; what servers write may stand behind syslog's prefix."""
    if declared in BUILT_IN:
        return rf"(?s)^(?:{unnamed(SYSLOG)})?(?:{BUILT_IN[declared]})".replace("$", r"\n?$")
    return f"(?s)^(?:{declared})"


def shows_server_error(lines: pa.BinaryArray, log_format: Format) -> timestamps.Booleans:
    """Tell which lines show a status of 500 to 599, where one can be read.

    A number after a quote is taken for one, but not where a line has another status in the format's own place.
    """
    formats = log_format.formats if isinstance(log_format, Alternatives) else (log_format,)
    found = to_numpy(pc.match_substring_regex(lines, AFTER_QUOTE))
    if found.any():
        for each in formats:
            found = found & ~_match(lines, _places(each, OTHER_STATUS))
    return found | _match(lines, [NAMED, *(pattern for each in formats for pattern in _patterns(each))])


def _match(lines: pa.BinaryArray, patterns: Sequence[str]) -> timestamps.Booleans:
    """Tell which lines match one of some regular expressions."""
    found = np.zeros(len(lines), np.bool_)
    for pattern in patterns:
        found |= to_numpy(pc.match_substring_regex(lines, pattern))
    return found


def _patterns(log_format: Format) -> Sequence[str]:
    """Return regular expressions of lines that show such a status in its place in a format, or after its name."""
    found = []
    for field in (each for each in log_format.fields if each.role is Role.STATUS):
        if isinstance(log_format, Json | Logfmt):
            name = re.escape(field.name.rpartition(".")[2])
            found.append(rf'(?s)(?:^|[ ,{{"\t]){name}"?\s*[=:]\s*"?5[0-9]{{2}}(?:[^0-9]|$)')
    return [*found, *_places(log_format, "5[0-9]{2}")]


def _places(log_format: Format, status: str) -> list[str]:
    """Return what a line is up to its status, whatever follows: none of a format without such a place."""
    if not isinstance(log_format, Delimited):
        return []
    before = re.escape(log_format.literals[0])
    for number, field in enumerate(log_format.fields):
        after = log_format.literals[number + 1]
        if field.role is Role.STATUS:
            return [f"(?s)^{before}(?:{status})(?:[^0-9]|$)"]
        before += f"(?:{field_pattern(field.kind, log_format.separator or after[:1])}){re.escape(after)}"
    return []

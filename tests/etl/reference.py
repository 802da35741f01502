"""A second opinion on what log lines mean: one line at a time, slow and obvious, sharing no code with etl."""

import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, NamedTuple

MEBIBYTE = 1024 * 1024
MONTHS = b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
METHODS = set(
    b"ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT CONNECT COPY DELETE GET HEAD LABEL LINK LOCK MERGE MKACTIVITY "
    b"MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE MOVE OPTIONS ORDERPATCH PATCH POST PRI PROPFIND PROPPATCH PUT "
    b"QUERY REBIND REPORT SEARCH TRACE UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE UPDATEREDIRECTREF "
    b"VERSION-CONTROL".split()
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Verdict(NamedTuple):
    """What becomes of a line: the day it shows, and either a row or the reason why there is none."""

    day: date | None
    reason: str | None
    row: dict[str, Any] | None


class MisfitError(Exception):
    """The line has not the shape of its format."""


class Cursor:
    """Takes a line apart from left to right."""

    def __init__(self, line: bytes) -> None:
        self.rest = line

    def literal(self, text: bytes) -> None:
        """Take a literal."""
        if not self.rest.startswith(text):
            raise MisfitError
        self.rest = self.rest[len(text) :]

    def until(self, end: bytes, forbidden: bytes) -> bytes:
        """Take what stands before `end`, in which no forbidden byte may be."""
        taken, found, self.rest = self.rest.partition(end)
        if not found or any(byte in forbidden for byte in taken):
            raise MisfitError
        return taken

    def word(self) -> bytes:
        """Take one or more bytes up to a space or the end."""
        taken, space, rest = self.rest.partition(b" ")
        self.rest = space + rest
        if not taken or any(byte in b'"[]\r\n' for byte in taken):
            raise MisfitError
        return taken

    def quoted(self) -> bytes:
        """Take what stands in quotes, in which a backslash guards the next byte."""
        self.literal(b'"')
        position = 0
        while self.rest[position : position + 1] != b'"':
            position += 2 if self.rest[position : position + 1] == b"\\" else 1
            if position >= len(self.rest):
                raise MisfitError
        taken, self.rest = self.rest[:position], self.rest[position + 1 :]
        return taken


def fields_of(line: bytes, format_name: str) -> dict[str, bytes]:
    """Return the fields of a line without its end; MisfitError if it has another shape."""
    cursor, fields = Cursor(line), {}
    for name in ("vhost", "client", "ident")[0 if format_name == "vhost_combined" else 1 :]:
        address = re.match(rb"\[[0-9A-Fa-f:.]+\](:\d+)?(?= )", cursor.rest) if name == "vhost" else None
        fields[name] = address[0] if address else cursor.word()
        cursor.rest = cursor.rest[len(address[0]) :] if address else cursor.rest
        cursor.literal(b" ")
    user = cursor.until(b" [", b"[]" if cursor.rest.startswith(b'"" [') else b'[]"')
    first, *others = user.split(b" ")
    if not first or any(not word or word.startswith(b"-") for word in others):
        raise MisfitError
    fields["time"] = cursor.until(b"]", b'["')
    cursor.literal(b" ")
    fields["request"] = cursor.quoted()
    for name in ("status", "response_bytes"):
        cursor.literal(b" ")
        fields[name] = cursor.word()
    if format_name != "common":
        for name in ("referer", "user_agent"):
            cursor.literal(b" ")
            fields[name] = cursor.quoted()
    if cursor.rest:
        raise MisfitError
    return fields


def time_of(text: bytes) -> datetime | None:
    """Return the time in UTC, without zone; None if the text is no time that exists, from 1970 on."""
    shape = rb"(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)"
    found = re.fullmatch(shape, text)
    if not found or found[2] not in MONTHS:
        return None
    day, year, hour, minute, second, zone_hour, zone_minute = (int(found[n]) for n in (1, 3, 4, 5, 6, 8, 9))
    if year < EPOCH.year or zone_hour > 14 or zone_minute > 59:
        return None
    offset = timedelta(hours=zone_hour, minutes=zone_minute) * (-1 if found[7] == b"-" else 1)
    try:
        local = datetime(year, MONTHS.index(found[2]) + 1, day, hour, minute, second, tzinfo=timezone(offset))
    except ValueError:
        return None
    return local.astimezone(UTC).replace(tzinfo=None)


def shown_time(line: bytes) -> datetime | None:
    """Return the time of the first thing in a line that is written like a bracketed timestamp."""
    months = b"|".join(MONTHS)
    shape = rb"\[(\d\d/(?:" + months + rb")/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\]"
    found = re.search(shape, line[:MEBIBYTE])
    return time_of(found[1]) if found else None


def method_of(request: bytes) -> str | None:
    """Return the registered method that a request begins with."""
    method = request.split(b" ")[0]
    return method.decode() if method in METHODS else None


def path_of(request: bytes) -> str | None:
    """Return the path that a request asks for, as it may be kept."""
    method, _, target = request.partition(b" ")
    if not re.fullmatch(rb"[A-Z-]+", method):
        return None
    version = re.search(rb" HTTP/\d(\.\d)?\Z", target)
    if version:
        target = target[: version.start()]
    elif b" " in target or target == b"*":
        return None
    absolute = re.match(rb"[A-Za-z][A-Za-z0-9+.-]*://[^/?#; ]*(?=/)", target)
    if absolute:
        target = target[absolute.end() :]
    if not target.startswith(b"/") and target != b"*":
        return None
    target = re.split(rb"[?#;]|%(?:25)*(?:3[BbFf]|23)", target)[0]
    text = "".join(chr(byte) if 33 <= byte <= 126 else f"%{byte:02X}" for byte in target)
    return "/".join(masked_segment(segment) for segment in text.split("/"))[:1000]


def masked_segment(segment: str) -> str:
    """Return one segment of a path with what may be personal masked."""
    for run in re.findall(r"[\w-]{20,}", segment, re.ASCII):
        if re.search(r"\d", run) and run.upper() != run != run.lower():
            return "{token}"
    if "@" in segment or re.search("%(25)*40", segment):
        return "{email}"
    hexadecimal = "[0-9A-Fa-f]"
    if re.search(rf"[0-9A-Za-z]{{20}}|{hexadecimal}{{16}}|{hexadecimal}{{8}}(-{hexadecimal}{{4}}){{2}}-", segment):
        return "{token}"
    colon = "(?::|%(?:25)*3[Aa])"
    address = rf"\d{{1,3}}(?:\.\d{{1,3}}){{3}}|(?:{hexadecimal}{{0,4}}{colon}){{2,7}}{hexadecimal}{{0,4}}"
    return re.sub(r"\d(?:[+-]?\d){8,}", "{number}", re.sub(address, "{address}", segment))


def application_of(vhost: bytes) -> str:
    """Return a virtual host's name in lower case, without its port."""
    name = re.sub(r":\d{1,5}\Z", "", vhost.decode("latin-1").lower())
    is_address = re.fullmatch(r"[\d.]+", name)
    return name if re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,252}", name, re.ASCII) and not is_address else "(invalid)"


def judge(line: bytes, format_name: str) -> Verdict:
    """Say what becomes of a line, given with its end."""
    content = line.removesuffix(b"\n").removesuffix(b"\r")
    if not content:
        return Verdict(None, "blank", None)
    if len(line) > MEBIBYTE:
        return Verdict(day_of(shown_time(line)), "too_long", None)
    try:
        fields = fields_of(content, format_name)
    except MisfitError:
        return Verdict(day_of(shown_time(line)), "shape", None)
    time = time_of(fields["time"])
    reason = reason_of(time, fields)
    return Verdict(day_of(time), reason, None if reason else row_of(time, fields))


def reason_of(time: datetime | None, fields: dict[str, bytes]) -> str | None:
    """Return the first fault of a line of the right shape, None if there is none."""
    if time is None:
        return "time"
    if not re.fullmatch(rb"[1-5]\d\d", fields["status"]):
        return "status"
    return None if re.fullmatch(rb"-|\d{1,18}", fields["response_bytes"]) else "bytes"


def row_of(time: datetime | None, fields: dict[str, bytes]) -> dict[str, Any]:
    """Return what a line without fault says of its request."""
    return {
        "ts": time,
        "application": application_of(fields["vhost"]) if "vhost" in fields else "web",
        "method": method_of(fields["request"]),
        "path": path_of(fields["request"]),
        "status": int(fields["status"]),
        "response_bytes": int(fields["response_bytes"].replace(b"-", b"0")),
    }


def day_of(time: datetime | None) -> date | None:
    """Return a time's day, None for none."""
    return time.date() if time else None

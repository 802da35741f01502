"""Log lines for tests: lines of a dialect, mostly whole ones, and what can happen to them on their way.

Every function draws from a `random.Random`. Given a seeded one it is fast and repeatable; Hypothesis draws the
same lines with `logs`, and finds the smallest of them that fails. A dialect is one of reference.py's.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any

from hypothesis import strategies as st

Maker = Callable[[Random], bytes]

MEBIBYTE = 1 << 20
FIRST_TIME = datetime(2026, 9, 15, 22, tzinfo=UTC)
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
HEADERS = {
    "w3c": (
        b"date time c-ip cs-username cs-method cs-uri-stem cs-uri-query sc-status sc-bytes time-taken",
        b"date time cs-method cs-uri-stem sc-status cs(Host) cs(User-Agent)",
        b"sc-status cs-uri-stem cs-method x-odd time date time-taken sc-bytes",
    ),
    "iis": (
        b"date time cs-method cs-uri-stem cs-uri-query cs-username c-ip cs(User-Agent) sc-status time-taken",
        b"date time cs-method cs-uri-stem sc-status sc-bytes time-taken cs-host cs(User-Agent)",
        b"time cs-method cs-uri-stem sc-status sc-bytes time-taken",
    ),
    "cloudfront": (
        b"date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status time-taken",
        b"date time cs-method cs-uri-stem sc-status sc-bytes time-taken x-host-header cs(User-Agent)",
        b"date time sc-status",
    ),
}
DIRECTIVES = (
    b"#Version: 1.0",
    b"#Software: Microsoft Internet Information Services 10.0",
    b"#Date: 2026-09-17 00:00:00",
    b"#start-date: 2026-09-17 00:00:00",
    b"#REMARK: what [17/Sep/2026:10:00:00 +0000] was",
    b"#Comment: none",
    b"#",
    b"#Fields",
)
SPICE = (
    *(b'"', b'\\"', b"\\\\", b"\\", b"\\x22", b"\\x5C", b"\\xC3\\xA9", b"\\xff", b"\\xG1", b"\\u00e9"),
    *(b"\\ud800", b"\\\\x22", b"\\n", b"\r", b"\0", b"\x01", b"\x7f", b"\xff\xfe", b"\xc3\xa9", b"\xed\xa0\x80"),
    *(b"\xf0\x9f\x98\x80", b"[", b"]", b"{", b"}", b" ", b"  ", b"\t", b"|", b"-", b"@", b"=", b",", b", "),
    *(b" : ", b":", b'""', b"'", b"+", b"%3f", b"%3F", b"%2540", b"%40", b"%3a", b"%253A", b"%20", b"%", b"?"),
    *(b"#", b";", b"//", b".", b"null", b"NaN", b"-1", b"0", b"9" * 18, b"9" * 19, b"1e5", b"HTTP/1.1"),
    *(b" HTTP/1.1", b"2026-09-17T10:00:00Z", b"\x0b", b"\xa0", b"17/Sep/2026:10:00:00 +0000"),
    *(b"[16/Sep/2026:10:00:00 +0000]", b"[2026-09-16T10:00:00+02:00]", b"s", b"ms"),
)
WORDS = (
    *(b"", b"a", b"index.html", b"users", b"b" * 40, b"Ab1" * 7, b"a-b_c" * 5, b"aB3-_" * 4, b"0f" * 8),
    *(b"0F0f" * 3, b"192.0.2.9", b"2001:db8::7", b"2001%3adb8%3A%3A7", b"::1", b"10.0.0.1:8080", b"1.2.3"),
    *(b"0.0.0.0.0", b"alice@example.com", b"alice%40example.com", b"alice%2540example.com", b"123456789"),
    *(b"12345678", b"1" * 30, b"555-123-4567", b"2026-09-17", b"f47ac10b-58cc-4372-a567-0e02b2c3d479"),
    *(b"F47AC10B-58CC-4372-", b"healthz", b"caf\xc3\xa9", b"caf%C3%A9", b"\xff", b"\0", b"a b", b"%20", b"%"),
    *(b"..", b"*", b"~", b"{email}", b"a=b", b"x" * 99, b"%2E%2e", b"%3F", b"%3f", b"%23", b"%3B", b"%253b"),
    *(b"%252523", b"a+b", b"a&b", b"\\", b'"', b"\\x22", b"-"),
)
BEGINNINGS = (
    *(b"/",) * 12,
    *(b"http://example.com/", b"http://u:p@Example.com:8080/", b"https://example.com", b"https://[::1]:443/"),
    *(b"*", b"", b"example.com:443", b"//", b"http:/", b"a://b@c@shop.example.com/", b"1http://example.com/"),
    *(b"/healthz",),
)
ENDINGS = (
    *(b"",) * 8,
    *(b"?q=1", b"?", b"#top", b";jsessionid=7", b"%3Fq", b"%3fq=%2540", b"?a=http://b/c"),
    *(b"?m=alice@example.com", b"/"),
)
METHODS = (b"GET",) * 8 + (b"POST", b"HEAD", b"PROPFIND", b"VERSION-CONTROL", b"CONNECT", b"OPTIONS", b"PRI")
ODD_METHODS = (
    b"BREW",
    b"get",
    b"",
    b"-",
    b"GET-",
    b"GET\0",
    b"G\xc3\x89T",
    b"GET GET",
    b"\x16\x03\x01",
    b"--",
    b"G3T",
)
PROTOCOLS = (b" HTTP/1.1",) * 6 + (b" HTTP/2", b" HTTP/1.0", b" HTTP/2.0", b" HTTP/3")
ODD_PROTOCOLS = (
    *(b"", b" HTTP/11", b" HTTP/1.", b" http/1.1", b" HTTP/1.1 ", b" HTTP/1.1 HTTP/1.1", b"HTTP/1.1", b" "),
)
ODD_REQUESTS = (
    *(b"", b"-", b"GET", b"GET ", b"\\x16\\x03\\x01", b"\x16\x03\x01\0", b" ", b"GET / b", b"*", b"- - -"),
)
STATUSES = (b"200",) * 6 + (b"301", b"404", b"429", b"499", b"500", b"502", b"503", b"504", b"100", b"599")
ODD_STATUSES = (
    *(b"99", b"600", b"000", b"-", b"", b"2xx", b"2000", b"20", b"+200", b"200.0", b"0200", b" 200"),
    *(b"\xb2\xb2\xb2", b"-200", b"2e2", b"null", b"\xd9\xa2\xd9\xa0\xd9\xa0", b"460", b"0"),
)
SIZES = (b"512", b"0", b"-", b"9" * 18, b"0512", b"1", b"4096")
ODD_SIZES = (
    *(b"9" * 19, b"-1", b"1e5", b"--", b"", b"1_000", b"2.7", b"+1", b"1" * 400, b"0x10"),
    *(b"18446744073709551616",),
)
DURATIONS = (b"0.001", b"0.000", b"1.5", b"12", b"0.123456789", b"123456789.123456789", b"0", b"-", b"0.1", b"0.2")
ODD_DURATIONS = (
    *(b"-1", b"-1.0", b"-0.001", b"", b"17ms", b"250us", b"3s", b"0.5ms", b"1234567890", b"1.1234567890", b"1."),
    *(b".5", b"x", b"1e-3", b"--1", b"+1", b"1 s", b"5m", b"17MS", b"0.1, 0.2", b"-1ms", b"1\xc2\xb5s", b"-"),
    *(b"-.5", b"1ns", b"1m2.5s", b"3h0m1s", b"61m", b"1h2s", b"5\xc2\xb5s", b"151500000000", b"1" * 18, b"1" * 19),
)
UPSTREAM_STATUSES = (b"200",) * 4 + (b"502", b"-", b"502, 200", b"502, 502, 504", b"502 : 200", b"000", b"-, 200")
ODD_UPSTREAM_STATUSES = (
    *(b"", b"600", b"502,200", b"502 200", b"200, ", b", 200", b"200,", b"200, -", b"- : -", b"x, 200"),
    *(b"200, x", b"2000", b"20", b" ", b"502,  200", b"502 :200", b"502: 200", b"502 , 200", b"050"),
    *(b"502, 200 : 404, 099",),
)
UPSTREAMS = (
    *(b"10.0.0.1:80", b"10.0.0.1:80, 10.0.0.2:80", b"10.0.0.1:80 : 10.0.0.3:80", b"-", b"unix:/run/app.sock"),
)
ODD_UPSTREAMS = (
    *(b"", b"10.0.0.1:80 10.0.0.2:80", b"10.0.0.1:80,10.0.0.2:80", b"[::1]:80", b", ", b"a, b : c, d", b"0.1,"),
)
HOSTS = (b"shop.example.com", b"SHOP", b"shop.example.com:443", b"www.example.com", b"_", b"localhost")
ODD_HOSTS = (
    *(b"shop:http", b"192.0.2.1:80", b"192.0.2.1", b"\xfc", b"-", b"", b"[2001:db8::7]:443", b"[::1]", b"::1"),
    *(b"a:123456", b"a" * 253, b"a" * 254, b".a", b"a@b", b"a b", b"A\xcc\x8a", b"[::1]:", b"[x]"),
    *(b"\xe2\x84\xaa",),
)
AGENTS = (
    *(b"curl/8.16.0", b"Mozilla/5.0 (X11; Linux x86_64)", b"-", b"", b"Pingdom.com_bot", b"uptimeROBOT/2.0"),
    *(b"Synthetic Check/1.0", b"Synthetic+Check/1.0", b"synthetic%20check/1.0", b"Synthetic%2BCheck", b"\xff"),
)
CLIENTS = (b"192.0.2.7", b"-", b"2001:db8::7", b"::1", b"example.com", b"192.0.2.7:2817")
USERS = (b"-",) * 6 + (b'""', b"alice", b"alice smith")
ODD_USERS = (
    *(b"alice - smith", b"", b"alice  smith", b'al"ice', b"[alice", b"- -", b"-a b", b"a -b", b" a", b'"" a'),
    *(b"a\r",),
)
TEXTS = (
    *(b"-", b"", b"http://example.com/a?b=c", b"a b", b"forward", b"[17/Sep/2026:10:00:00 +0000]"),
    *(b"waf,forward",),
)
ODD_TIMES = (
    *(b"", b"-", b"31/Feb/2026:10:00:00 +0000", b"17/Sep/2026:24:00:00 +0000", b"17/Sep/2026:10:00:60 +0000"),
    *(b"17/Sep/2026", b"17/sep/2026:10:00:00 +0000", b"17/Sep/1969:10:00:00 +0000"),
    *(b"01/Jan/1970:00:00:00 +1400", b"17/Sep/2026:10:00:00 +1459", b"17/Sep/2026:10:00:00 +1500"),
    *(b"17/Sep/2026:10:00:00 +0060", b"29/Feb/2023:00:00:00 +0000", b"17/Sep/2026:10:00:00.5 +0000"),
    *(b"17/Sep/2026:10:00:00 0000", b"2026-09-17", b"2026-02-30T10:00:00Z", b"2026-09-17T10:00:00"),
    *(b"2026-09-17 10:00:00", b"2026-09-17t10:00:00z", b"2026-09-17T10:00:00.Z", b"2026-09-17T10:00Z"),
    *(b"2026-09-17T10:00:00.1234567890Z", b"2026-09-17T10:00:00,5+02", b"2026-09-17T10:00:00+2"),
    *(b"2026-09-17T10:00:00+1500", b"2026-09-17T10:00:60Z", b"2026-09-17T24:00:00Z", b"2026-13-17T10:00:00Z"),
    *(b"2024-02-29T10:00:00Z", b"1969-12-31T23:59:59Z", b"1970-01-01T00:00:00+01:00"),
    *(b"2026-09-17T10:00:00-00:00", b"2026-09-17T10:00:00+14:59", b"20260917T100000Z", b"2026-03-29T02:30:00"),
    *(b"2026-10-25T02:30:00", b"2026-03-29T03:00:00.5", b"2026-10-25T03:00:00", b"2026-10-25T01:59:59,9"),
    *(b"1789646400", b"1789646400.123", b"1789646400.1234567890", b"1789646400123", b"1789646400123456"),
    *(b"178964640", b"0000000000", b"1789646400,5", b"-1789646400", b"17896464001234", b"1789646400."),
    *(b"1.7896464e9", b" 1789646400", b"1789646400Z", b"1789646400123456789", b"9999999999999999999"),
    *(
        b"17/Sep/2026 10:00:00",
        b"17/Sep/2026:10:00:00,123456",
        b"17/Sep/2026 10:00:00 +0200",
        b"17/Sep/2026:10:00:00",
    ),
    *(b"2026/09/17 - 10:00:00", b"2026/09/17 10:00:00.5", b"2026-09-17 10:00:00 +0200", b"2026/09/17T10:00:00"),
)


def seeded(seed: str) -> Random:
    """Return what draws the same each time."""
    return Random(seed)  # noqa: S311 - there is no secret in it


def one_of(usual: tuple[bytes, ...], odd: tuple[bytes, ...] = (), share: float = 0.05) -> Maker:
    """Return what draws one of the usual values, at times an odd one."""

    def draw(rng: Random) -> bytes:
        return rng.choice(odd if odd and rng.random() < share else usual)

    return draw


def rarely(odd: tuple[bytes, ...], usual: Maker, share: float = 0.05) -> Maker:
    """Return what draws as `usual` does, at times an odd value."""

    def draw(rng: Random) -> bytes:
        return rng.choice(odd) if rng.random() < share else usual(rng)

    return draw


# Values of fields


def moment(rng: Random) -> datetime:
    """Draw a time in one of some zones."""
    minutes = rng.choice((0, 0, 0, 120, -300, 345, 840, -840, -570))
    time = FIRST_TIME + timedelta(microseconds=rng.randrange(50 * 3600 * 10**6))
    return time.astimezone(timezone(timedelta(minutes=minutes)))


def offset_of(time: datetime, colon: str = "") -> str:
    """Return a time's offset as `+0200`."""
    minutes = int(time.utcoffset().total_seconds()) // 60
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{colon}{abs(minutes) % 60:02}"


def clf(rng: Random) -> bytes:
    """Draw `17/Sep/2026:10:00:00 +0000`."""
    time = moment(rng)
    return f"{time.day:02}/{MONTHS[time.month - 1]}/{time.year}:{time:%H:%M:%S} {offset_of(time)}".encode()


def iso(rng: Random) -> bytes:
    """Draw an ISO timestamp with an offset, rarely without."""
    time = moment(rng)
    fraction = rng.choice(("", "", ".5", ",25", ".123", ".123456", ".999999999", ".000000001"))
    zone = rng.choice(("Z", "Z", "z", "+05", "-00", offset_of(time), offset_of(time, ":"), offset_of(time, ":")))
    if rng.random() < 0.03:
        zone = ""
    return f"{time:%Y-%m-%d}{rng.choice('TTT ')}{time:%H:%M:%S}{fraction}{zone}".encode()


def iso_word(rng: Random) -> bytes:
    """Draw an ISO timestamp without a space."""
    return iso(rng).replace(b" ", b"T")


def epoch(rng: Random) -> bytes:
    """Draw seconds since 1970, or milliseconds, or microseconds."""
    microseconds = int(moment(rng).timestamp() * 1e6)
    seconds, rest = divmod(microseconds, 10**6)
    nanoseconds = rest * 1000 + rng.choice((0, 1, 499, 500, 999))
    shapes = (f".{rest // 1000:03}", "", f".{rest:06}", f".{nanoseconds:09}", f"{rest // 1000:03}", f"{rest:06}")
    return f"{seconds}{rng.choice(shapes)}".encode()


def any_time(rng: Random) -> bytes:
    """Draw a time of any kind."""
    return rng.choice((clf, iso, iso, epoch))(rng)


def date_of_day(rng: Random) -> bytes:
    """Draw a date."""
    return iso(rng)[:10]


def clock(rng: Random) -> bytes:
    """Draw a time of day."""
    return iso(rng)[11:19] + rng.choice((b"", b"", b"", b".5", b".123456789"))


def target(rng: Random) -> bytes:
    """Draw what a request asks for."""
    path = b"/".join(rng.choices(WORDS, k=rng.choice((0, 1, 1, 2, 3, 6))))
    if rng.random() < 0.01:  # about as long as a path is kept
        path = ((path + b"a/")[-18:] * 520)[: 999 + rng.randrange(-30, 3)]
    return rng.choice(BEGINNINGS) + path + rng.choice(ENDINGS)


def target_word(rng: Random) -> bytes:
    """Draw a target as it stands where no quotes are around it."""
    return target(rng).replace(b" ", b"%20") if rng.random() < 0.95 else target(rng)


def number(rng: Random) -> bytes:
    """Draw a decimal number with up to nine digits before and after its point."""
    whole = str(rng.randrange(10 ** rng.choice((1, 1, 2, 3, 9))))
    digits = rng.choice((0, 1, 3, 3, 3, 6, 9))
    return f"{whole}.{rng.randrange(10**digits):0{digits}}".encode() if digits else whole.encode()


def request(rng: Random) -> bytes:
    """Draw a line of a request."""
    return method(rng) + b" " + target(rng) + one_of(PROTOCOLS, ODD_PROTOCOLS)(rng)


def text(rng: Random) -> bytes:
    """Draw any text."""
    if rng.random() < 0.7:
        return rng.choice(TEXTS)
    return b"".join(rng.choices(WORDS + SPICE, k=rng.randrange(4)))


def word(rng: Random) -> bytes:
    """Draw a value that nothing is read from."""
    return rng.choice(
        (b"-", b"a", b"443", b"0.001", b"h2", b"arn:aws:x:targetgroup/a/1", b"TLSv1.3", b"2026-09-17T10:00:00Z")
    )


method = one_of(METHODS, ODD_METHODS)
clients = one_of(CLIENTS, (b"", b"a b", b"[::1]", b'"', b"\r"), 0.02)
ROLES: dict[str, Maker] = {
    "time": rarely(ODD_TIMES, any_time),
    "clock": rarely((b"24:00:00", b"-", b"10:00:00Z", b"10:00", b"10:00:60", b""), clock),
    "request": rarely(ODD_REQUESTS, request),
    "method": method,
    "target": rarely((b"-", b""), target),
    "status": rarely(ODD_STATUSES, one_of(STATUSES)),
    "response_bytes": one_of(SIZES, ODD_SIZES),
    "duration": rarely(DURATIONS + ODD_DURATIONS, number, 0.3),
    "upstream_status": one_of(UPSTREAM_STATUSES, ODD_UPSTREAM_STATUSES, 0.15),
    "upstreams": one_of(UPSTREAMS, ODD_UPSTREAMS, 0.1),
    "host": one_of(HOSTS, ODD_HOSTS, 0.15),
    "user_agent": rarely(SPICE, one_of(AGENTS), 0.1),
}
NAMES: dict[str, Maker] = {
    "time_local": rarely(ODD_TIMES, clf),
    "time_iso8601": rarely(ODD_TIMES, iso_word),
    "prefix_time": rarely(ODD_TIMES, iso_word),
    "timestamp": rarely(ODD_TIMES, iso_word),
    "msec": rarely(ODD_TIMES, epoch),
    "date": rarely((b"2026-02-30", b"-", b"17/Sep/2026", b"1969-01-01", b"2026-9-1"), date_of_day),
    "remote_addr": clients,
    "client_port": clients,
    "remote_logname": clients,
    "target_port": clients,
    "remote_user": one_of(USERS, ODD_USERS),
}


def value(rng: Random, name: str, role: str | None) -> bytes:
    """Draw a value for a field by its name, or else by what is read from it."""
    maker = NAMES.get(name) or ROLES.get(role or "")
    return maker(rng) if maker else b""


# Lines


def line(rng: Random, dialect: Any) -> bytes:
    """Draw a line without its end, mostly of the dialect's shape, at times with a fault in one of its fields."""
    style = {"json": json_line, "logfmt": logfmt_line, "headed": headed_line}
    return style.get(dialect.style, delimited_line)(rng, dialect)


def roles_by_name(dialect: Any) -> dict[str, str]:
    """Return what is read from each field."""
    return {name: role for role, names in dialect.roles.items() for name in names}


def quoted(rng: Random, content: bytes) -> bytes:
    """Return a text as servers write it between quotes: as nginx, as Apache, or rarely as it is."""
    way = rng.random()
    if way < 0.05:
        return content
    if way < 0.4:
        return re.sub(rb'["\\\x00-\x1f\x7f-\xff]', lambda found: b"\\x%02X" % ord(found[0]), content)
    return content.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\r", b"\\r")


def some(rng: Random, names: tuple[str, ...]) -> list[str]:
    """Draw one of the names of fields that tell the same, rarely all of them or none."""
    return rng.choices((list(names), [], [rng.choice(names)]), (8, 3, 89))[0]


def delimited_line(rng: Random, dialect: Any) -> bytes:
    """Draw a line in nginx's notation."""
    roles = roles_by_name(dialect)
    parts = re.split(r"\$\{?(\w+)\}?", dialect.notation)
    done = [parts[0].encode()]
    for name, before, after in zip(parts[1::2], parts[0::2], parts[2::2], strict=False):
        is_quoted = before.endswith('"') and after.startswith('"')
        if is_quoted:
            content = value(rng, name, roles.get(name)) if name in roles else text(rng)
            done.append(quoted(rng, content))
        elif name in NAMES:
            done.append(NAMES[name](rng))
        elif roles.get(name) == "target":
            done.append(target_word(rng) or b"-")
        elif roles.get(name) == "time":
            done.append(rarely(ODD_TIMES, iso_word)(rng))
        else:
            content = (value(rng, name, roles[name]) if name in roles else word(rng)) or b"-"
            is_list = name.startswith("upstream_") or rng.random() < 0.05
            done.append(content if is_list else content.split(b" ")[0] or b"-")
        done.append(after.encode())
    if dialect.extra:
        done.append(rng.choice((b"", b"", b"", b" TID_1", b' TID_1 "-" "-"', b" ", b"x", b" \r")))
    return b"".join(done)


def header(rng: Random, name: str) -> bytes:
    """Draw the line that names the fields of a headed dialect of that name."""
    names = rng.choice(HEADERS[name])
    begin = b"#Fields: " if rng.random() < 0.9 else rng.choice((b"#fields:", b"#FIELDS:\t", b"#Fields:  "))
    return begin + (names if rng.random() < 0.95 else names.replace(b"sc-status ", b"", 1))


def headed_line(rng: Random, dialect: Any) -> bytes:
    """Draw a line whose fields the dialect's header names."""
    roles = roles_by_name(dialect)
    values = []
    for name in dialect.header or ("date", "time", "sc-status"):
        content = value(rng, name, roles.get(name)) if name in roles else word(rng)
        if rng.random() < 0.97:
            plus = rng.choice((b"+", b"%20"))
            content = (content or b"-").replace(b" ", plus).replace(b"\t", plus)
        values.append(content)
    return dialect.separator.encode().join(values)


def json_string(rng: Random, content: bytes) -> bytes:
    r"""Return a JSON string: escaped as it should be, as nginx does without escape=json, or not at all."""
    way = rng.random()
    if way < 0.1:
        content = re.sub(rb'["\\\x00-\x1f\x7f-\xff]', lambda found: b"\\x%02X" % ord(found[0]), content)
    elif way < 0.3:
        content = b"".join(json_character(rng, each) for each in content.decode("utf-8", "replace"))
    elif way < 0.97:
        content = re.sub(rb'["\\]', rb"\\\g<0>", content)
        content = re.sub(rb"[\x00-\x1f]", lambda found: b"\\u%04x" % ord(found[0]), content)
        if rng.random() < 0.95:
            content = content.decode("utf-8", "replace").encode()
    if way > 0.8 and content:
        at = rng.randrange(len(content))
        if content[at : at + 1].isalnum() and content[max(at - 6, 0) : at].isalnum():
            content = content[:at] + b"\\u%04x" % content[at] + content[at + 1 :]
        content = content.replace(b"/", b"\\/") if rng.random() < 0.3 else content
    if rng.random() < 0.03:
        at = rng.randrange(len(content) + 1)
        content = content[:at] + odd_character(rng) + content[at:]
    return b'"' + content + b'"'


# In UTF-8: the first and last of each length, what lies beyond, surrogates, and what is not whole
ODD_CHARACTERS = (
    *(b"\xc2\x80", b"\xc1\xbf", b"\xe0\xa0\x80", b"\xe0\x9f\xbf", b"\xed\x9f\xbf", b"\xed\xa0\x80"),
    *(b"\xf0\x90\x80\x80", b"\xf0\x8f\xbf\xbf", b"\xf4\x8f\xbf\xbf", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80"),
    *(b"\xe2\x82\xac", b"\xee\x80\x80", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"\x80", b"\xff", b"\xc3\xc3"),
)
ODD_ESCAPES = (
    *(b"\\ud83d\\ude00", b"\\uDBFF\\uDFFF", b"\\udc00", b"\\ud83d", b"\\ud83dx", b"\\ud83d\\u0041"),
    *(b"\\ud83d\\ud83d", b"\\ud83d\\u12", b"\\u0000", b"\\u007f", b"\\u0080", b"\\u07ff", b"\\u0800", b"\\uffff"),
    *(b"\\u12g4", b"\\u12", b"\\u", b"\\x", b"\\x4", b"\\xg0", b"\\q", b"\\xC3\\u00a9", b"\\u000a", b"\\x0A"),
)


def odd_character(rng: Random) -> bytes:
    r"""Draw an odd escape, or an odd character as it is, in nginx's `\xHH`, or with some bytes as such."""
    if rng.random() < 0.3:
        return rng.choice(ODD_ESCAPES)
    share = rng.choice((0, 1, 1, 0.5))
    character = rng.choice(ODD_CHARACTERS)
    return b"".join(b"\\x%02X" % byte if rng.random() < share else bytes((byte,)) for byte in character)


def json_character(rng: Random, character: str) -> bytes:
    r"""Return a character as a string of JSON may have it: as it is, as `\n` or `\u000a`, or as nginx's `\x0A`."""
    if character >= " " and character not in '"\\' and rng.random() < 0.5:
        return character.encode()
    ways = [
        b"".join(rng.choice((b"\\u%04x", b"\\u%04X")) % unit for unit in utf16(character)),
        b"".join(rng.choice((b"\\x%02x", b"\\x%02X")) % byte for byte in character.encode()),
    ]
    short = {"\n": b"n", "\r": b"r", "\t": b"t", "\b": b"b", "\f": b"f", "/": b"/", '"': b'"', "\\": b"\\"}
    if character in short:
        ways.append(b"\\" + short[character])
    return rng.choice(ways)


def utf16(character: str) -> list[int]:
    """Return a character's units in UTF-16."""
    data = character.encode("utf-16-be")
    return [int.from_bytes(data[n : n + 2], "big") for n in range(0, len(data), 2)]


ODD_JSON = (
    *(b"null", b"true", b"false", b"{}", b"[]", b'["502", "200"]', b'{"a": 1}', b"17.0", b"-0", b"0", b"-1"),
    *(b"1e2", b"200", b"0.001", b"1e-05", b"1789646400", b"1789646400.5", b"NaN", b"Infinity", b"1e999"),
    *(b"18446744073709551616", b"9" * 400, b'""', b"01", b"1.", b"+1", b'"\\ud83d\\ude00"', b'"\\ud800"'),
    *(b'"\xff"', b'"a\tb"', b"'a'", b"0.1234567890123", b'"\\u0000"', b"[" * 60 + b"]" * 60),
    *(b"9223372036854775808", b"-9223372036854775809", b"", b'"-"', b'"200"', b'"\\x41"', b"-", b"1E+05", b"2e"),
    *(b"1e-5", b"1.5e3", b"1e-100", b'"a', b'{"a" 1}', b'{"a":}', b"[1,]", b"[1 2]", b"tru", b"[[]", b"{]"),
)


def json_value(rng: Random, content: bytes) -> bytes:
    """Return a value in JSON: a number where it may be one, else a string; rarely another."""
    if rng.random() < 0.03:
        return rng.choice(ODD_JSON)
    if re.fullmatch(rb"-?(0|[1-9]\d*)(\.\d+)?", content) and rng.random() < 0.6:
        return content
    return json_string(rng, content)


JSON_NAMES = (
    *("referer", "level", "a b", "") * 3,
    *("caf\u00e9", "a\\nb", "\\u00e9\\\\", "\\x41", "\\xc3", "k" * 60),
)


def json_any(rng: Random, depth: int = 3) -> bytes:
    """Return a value that nobody asks for, at times an object or array of more of them."""
    if not depth or rng.random() < 0.7:
        return json_value(rng, text(rng))
    inner = [json_any(rng, depth - 1) for _ in range(rng.randrange(4))]
    if rng.random() < 0.5:
        return b"[%s]" % rng.choice((b",", b", ")).join(inner)
    return b"{%s}" % b",".join(json_string(rng, rng.choice(WORDS)) + b": " + each for each in inner)


def json_line(rng: Random, dialect: Any) -> bytes:
    """Draw a JSON object."""
    space = rng.choice((b"", b"", b" ", b"\t"))
    pairs = []
    for role, names in dialect.roles.items():
        if role != "beside" or rng.random() < 0.1:
            pairs += [(name, json_value(rng, value(rng, name, role))) for name in some(rng, names)]
    pairs += [(rng.choice(JSON_NAMES), json_any(rng)) for _ in range(rng.randrange(3))]
    if rng.random() < 0.3:
        rng.shuffle(pairs)
    if rng.random() < 0.05 and pairs:
        name, _ = rng.choice(pairs)
        pairs.append((name, rng.choice(ODD_JSON)))
    if rng.random() < 0.02:
        pairs = [("nested", b"{%s}" % json_pairs(rng, pairs, space))]
    return (
        rng.choice((b"",) * 20 + (b" ", b"["))
        + b"{%s}" % json_pairs(rng, pairs, space)
        + rng.choice((b"",) * 20 + (b" ", b","))
    )


def json_pairs(rng: Random, pairs: list[tuple[str, bytes]], space: bytes) -> bytes:
    """Return what stands in an object; keys with a dot are put in objects of their own."""
    nested: dict[str, list[tuple[str, bytes]]] = {}
    for name, content in pairs:
        head, dot, tail = name.partition(".")
        if dot:
            nested.setdefault(head, []).append((tail, content))
    shown = [(name, content) for name, content in pairs if "." not in name]
    if shown and rng.random() < 0.03:
        (name, content), *rest = shown
        shown = [("".join(f"\\u{ord(each):04x}" for each in name), content), *rest]
    shown += [(head, b"{%s}" % json_pairs(rng, inner, space)) for head, inner in nested.items()]
    return (b"," + space).join(b'"%s":%s%s' % (name.encode(), space, content) for name, content in shown)


PREFIXES = (
    *(b"<158>1 %s host heroku router - ", b"%s heroku[router]: ", b"83 <40>1 %s host app web.3 - ", b"%s ", b""),
    *(b"host  %s  heroku ", b"<158>1 %s 2026-09-18T00:00:00Z - ", b"- %s", b'"%s" ', b"level=info %s ", b" %s "),
)


def logfmt_line(rng: Random, dialect: Any) -> bytes:
    """Draw `key=value` pairs, with words before them."""
    pairs = []
    for role, names in dialect.roles.items():
        chosen = [name for name in some(rng, names) if name != "prefix_time"]
        pairs += [name.encode() + b"=" + logfmt_value(rng, value(rng, name, role)) for name in chosen]
    extra = (
        b"at=info",
        b'fwd="192.0.2.7, 192.0.2.8"',
        b"dyno=web.1",
        b"connect=0ms",
        b"request_id=f47ac10b-58cc",
        b"sock=",
        b"error='RuntimeError: boom'",
        b"error='NoMethodError: undefined method 'x' for \"a=b\"'",
        b"user='x",
    )
    pairs += rng.sample(extra, rng.randrange(4))
    if rng.random() < 0.3:
        rng.shuffle(pairs)
    if rng.random() < 0.05:
        pairs.insert(
            rng.randrange(len(pairs) + 1), rng.choice((b"word", b"=", b"a=", b'"q"', b'a="b"c', b"a=b=c", b"at=x"))
        )
    prefix = rng.choice(PREFIXES[:4] if rng.random() < 0.9 else PREFIXES)
    if b"%s" in prefix:
        prefix %= NAMES["prefix_time"](rng)
    separator = b" " if rng.random() < 0.9 else b"  "
    return prefix + separator.join(pairs) + (b"" if rng.random() < 0.95 else b" ")


def logfmt_value(rng: Random, content: bytes) -> bytes:
    """Return a value, in quotes where it must be or may be."""
    if rng.random() < 0.6 and not re.search(rb'[ "]', content):
        return content
    return b'"%s"' % quoted(rng, content)


# What happens to lines


def mutated(rng: Random, whole: bytes, other: bytes) -> bytes:
    """Return what a line became on its way, with another at hand to be glued to it; may hold line ends."""
    return rng.choice(MUTATIONS)(rng, whole, other)


def _position(rng: Random, whole: bytes) -> int:
    return rng.randrange(len(whole) + 1)


def _cut(rng: Random, whole: bytes, other: bytes) -> bytes:
    return whole[: _position(rng, whole)]


def _beheaded(rng: Random, whole: bytes, other: bytes) -> bytes:
    return whole[_position(rng, whole) :]


def _glued(rng: Random, whole: bytes, other: bytes) -> bytes:
    begin = whole if rng.random() < 0.3 else whole[: _position(rng, whole)]
    return begin + rng.choice((b"", b"", b" ", b"\r", b"\n", b"\r\n", b"\t", b",")) + other


def _spiced(rng: Random, whole: bytes, other: bytes) -> bytes:
    at = _position(rng, whole)
    return whole[:at] + rng.choice(SPICE) + whole[at:]


def _noisy(rng: Random, whole: bytes, other: bytes) -> bytes:
    at = _position(rng, whole)
    return (
        whole[:at] + bytes(rng.randrange(256) for _ in range(rng.randrange(1, 4))) + whole[at + rng.randrange(3) :]
    )


def _without(rng: Random, whole: bytes, other: bytes) -> bytes:
    at = _position(rng, whole)
    return whole[:at] + whole[at + rng.choice((1, 1, 2, 8)) :]


def _spliced(rng: Random, whole: bytes, other: bytes) -> bytes:
    begin, end = sorted((_position(rng, whole), _position(rng, whole)))
    first, last = sorted((_position(rng, other), _position(rng, other)))
    return whole[:begin] + other[first:last] + whole[end:]


def _fields(rng: Random, whole: bytes) -> tuple[bytes, list[bytes]]:
    separator = rng.choice([mark for mark in (b" ", b"\t", b",", b'"', b"|") if mark in whole] or [b" "])
    return separator, whole.split(separator)


def _swapped(rng: Random, whole: bytes, other: bytes) -> bytes:
    separator, fields = _fields(rng, whole)
    a, b = rng.randrange(len(fields)), rng.randrange(len(fields))
    fields[a], fields[b] = fields[b], fields[a]
    return separator.join(fields)


def _emptied(rng: Random, whole: bytes, other: bytes) -> bytes:
    separator, fields = _fields(rng, whole)
    fields[rng.randrange(len(fields))] = rng.choice((b"", b"", b"-", b'""', rng.choice(SPICE)))
    return separator.join(fields)


def _fewer_or_more(rng: Random, whole: bytes, other: bytes) -> bytes:
    separator, fields = _fields(rng, whole)
    at = rng.randrange(len(fields))
    fields[at : at + 1] = rng.choice(([], [fields[at]] * 2, [fields[at], b"-"]))
    return separator.join(fields)


def _exchanged(rng: Random, whole: bytes, other: bytes) -> bytes:
    separator, fields = _fields(rng, whole)
    others = other.split(separator)
    at = rng.randrange(len(fields))
    fields[at] = others[min(at, len(others) - 1)]
    return separator.join(fields)


def _stretched(rng: Random, whole: bytes, other: bytes) -> bytes:
    found = list(re.finditer(rb"\d+", whole))
    if not found:
        return whole
    begin, end = rng.choice(found).span()
    return (
        whole[:begin]
        + rng.choice((b"", b"9" * 19, b"1" * 40, b"0" + whole[begin:end], b"5", b"60", b"31"))
        + whole[end:]
    )


def _requoted(rng: Random, whole: bytes, other: bytes) -> bytes:
    found = [at for at, byte in enumerate(whole) if byte in b'"\\']
    if not found:
        return whole
    at = rng.choice(found)
    return (
        whole[:at]
        + rng.choice((b"", b"\\", b"\\\\", b"\\\\\\", b'"', b"'", b"\\x22"))
        + whole[at + rng.randrange(2) :]
    )


def _recased(rng: Random, whole: bytes, other: bytes) -> bytes:
    return rng.choice((whole.lower(), whole.upper(), whole.swapcase()))


def _garbage(rng: Random, whole: bytes, other: bytes) -> bytes:
    return bytes(rng.randrange(256) for _ in range(rng.randrange(20)))


def _blank(rng: Random, whole: bytes, other: bytes) -> bytes:
    return rng.choice((b"", b"\r", b"\r\r", b" ", b"\0"))


def _many(rng: Random, whole: bytes, other: bytes) -> bytes:
    for mutation in rng.choices(MUTATIONS, k=2):
        whole = mutation(rng, whole, other)
    return whole


MUTATIONS = (
    *(_cut, _beheaded, _glued, _glued, _spiced, _spiced, _noisy, _without, _spliced, _swapped, _emptied),
    *(_fewer_or_more, _exchanged, _exchanged, _stretched, _requoted, _recased, _garbage, _blank, _many),
)


def log(rng: Random, name: str, dialect: Any, count: int, damaged: float = 0.4) -> bytes:
    """Draw a file of about so many lines, a share of them damaged, headed where the dialect of that name is."""
    end = rng.choice((b"\n", b"\n", b"\r\n"))
    found: list[bytes] = []
    last = b""
    for n in range(count):
        if dialect.style == "headed" and (n == 0 or rng.random() < 0.02):
            if n == 0 and rng.random() < 0.05:
                dialect = replace(dialect, header=("date", "time", "sc-status"))
            else:
                found.append(header(rng, name))
                dialect = replace(dialect, header=tuple(found[-1].partition(b":")[2].decode().split()))
        if dialect.style == "headed" and rng.random() < 0.02:
            found.append(rng.choice(DIRECTIVES))
        drawn = line(rng, dialect)
        found.append(mutated(rng, drawn, last) if rng.random() < damaged else drawn)
        last = drawn
    return end.join(found) + rng.choice((end, end, b"\n", b"\r\n", b"\r", b""))


def long_line(rng: Random, dialect: Any, size: int, end: bytes = b"\n") -> bytes:
    """Draw a line of so many bytes with its end, most of them in one place."""
    drawn = line(rng, dialect)
    found = re.search(rb'[ "=\t|]/', drawn)
    at = found.end() if found else len(drawn) // 2
    padding = rng.choice((b"a", b"a/", b"%20", b"\\x41", b"0", b"ab-", b"..;", b"\xc3\xa9", b'\\"', b"=", b","))
    room = size - len(drawn) - len(end)
    return drawn[:at] + (padding * (room // len(padding) + 1))[:room] + drawn[at:] + end


@st.composite
def logs(draw: st.DrawFn, name: str, dialect: Any, count: int = 5) -> bytes:
    """Draw a file as `log` does."""
    rng = draw(st.randoms(use_true_random=False))
    return log(rng, name, dialect, draw(st.integers(1, count)))

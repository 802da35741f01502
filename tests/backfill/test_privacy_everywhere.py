"""Nobody is in it: what people send is in no byte that the real commands leave behind or print, in any format."""

import base64
import binascii
import gzip
import json
import re
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path
from random import Random
from typing import Self
from urllib.parse import quote, unquote_to_bytes

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backfill.cli import main as backfill_main
from etl.cli import main as lake_main
from etl.lines.formats import FORMATS, Field, Json, Role
from lake.errors import StoreError

DAYS = [date(2015, 5, 17), date(2015, 5, 18)]
RANGE = ("--of", "ErrorRateDaily", "--start", "2015-05-17", "--stop", "2015-05-19")
ZSTD, GZIP = b"\x28\xb5\x2f\xfd", b"\x1f\x8b"
WINDOW, STRIDE = 10, 4  # a trace is so many characters on end of a secret, wherever they begin, give or take


def _word(rng: Random, letters: str = "bcdfghjklmnpqrstvwxz", size: int = 12) -> str:
    return "".join(rng.choice(letters) for _ in range(size))


RNG = Random("who is in it?")  # noqa: S311 - there is no secret in it
HEX, ALPHANUMERIC = "0123456789abcdef", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
V4 = ("198.51.100.217", "203.0.113.118")
V6 = f"2001:db8:{_word(RNG, HEX, 4)}:{_word(RNG, HEX, 4)}:{_word(RNG, HEX, 4)}::{_word(RNG, HEX, 4)}"
UUID = "-".join(_word(RNG, HEX, size) for size in (8, 4, 4, 4, 12))
TOKEN = _word(RNG, HEX, 32)
JWT = f"{_word(RNG, ALPHANUMERIC, 24)}-{_word(RNG, ALPHANUMERIC, 12)}_{_word(RNG, ALPHANUMERIC, 12)}"
PHONE = "491719876543"
WORDS = {
    name: _word(RNG)
    for name in ("user", "first", "last", "referer", "agent", "cookie", "query", "mail", "provider", "password")
}
SECRETS = (*V4, V6, UUID, TOKEN, JWT, PHONE, *WORDS.values())
MAIL = f"{WORDS['mail']}@{WORDS['provider']}.example"


def _encoded(text: str) -> str:
    """Return a text with each byte percent-encoded."""
    return "".join(f"%{byte:02x}" for byte in text.encode())


PATHS = (
    *(f"/kept{sign}{WORDS['query']}" for sign in ("?name=", "#", ";sid=", "%3Fname=", "%253fname=")),
    *(f"/u/{text}/edit" for text in (MAIL, quote(MAIL, safe=""), quote(quote(MAIL, safe="")), _encoded(MAIL))),
    *(f"/reset/{text}/x" for text in (UUID, UUID.upper(), UUID.replace("-", "%2D"), UUID.replace("-", "%252d"))),
    *(f"/t/{text}" for text in (TOKEN, TOKEN.upper(), _encoded(TOKEN))),
    *(f"/t/{text}" for text in (JWT, _encoded(JWT), JWT.replace("_", "%5F"))),
    *(f"/ip/{text}/log" for text in (V4[0], V4[0].replace(".", "%2E"), _encoded(V4[1]))),
    *(f"/ip/{text}/log" for text in (V6, quote(V6), _encoded(V6))),
    *(f"/tel/{text}" for text in (PHONE, f"+{PHONE}", f"%2B{PHONE}", "49171-9876543", "49171%2D9876543")),
    f"http://{WORDS['user']}:{WORDS['password']}@kept.example.com/kept",
)
SLOTS = {
    "client": (V4[0], V6, f"::ffff:{V4[1]}"),
    "user": (WORDS["user"],),
    "referer": (f"https://{WORDS['referer']}.example/{WORDS['query']}?m={MAIL}",),
    "agent": (f"{WORDS['agent']}/1.0+({WORDS['first']}+{WORDS['last']})",),
    "cookie": (f"session={TOKEN};user={WORDS['cookie']}",),
    "host": ("kept.example.com", V4[0], f"[{V6}]:443", f"{WORDS['mail']}@kept.example.com"),
    "path": PATHS,
}
COMMON = '<client> - <user> [<clf>] "GET <path> HTTP/1.1" 200 512'
COMBINED = f'{COMMON} "<referer>" "<agent>"'
W3C = "date time c-ip cs-username cs-method cs-uri-stem cs-uri-query sc-status cs(Host) cs(User-Agent) cs(Cookie)"
W3C_LINE = "<date> 12:00:00 <client> <user> GET <path> name=<user> 200 <host> <agent> <cookie>"
REMARK = "#Remark: of <user> at <client>\n#Software: <agent>\n"
TEMPLATES = {
    "common": COMMON,
    "combined": f'{COMBINED} "<cookie>"',
    "vhost_combined": f"<host> {COMBINED}",
    "log_format": (
        '<client> <user> [<iso>Z] <host> "GET <path> HTTP/1.1" 200 "<cookie>" "<agent>" "Basic <user>"'
    ),
    "json": (
        '{"time_iso8601": "<iso>Z", "status": 200, "remote_addr": "<client>", "remote_user": "<user>", '
        '"host": "<host>", "request": "GET <path> HTTP/1.1", "http_cookie": "<cookie>", '
        '"http_user_agent": "<agent>", "jwt": {"mail": ["<user>"]}}'
    ),
    "logfmt": (
        "time_iso8601=<iso>Z status=200 remote_addr=<client> user=<user> host=<host> "
        'request="GET <path> HTTP/1.1" cookie="<cookie>" http_user_agent="<agent>"'
    ),
    "alb": (
        "https <iso>Z app/web/1 <client> 10.0.0.1:80 0.086 0.048 0.037 200 200 34 366 "
        '"GET https://<host><path> HTTP/1.1" "<agent>" - TLSv1.3 arn "Root=1" "<host>" "-" 0 <iso>Z "forward" '
        '"<referer>" "-" "10.0.0.1:80" "200"'
    ),
    "cloudfront": W3C_LINE.replace(" ", "\t"),
    "w3c": W3C_LINE,
    "iis": W3C_LINE,
    "elb": (
        "<iso>Z my-elb <client> 10.0.0.1:80 0.086 0.048 0.037 200 200 34 366 "
        '"GET https://<host><path> HTTP/1.1" "<agent>" - TLSv1.3 "<cookie>"'
    ),
    "s3": (
        "0123abcd kept [<clf>] <client> <user> 79A5 REST.GET.OBJECT <user> "
        '"GET <path> HTTP/1.1" 200 - 512 512 70 10 "<referer>" "<agent>" - <user>= SigV4 - AuthHeader <host> - -'
    ),
    "haproxy": (
        "Sep 17 12:00:00 lb haproxy[1]: <client> [<clf>] fe kept/web1 0/0/1/3/4 200 5 - - ---- 5/4/0/1/0 0/0 "
        '{<user>|<agent>} "GET <path> HTTP/1.1"'
    ),
    "envoy": '[<iso>Z] "GET <path> HTTP/2" 200 - 0 512 3 2 "<client>" "<agent>" "<user>" "<host>" -',
    "istio": (
        '[<iso>Z] "GET <path> HTTP/2" 200 - via_upstream - "<user>" 0 512 3 2 "<client>" "<agent>" "<user>" '
        '"<host>" "10.0.0.1:80" outbound|80||web 10.0.0.1:8 10.0.0.1:80 <client> - default'
    ),
    "ingress_nginx": f"{COMBINED} 300 0.003 [kept-80] [] 10.0.0.1:80 512 0.003 200 <user>",
    "ingress_nginx_host": f"{COMBINED} 300 0.003 [kept-80] [] 10.0.0.1:80 512 0.003 200 <user> <host>",
    "traefik": f'{COMBINED} 42 "kept@docker" "http://10.0.0.1:80" 3ms',
    "nginx_proxy_manager": (
        '[<clf>] - 200 200 - GET https <host> "<path>" [Client <client>] [Length 512] [Gzip -] '
        '[Sent-to 10.0.0.5] "<agent>" "<referer>"'
    ),
    "gin": '[GIN] <date> 12:00:00 | 200 |     3.000ms |  <client> | GET      "<path>"',
    "squid": "<date>T12:00:00Z    345 <client> TCP_MISS/200 512 GET <path> <user> HIER_DIRECT/10.0.0.1 text/html",
    "django": '[<clf>] "GET <path> HTTP/1.1" 200 512',
    "puma": f"{COMMON} 0.0042",
    "combinedio": f"{COMBINED} 120 790",
    "ltsv": (
        "time:<clf>\thost:<client>\tuser:<user>\tmethod:GET\turi:<path>\tstatus:200\tsize:5\t"
        "referer:<referer>\tua:<agent>\tcookie:<cookie>\tvhost:<host>"
    ),
    "lograge": (
        "I, [<iso> #4242]  INFO -- : [<user>] method=GET path=<path> format=html status=200 duration=3.00 "
        'ip=<client> email="<cookie>"'
    ),
    "heroku": (
        '<158>1 <iso>+00:00 host heroku router - at=info method=GET path="<path>" host=<host> '
        'request_id=<user> fwd="<client>" dyno=web.1 connect=1ms service=30ms status=200 bytes=5'
    ),
}
IN_JSON = {
    Role.TIME: "<iso>Z",
    Role.CLOCK: "12:00:00",
    Role.REQUEST: "GET <path> HTTP/1.1",
    Role.TARGET: "<path>",
    Role.METHOD: "GET",
    Role.STATUS: 200,
    Role.HOST: "<host>",
    Role.USER_AGENT: "<agent>",
}


def _in_json(field: Field, log_format: Json) -> object:
    """Return a value for a field; of a time, only the date where the format has the time of day apart."""
    has_date_only = field.role is Role.TIME and log_format.has(Role.CLOCK)
    return "<date>" if has_date_only else IN_JSON[field.role]


PERSONAL = {"client_ip": "<client>", "user": "<user>", "referer": "<referer>"}
TEMPLATES |= {
    name: json.dumps(
        {field.name: _in_json(field, each) for field in each.fields if field.role in IN_JSON} | PERSONAL
    )
    for name, each in FORMATS.items()
    if name not in TEMPLATES and isinstance(each, Json)
}
HEADERS = {
    "cloudfront": f"#Version: 1.0\n{REMARK}#Fields: {W3C}\n",
    "w3c": f"{REMARK}#Fields: {W3C}\n",
    "iis": f"{REMARK}#Fields: {W3C}\n",
}
SETTINGS = {
    "gin": {"timezone": "UTC"},
    "lograge": {"timezone": "UTC"},
    "combined": {"trailing": '"$http_cookie"'},
    "log_format": {
        "log_format": '$remote_addr $remote_user [$time_iso8601] $host "$request" $status "$http_cookie" '
        '"$http_user_agent" "$http_authorization"'
    },
}
FIELDS = {
    "vhost": ("vhost_combined",),
    "authority": ("alb", "elb", "envoy", "istio"),
    "backend": ("haproxy",),
    "cs(Host)": ("cloudfront", "w3c", "iis"),
}
FIELDS["host"] = ("log_format", "json", "logfmt", "fastly", "heroku", "ingress_nginx_host", "nginx_proxy_manager")
"""Which field names the application in which formats."""
MALFORMED = (
    lambda line: line.replace("200", "99"),
    lambda line: line.replace("12:00:00", "24:00:00"),
    lambda line: line.replace("12:00:00", ""),
    lambda line: line.replace('"', "'"),
    lambda line: line[: len(line) // 2],
    lambda line: line[: len(line) // 2] + line,
    lambda line: line[len(line) // 3 :],
    lambda line: line.replace("/", "\xff\0/"),
    lambda line: line + " " + line,
    lambda line: f"{MAIL} {line[::-1]} {TOKEN}",
)


def _line(template: str, day: date, changed: dict[str, str]) -> str:
    values = {name: texts[0] for name, texts in SLOTS.items()} | changed
    values |= {"clf": f"{day:%d/%b/%Y}:12:00:00 +0000", "iso": f"{day}T12:00:00", "date": str(day)}
    return re.sub("<([a-z]+)>", lambda found: values[found[1]], template)


def whole_lines(template: str, day: date) -> list[str]:
    """Return lines with secrets in each field, so that each value of each field is in one."""
    found = [_line(template, day, {name: text}) for name, texts in SLOTS.items() for text in texts]
    return [*found, _line(template, day, {"path": "/kept"})]


def write_logs(folder: Path) -> None:
    """Write a log a day for each format: of the first day a few lines are malformed, of the second all."""
    folder.mkdir()
    for name, template in TEMPLATES.items():
        for day in DAYS:
            whole = whole_lines(template, day)
            bad = [malform(line) for malform in MALFORMED for line in whole]
            lines = [
                _line(HEADERS.get(name, ""), day, {}),
                *(f"{line}\n" for line in (whole if day is DAYS[0] else []) + bad),
            ]
            data = "".join(lines).encode("latin-1")
            (folder / f"{name}-{day}.log").write_bytes(gzip.compress(data) if name == "alb" else data)


def sources() -> dict[str, dict[str, str]]:
    """Return the sources' settings: half of the lines may be rejects on the first day, not on the second."""
    usual = {"application": "kept", "vantage": "edge", "since": "2015-05-17", "until": "2015-05-19"}
    fields = {name: {"application": f"field:{field}"} for field, names in FIELDS.items() for name in names}
    return {
        name: usual
        | {"format": name, "files": f"logs/{name}-{{YYYY}}-{{MM}}-{{DD}}.log", "max_reject_rate": "0.93"}
        | fields.get(name, {})
        | SETTINGS.get(name, {})
        for name in TEMPLATES
    }


# The scan


def _zstd_frames(data: bytes) -> Iterator[bytes]:
    """Yield what every zstd frame in some bytes holds, as far as it goes, such as a Parquet file's pages."""
    at = data.find(ZSTD)
    while at >= 0:
        stream = pa.CompressedInputStream(pa.BufferReader(data[at:]), "zstd")
        left = _zstd_size(data[at : at + 18])
        with suppress(OSError):  # it is cut off, or only looks like one
            while left and (piece := stream.read(min(left, 4096))):
                yield piece
                left -= len(piece)
        at = data.find(ZSTD, at + 1)


def _zstd_size(header: bytes) -> int:
    """Return how many bytes a frame holds by its header (RFC 8878, 3.1.1.1): who reads more finds an error."""
    (descriptor,) = header[4:5] or b"\0"
    is_single = descriptor >> 5 & 1
    size = (is_single, 2, 4, 8)[descriptor >> 6]
    begin = 5 + (not is_single) + (0, 1, 2, 4)[descriptor & 3]
    return int.from_bytes(header[begin : begin + size], "little") + 256 * (size == 2)


def _forms(data: bytes) -> Iterator[bytes]:
    """Yield bytes as they are, decompressed, and decoded."""
    whole = [data, b"".join(_zstd_frames(data))]
    if data.startswith(GZIP):
        whole.append(gzip.decompress(data))
    for each in whole:
        yield each
        for _ in range(2):
            each = unquote_to_bytes(each)  # noqa: PLW2901 - once more decoded
            yield each
        yield b"\n".join(
            base64.b64decode(run[begin : begin + (len(run) - begin) // 4 * 4], altchars=b"-_")
            for run in re.findall(rb"[A-Za-z0-9+/_-]{16,}", each)
            for begin in range(4)
        )
        yield b"\n".join(binascii.unhexlify(run) for run in re.findall(rb"(?:[0-9A-Fa-f]{2}){8,}", each))


NEEDLES = {
    secret.lower()[begin : begin + WINDOW].encode(): secret
    for secret in SECRETS
    for begin in (*range(0, len(secret) - WINDOW, STRIDE), len(secret) - WINDOW)
}


def traces(data: bytes) -> set[str]:
    """Return the secrets of which ten characters or more are in some bytes, in whatever form and case."""
    text = b"\n".join(_forms(data)).lower()
    return {secret for needle, secret in NEEDLES.items() if needle in text}


def traces_below(*folders: Path) -> dict[str, set[str]]:
    """Return what is found in the files below some folders, their names included; Parquet is read as such too."""
    found = {}
    for path in (path for folder in folders for path in folder.rglob("*") if path.is_file()):
        data = path.read_bytes() + str(path.relative_to(path.parents[3])).encode()
        if path.suffix == ".parquet":
            file = pq.ParquetFile(path)
            data += f"\n{file.read().to_pylist()}\n{file.metadata.to_dict()}\n{file.metadata.metadata}".encode()
        if secrets := traces(data):
            found[str(path)] = secrets
    return found


class Onlooker(threading.Thread):
    """Reads whatever lies in some folders for as long as something runs, again and again.

    Attributes:
        seen: The contents, by name.
    """

    def __init__(self, *folders: Path) -> None:
        super().__init__(daemon=True)
        self.seen: dict[str, bytes] = {}
        self._folders = folders
        self._done = threading.Event()

    def run(self) -> None:
        """Look until `leave`."""
        while not self._done.wait(0.01):
            for folder in self._folders:
                with suppress(OSError):  # something is gone by now
                    self._look(folder)

    def _look(self, folder: Path) -> None:
        for path in folder.rglob("*"):
            if path.is_file() and len(data := path.read_bytes()) > len(self.seen.get(str(path), b"")):
                self.seen[str(path)] = data

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self.join()


# The tests


def test_the_scan_finds_secrets_in_any_form(tmp_path):
    """Plain, in upper case, cut off, percent-encoded, in base64, hexadecimal, gzip, zstd, columns and footers."""
    for secret in SECRETS:
        raw = secret.encode()
        for form in (
            *(raw, raw.upper(), raw[2:], raw[: max(WINDOW, len(raw) - 2)], quote(_encoded(secret)).encode()),
            *(base64.b64encode(b"x" * n + raw + b"yz") for n in range(3)),
            *(base64.urlsafe_b64encode(raw), raw.hex().encode(), gzip.compress(raw * 9)),
            *(b"PAR1junk" + pa.compress(raw * 9, "zstd", asbytes=True) + b"junk",),
        ):
            assert secret in traces(b"some " * 50 + form if not form.startswith(GZIP) else form), form
    lake = tmp_path / "one/two/three"
    lake.mkdir(parents=True)
    table = pa.table({"path": pa.array([f"/{TOKEN}"] * 1000).dictionary_encode()})
    pq.write_table(table.replace_schema_metadata({"by": WORDS["user"]}), lake / "a.parquet", compression="zstd")
    data = (lake / "a.parquet").read_bytes()
    (lake / "unfinished").write_bytes(data[: -8 - int.from_bytes(data[-8:-4], "little")])
    (lake / MAIL).write_bytes(b"")
    assert traces_below(tmp_path) == {
        str(lake / "a.parquet"): {TOKEN, WORDS["user"]},
        str(lake / "unfinished"): {TOKEN},
        str(lake / MAIL): {WORDS["mail"], WORDS["provider"]},
    }
    assert not traces(b"/kept kept.example.com 192.0.2.1 2001:db8::1 " + bytes(range(256)) * 99)


@pytest.mark.slow
def test_every_secret_is_in_the_logs_of_every_format(tmp_path):
    """What the next tests look for was there to be found; and no format is left out."""
    assert {*TEMPLATES} == {*FORMATS, "log_format"}
    write_logs(tmp_path / "logs")
    everywhere = {*V4, V6, UUID, TOKEN, JWT, PHONE, WORDS["mail"], WORDS["provider"], WORDS["query"]}
    for path in (tmp_path / "logs").iterdir():
        assert traces(path.read_bytes()) >= everywhere, path
    assert set.union(*(traces(path.read_bytes()) for path in (tmp_path / "logs").iterdir())) == {*SECRETS}


def look_at_days(call: Callable[..., str]) -> None:
    """Call each command that tells of days, in each of its ways."""
    for more in ([], ["--json"]):
        for name in ("plan", "status", "check"):
            call("backfill", name, *RANGE, *more)
        for day in DAYS:
            explained = call("backfill", "explain", "--of", "ErrorRateDaily", "--date", str(day), *more)
            assert "are rejects" in explained or day is DAYS[0]
    for style in ("prometheus", "junit"):
        call("backfill", "check", *RANGE, "--format", style, "--output", f"tmp/check.{style}")


def look_at_logs(call: Callable[..., str]) -> None:
    """Call each command that tells of raw logs, for each of them."""
    call("backfill", "identify", "logs/json-2015-05-17.log", "--source", "json")
    for name in TEMPLATES:
        for day in DAYS:
            call("backfill", "identify", f"logs/{name}-{day}.log", "--lines", "99")
        asked = ("rejects", "--source", name, "--date", "2015-05-17", "--limit", "999")
        assert "still rejects" in call("backfill", *asked)


@pytest.mark.slow
def test_no_command_leaves_or_prints_a_trace(make_project, monkeypatch, capfd):
    """Two days of every format, one good and one that fails, through every command, with logs at DEBUG."""
    there = make_project("project")
    temporary = there.folder / "tmp"
    temporary.mkdir()
    write_logs(there.folder / "logs")
    there.configure(**sources())
    with (there.folder / "luigi.cfg").open("a", encoding="utf-8") as settings:
        settings.write("[completeness]\nduplicate_files = warn\n")  # some formats have the same lines
    monkeypatch.setenv("LUIGI_CONFIG_PATH", str(there.folder / "luigi.cfg"))
    monkeypatch.chdir(there.folder)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    said: dict[str, str] = {}

    def tell(*command: str) -> str:
        done = there.run(*command, TMPDIR=str(temporary))
        said[" ".join(command)] = done.stdout + done.stderr
        return done.stdout + done.stderr

    def call(*command: str) -> str:
        capfd.readouterr()
        monkeypatch.setattr(sys, "argv", [*command])
        with pytest.raises(SystemExit):
            (lake_main if command[0] == "lake" else backfill_main)()
        printed = capfd.readouterr()
        said[" ".join(command)] = printed.out + printed.err
        return printed.out + printed.err

    with Onlooker(temporary, there.folder / "lake/_staging") as onlooker:
        assert "1 built, 0 already there, 1 failed" in tell("backfill", "run", *RANGE, "--workers", "2")
        assert "DEBUG" in tell("luigi", "RangeDailyBase", *RANGE, "--log-level", "DEBUG")
        tell("luigi", "RequestsDaily", "--source", "json", "--date", "2015-05-18", "--log-level", "DEBUG")
        look_at_days(call)
        look_at_logs(call)
        for name in ("combined", "json"):
            with (there.folder / f"logs/{name}-2015-05-17.log").open("a", encoding="latin-1") as log:
                log.writelines(f"{line}\n" for line in whole_lines(TEMPLATES[name], DAYS[0]))
        call("backfill", "plan", *RANGE, "--late", "--stale", "--deep")
        assert "Published." in call("backfill", "restate", *RANGE, "--late", "--reason", "late", "--yes")
        for query in ("from requests", "from rejects", "from error_rate", "from status_mix"):
            assert "varchar" in call("lake", "sql", query)
            call("lake", "sql", "--csv", query)
        call("lake", "verify", "--deep")
    assert {what: found for what, text in said.items() if (found := traces(text.encode()))} == {}
    assert "/u/{email}/edit" in said["lake sql --csv from requests"]
    assert any("requests-" in name for name in onlooker.seen)
    assert {name: found for name, data in onlooker.seen.items() if (found := traces(data))} == {}
    assert traces_below(there.folder / "lake", temporary) == {}
    journal = b"".join(path.read_bytes() for path in (there.folder / "lake/_attempts").rglob("*.jsonl"))
    assert b"are rejects" in journal
    asked = ("rejects", "--source", "json", "--date", "2015-05-17", "--limit", "9", "--raw")
    assert TOKEN in traces(call("backfill", *asked).encode())  # asked for, and so printed


@pytest.mark.slow
def test_what_a_killed_extraction_leaves_has_no_trace(make_project):
    """Killed while it writes a large day, it leaves unfinished files; they hold nobody, either."""
    there = make_project("project")
    (there.folder / "logs").mkdir()
    template = TEMPLATES["combined"]
    lines = "".join(f"{line}\n" for line in whole_lines(template, DAYS[0])) * 10_000
    (there.folder / "logs/combined-2015-05-17.log").write_text(lines, encoding="latin-1")
    there.configure(combined=sources()["combined"])
    running = there.start("luigi", "RequestsDaily", "--source", "combined", "--date", "2015-05-17")
    end, left = time.monotonic() + 60, b""
    while b"/kept" not in left and running.poll() is None and time.monotonic() < end:
        with suppress(OSError):  # it is gone by now
            for path in (there.folder / "lake/_staging").rglob("requests-*"):
                left = b"".join(_zstd_frames(path.read_bytes()))
    running.kill()
    running.communicate()
    assert b"/kept" in left
    assert any((there.folder / "lake/_staging").rglob("requests-*"))
    assert traces_below(there.folder / "lake") == {}


def test_an_unexpected_error_prints_no_line(in_project, monkeypatch, capfd):
    """A command that ends with an error of the store says what, and nothing of the log that it read."""

    def refuse(*_: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr("lake.lake.Lake.publish", refuse)
    path = in_project.folder / "logs/2015-05-17.log"
    line = _line(COMBINED, DAYS[0], {})
    path.write_text(f"{line}\n" * 3, encoding="latin-1")
    monkeypatch.setattr(sys, "argv", ["backfill", "run", "--of", "ErrorRateDaily", "--stop", "2015-05-18"])
    with pytest.raises(SystemExit):
        backfill_main()
    printed = capfd.readouterr()
    (attempt,) = (in_project.folder / "lake/_attempts").rglob("*.jsonl")
    assert "the disk is full" in attempt.read_text()
    assert not traces((printed.out + printed.err).encode())
    assert traces_below(in_project.folder / "lake") == {}

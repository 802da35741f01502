"""Logs as they are found: what identify prints of each reads every request as it stands, failed ones too."""

import configparser
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from identified import PAGE, ROW, rows, said

from etl.looks import guess, identify
from etl.raw.files import RawFile

GOLDEN = Path(__file__).parents[1] / "golden"
BEGIN = datetime(2026, 9, 16, 20, 0, 5, 123456)
STATUSES = (200, 201, 304, 404, 502, 500, 200)
REQUESTS = 28


class Request(NamedTuple):
    """What the lines of a log are written of."""

    at: datetime
    method: str
    path: str
    status: int
    level: str
    ms: int

    @property
    def request(self) -> str:
        """Its line without the protocol."""
        return f"{self.method} {self.path}"


def _docker(line: str, at: datetime) -> str:
    return json.dumps({"log": f"{line}\n", "stream": "stdout", "time": f"{at.isoformat()}Z"})


KINDS: dict[str, tuple[str, Callable[[Request], str]]] = {
    "gin in docker": (
        "3f0c9e1b7a2d-json.log",
        lambda r: _docker(
            f'[GIN] {r.at:%Y/%m/%d - %H:%M:%S} | {r.status} | {r.ms}.0ms | 192.0.2.7 | {r.method}   "{r.path}"',
            r.at,
        ),
    ),
    "haproxy behind syslog": (
        "haproxy.log",
        lambda r: (
            f"<134>{r.at:%b %d %H:%M:%S} haproxy[8]: 192.0.2.7:4000 [{r.at:%d/%b/%Y:%H:%M:%S}.123] fe be/s "
            f"0/0/1/2/{r.ms} "
            f'{r.status} 99 - - ---- 5/4/0/1/0 0/0 {{a.example|}} "{r.request} HTTP/1.1"'
        ),
    ),
    "pod with a random name": (
        "shop-7d9f8b6c5-x2x9k_default_shop-0123456789abcdef0123.log",
        lambda r: (
            f'{r.at.isoformat()}Z stdout F 192.0.2.7 - - [{r.at:%d/%b/%Y:%H:%M:%S} +0000] "{r.request} HTTP/1.1" '
            f'{r.status} 9 "-" "curl/8"'
        ),
    ),
    "tomcat with latency, local": (
        "localhost_access_log.{local:%Y-%m-%d}.txt",
        lambda r: (
            f'192.0.2.7 - - [{r.at + timedelta(hours=8):%d/%b/%Y:%H:%M:%S} +0800] "{r.request} HTTP/1.1" '
            f"{r.status} 9 {r.ms}"
        ),
    ),
    "python logging": (
        "app.log",
        lambda r: f"[{r.at:%Y-%m-%d %H:%M:%S},123] {r.level} access - 192.0.2.7 {r.request} {r.status} {r.ms}ms",
    ),
    "werkzeug through a logger": (
        "flask.log",
        lambda r: (
            f"{r.at:%Y-%m-%d %H:%M:%S},123 {r.level} werkzeug: 192.0.2.7 - - [{r.at:%d/%b/%Y %H:%M:%S}] "
            f'"{r.request} HTTP/1.1" {r.status} -'
        ),
    ),
    "spring filter": (
        "spring.log",
        lambda r: f"{r.at:%Y-%m-%d %H:%M:%S}.123 {r.level:>8} 1 --- [exec-1] c.e.Log : {r.request} -> {r.status}",
    ),
    "uvicorn in kubernetes": (
        "api-7d9f8b6c5-x2x9k_default_api-0123456789abcdef0123.log",
        lambda r: f'{r.at.isoformat()}Z stdout F INFO:     192.0.2.7:4 - "{r.request} HTTP/1.1" {r.status} OK',
    ),
    "serilog of asp.net": (
        "log.txt",
        lambda r: (
            f"{r.at:%Y-%m-%d %H:%M:%S}.123 +00:00 [{r.level[:3]}] HTTP {r.request} responded {r.status} in 3 ms"
        ),
    ),
    "docker logs -t": (
        "web.log",
        lambda r: (
            f'{r.at.isoformat()}789Z 192.0.2.7 - - [{r.at:%d/%b/%Y:%H:%M:%S} +0000] "{r.request} HTTP/1.1" '
            f'{r.status} 9 "-" "curl/8"'
        ),
    ),
    "logback with tabs": (
        "shop.log",
        lambda r: (
            f"{r.at:%Y-%m-%d %H:%M:%S},123\t{r.level}\t[exec-{r.ms}]\tAccess\t{r.request}\t{r.status}\t{r.ms}ms"
        ),
    ),
    "bare pipes": (
        "shop.log",
        lambda r: f"{r.at.isoformat()}+00:00|192.0.2.7|{r.method}|{r.path}|{r.status}|9|0.{r.ms:04}|Curl (x; y)",
    ),
    "lograge in syslog": (
        "production.log-{at:%Y%m%d}",
        lambda r: (
            f"{r.at:%b %d %H:%M:%S} web1 rails[4242]: method={r.method} path={r.path} format=html "
            f"controller=Items status={r.status} duration={r.ms}.12 view=1.2"
        ),
    ),
    "lograge of JSON in docker": (
        "3f0c9e1b7a2d-json.log",
        lambda r: _docker(
            json.dumps(
                {"method": r.method, "path": r.path, "controller": "A", "status": r.status, "duration": r.ms}
            ),
            r.at,
        ),
    ),
    "times without a year": (
        "app-{at:%Y-%m-%d}.log",
        lambda r: f'[{r.at:%b %d %H:%M:%S}] {r.level} access 192.0.2.7 "{r.request} HTTP/1.1" {r.status} 9',
    ),
    "fiber": (
        "api.log",
        lambda r: (
            f"{r.at:%Y-%m-%d %H:%M:%S} | {r.status} | {r.ms:>7}.8µs | 192.0.2.7 | {r.method:<7} | {r.path} | -"
        ),
    ),
    "apache behind proxies": (
        "access.log",
        lambda r: (
            f"{', '.join(['192.0.2.7', '198.51.100.4', '203.0.113.9'][: r.ms % 4]) or '-'} 10.0.0.5 - - "
            f'[{r.at:%d/%b/%Y:%H:%M:%S} +0000] "{r.request} HTTP/1.1" {r.status} 9 "-" "curl/8" {r.ms}'
        ),
    ),
    "lograge of JSON with tags": (
        "production.log",
        lambda r: (
            f"I, [{r.at:%Y-%m-%dT%H:%M:%S}.123456 #7]  INFO -- : [0f7c1a52-9d1b-4c55-8a53-{r.ms:012x}] "
            + json.dumps({"method": r.method, "path": r.path, "controller": "A", "status": r.status})
        ),
    ),
    "JSON whose request is a path": (
        "shop.json",
        lambda r: json.dumps(
            {"time": f"{r.at.isoformat()}Z", "method": r.method, "request": r.path, "status": r.status}
        ),
    ),
    "nginx by spelt months": (
        "access-{at:%d-%b-%Y}.log",
        lambda r: (
            f'192.0.2.7 - - [{r.at:%d/%b/%Y:%H:%M:%S} +0000] "{r.request} HTTP/1.1" {r.status} 9 "-" "curl/8"'
        ),
    ),
}
"""By kind: how its files are called, and how a request is written."""


def _requests() -> list[Request]:
    made = []
    for n in range(REQUESTS):
        status = STATUSES[n % len(STATUSES)]
        method = "POST" if n % 5 == 4 else "GET"
        at = BEGIN + timedelta(minutes=17 * n)
        made.append(
            Request(at, method, f"/items/{n}?q=1", status, "CRITICAL" if status > 499 else "INFO", 3 + 11 * n)
        )
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_a_log_is_read_by_what_identify_prints(kind: str, tmp_path: Path) -> None:
    """Each request of each of its files, and each failure, by the section as it stands; the page says by which."""
    name, line = KINDS[kind]
    requests = _requests()
    for each in requests:
        with (tmp_path / name.format(at=each.at, local=each.at + timedelta(hours=8))).open(
            "a", encoding="utf-8"
        ) as file:
            file.write(line(each) + "\n")
    last = max(tmp_path.iterdir())
    sample = identify.sample(RawFile(last.name, str(last), None))
    found = identify.suggestion(identify.identify(sample)[0], sample, last.name, tmp_path)
    assert (found.is_good, len(found.rejects)) == (True, 0)
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(identify.section(found, guess.name(found.settings["files"])))
    (section,) = parser.sections()
    source = replace(identify.declare(dict(parser[section])), year=date(2026, 1, 1))  # as names or envelopes tell
    files = sorted(tmp_path.glob(re.sub(r"(?:\{[A-Z]+\})+", "*", parser[section]["files"])))
    assert files == sorted(tmp_path.iterdir())
    read = [row for each in files for row in identify.read(each.read_bytes(), source).rows.to_pylist()]
    assert sorted((f"{row['ts']:%F %T}", row["method"], row["path"], row["status"]) for row in read) == [
        (f"{each.at:%F %T}", each.method, each.path.partition("?")[0], each.status) for each in requests
    ]
    assert rows()[kind] == said(found)


def test_the_page_lists_every_log_that_is_tried() -> None:
    """The tutorial's, the golden folders and these kinds, each once, in their order."""
    names = [name for name, _, _ in ROW.findall(PAGE.read_text(encoding="utf-8"))]
    assert names == ["tutorial", *sorted(each.name for each in GOLDEN.iterdir()), *KINDS]


def test_the_log_of_the_tutorial_is_identified() -> None:
    """It is a real one."""
    path = PAGE.parents[1] / "tutorial/access.log.gz"
    head = b"\n".join(identify.sample(RawFile(path.name, str(path), None)).split(b"\n", 100)[:100])
    assert rows()["tutorial"] == said(identify.identify(head)[0])

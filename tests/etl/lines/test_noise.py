"""Noise: which lines a source may pass over, and which it never does."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from etl.kernel.layout import PADDING
from etl.lines.blocks import BlockParser
from etl.lines.formats import FORMATS, Alternatives, Field, Format, Role, shaped
from etl.lines.noise import BUILT_IN, Noise, found_in, shows_server_error
from etl.lines.parse import NOISE, Classifier
from etl.sources.source import Source
from lake.contracts.rejects import REASONS
from lake.errors import ConfigError

COMBINED = FORMATS["combined"]
EVERYONE = Classifier("origin", "web", None, (), ())
Declare = Callable[..., Source]
WRITTEN = {
    "blank": [b"", b"  \t", b"\r"],
    "nginx": [
        b'2026/09/16 20:51:05 [error] 24#24: *3 open() "/x" failed (2: No such file), request: "GET /x HTTP/1.1"',
        b"2026/09/16 20:51:05 [notice] 1#1: start worker processes",
        b"/docker-entrypoint.sh: Configuration complete; ready for start up",
        b"10-listen-on-ipv6-by-default.sh: info: Enabled listen on IPv6",
        b"Sep  9 10:05:03 web1 nginx: 2026/09/09 10:05:03 [crit] 7#7: *1 connect() to unix:/a failed",
    ],
    "httpd": [
        b"[Thu Sep 17 10:05:03.123456 2026] [core:notice] [pid 1:tid 2] AH00094: Command line: 'httpd'",
        b"[Thu Sep 17 10:05:03 2026] [error] [client 192.0.2.7] File does not exist: /var/www/x",
        b"AH00558: httpd: Could not reliably determine the server's fully qualified domain name",
    ],
    "haproxy": [
        b"[WARNING] 259/100503 (1) : Server be_web/web1 is DOWN, reason: Layer7 wrong status, code: 503",
        b"[NOTICE]   (1) : New worker (8) forked",
        b"Server be_web/web1 is UP, reason: Layer4 check passed",
        b"Proxy fe_https started.",
        b"backend be_web has no server available!",
        b"Connect from 192.0.2.7:4000 to 10.0.0.1:443 (fe_https/HTTP)",
        b"192.0.2.7:4000 [17/Sep/2026:10:05:03.123] fe_https/1: SSL handshake failure",
        b"192.0.2.7:4000 [17/Sep/2026:10:05:03.123] fe_db be_db/db1 0/0/5007 212 -- 1/1/1/1/0 0/0",
        b"Sep 17 10:05:03 lb1 haproxy[42]: Proxy be_web stopped (cumulated conns: FE: 0, BE: 7).",
    ],
    "envoy": [
        b'[2026-09-17T10:05:07.000Z] "- - -" 0 UF,URX 123 456 5012 - "-" "-" "-" "-" "10.0.0.1:5432"',
        b'{"start_time":"2026-09-17T10:05:07.000Z","method":null,"response_code":0,"bytes_sent":212}',
        b'{"method":"-","response_code": "0","start_time":"2026-09-17T10:05:07.000Z"}',
    ],
    "s3": [
        b'0123abcd my-bucket [17/Sep/2026:10:05:06 +0000] - AmazonS3 3E57 S3.EXPIRE.OBJECT a "-" - - - 512 - - -',
        b"0123abcd my-bucket [17/Sep/2026:10:05:06 +0000] - AmazonS3 3E57427F3EXAMPLE S3.CREATE.DELETEMARKER a -",
    ],
    "caddy": [
        b'{"level":"info","ts":1789639506.5,"logger":"admin","msg":"admin endpoint started"}',
        b'{"level":"info","ts":1789639506.5,"msg":"serving initial configuration"}',
        b'{"level":"info","ts":1789639506.5,"logger":"http.auto_https","msg":"enabling automatic redirects"}',
        b'{"level":"info","ts":1789639506.5,"logger":"http.log","msg":"server running","name":"srv0"}',
        b'{"level":"info","ts":1789639506.5,"logger":"http","msg":"enabling HTTP/3 listener"}',
        b'{"level":"warn","ts":"2026-09-17T10:05:06Z","logger":"http.handlers.reverse_proxy","msg":"aborting"}',
        b'{"level":"info","ts":1789639506.5,"logger":"tls.cache.maintenance","msg":"started maintenance"}',
        b'{"level":"error","ts":1789639506.5,"logger":"http.log.error","msg":"no such host","request":{}}',
    ],
    "klog": [b'I0917 10:05:03.123456       7 controller.go:190] "Configuration changes detected"'],
    "gunicorn": [b"[2026-09-17 10:05:03 +0000] [7] [INFO] Booting worker with pid: 7"],
    "werkzeug": [
        b" * Serving Flask app 'shop'",
        b" * Running on http://127.0.0.1:5000",
        b"\x1b[33mPress CTRL+C to quit\x1b[0m",
        b"\x1b[31m\x1b[1mWARNING: This is a development server. Do not use it in a production deployment.\x1b[0m",
    ],
    "django": [
        b"Not Found: /favicon.ico",
        b"Forbidden (CSRF cookie not set.): /pay",
        b"Method Not Allowed (GET): /pay",
        b"Internal Server Error: /pay",
        b"Watching for file changes with StatReloader",
        b"Performing system checks...",
        b"System check identified no issues (0 silenced).",
        b"September 17, 2026 - 10:05:03",
        b"Django version 5.2, using settings 'shop.settings'",
        b"Starting development server at http://0.0.0.0:8000/",
        b"Quit the server with CONTROL-C.",
        b"[17/Sep/2026 10:05:03] code 400, message Bad request version ('x')",
        b"- Broken pipe from ('192.0.2.7', 40000)",
    ],
    "python": [
        b"Traceback (most recent call last):",
        b'  File "/app/shop/views.py", line 7, in pay',
        b"    return 1 / 0",
        b"    ~~^~~",
        b"ZeroDivisionError: division by zero",
        b"django.db.utils.OperationalError: could not connect",
        b"KeyboardInterrupt",
        b"During handling of the above exception, another exception occurred:",
    ],
    "gin": [
        b"[GIN-debug] GET    /pay                      --> main.pay (3 handlers)",
        b'[GIN-debug] [WARNING] Running in "debug" mode. Switch to "release" mode in production.',
        b"2026/09/17 - 10:05:03 [Recovery] panic recovered:",
        b"2026/09/17 10:05:03 \x1b[31m[Recovery] 2026/09/17 - 10:05:03 panic recovered:",
        b"/usr/local/go/src/runtime/panic.go:770 (0x43b4d2)",
    ],
    "puma": [
        b"=> Booting Puma",
        b"=> Rails 7.1.3 application starting in production ",
        b"Puma starting in single mode...",
        b'* Puma version: 6.4.2 (ruby 3.3.0-p0) ("The Eagle of Durin")',
        b"*  Min threads: 5",
        b"*          PID: 1",
        b"* Listening on http://0.0.0.0:3000",
        b"Use Ctrl-C to stop",
        b"[1] Puma starting in cluster mode...",
        b"[1] - Worker 0 (PID: 12) booted in 0.01s, phase: 0",
        b"- Gracefully stopping, waiting for requests to finish",
        b"=== puma shutdown: 2026-09-17 10:05:03 +0000 ===",
        b"Exiting",
    ],
    "uvicorn": [b"INFO:     Started server process [7]", b"INFO:     Uvicorn running on http://0.0.0.0:8000"],
}
ERRORS = [
    b'192.0.2.7 - - [17/Sep/2026:10:05:03 +0000] "GET /a HTTP/1.1" 502 512 "-" "bare "quote""',
    b'192.0.2.7 - - [17/Sep/2026:10:05:03 +0000] "GET /a HTTP/1.1" 502 cut',
    b'2026/09/16 20:51:05 [error] 24#24: "GET /a HTTP/1.1" 500',
    b'{"time": "x", "status": 503}',
    b'{"level":"error","status_code":"500"}',
    b"level=error status=504 msg=x",
]


def _judged(lines: list[bytes], noise: Noise, *, compiled: bool) -> list[bool]:
    """Tell which lines of a file are noise."""
    block = b"".join(line + b"\n" for line in lines)
    parser = BlockParser(noise.format, EVERYONE, compiled=compiled, noise=noise)
    (batch,) = parser.batches([memoryview(bytearray(block + bytes(PADDING)))[: len(block)]])
    found = np.zeros(batch.lines, bool)
    found[batch.numbers] = batch.reasons == NOISE
    return found.tolist()


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("name", BUILT_IN)
def test_what_servers_write_is_known(name: str, *, compiled: bool) -> None:
    """Each built-in takes its server's lines, only those, and only from a line's begin."""
    lines = WRITTEN[name]
    assert _judged(lines, Noise.of(name, COMBINED), compiled=compiled) == [True] * len(lines)
    others = [line for other, these in WRITTEN.items() if other != name for line in these]
    assert not any(_judged(others, Noise.of(name, COMBINED), compiled=compiled))
    if name != "blank":
        assert not any(_judged([b"~" + line for line in lines], Noise.of(name, COMBINED), compiled=compiled))


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_names_are_found_of_what_lines_may_be(name: str) -> None:
    """Of any line of its, and of no other."""
    for line in WRITTEN[name]:
        assert found_in(pa.array([b"no log\n", line + b"\n"], pa.binary())) == [name]


@pytest.mark.parametrize("compiled", [False, True])
def test_a_line_that_shows_a_server_error_is_never_noise(*, compiled: bool) -> None:
    """Whatever is declared; others are."""
    noise = Noise.of(".*", COMBINED)
    others = [line.replace(b"50", b"40") for line in ERRORS]
    assert _judged(ERRORS + others, noise, compiled=compiled) == [False] * len(ERRORS) + [True] * len(others)


@pytest.mark.parametrize(
    ("log_format", "line"),
    [
        (shaped("log_format", "$status|$time_iso8601|$host"), b"503|x"),
        (shaped("log_format", "$time_iso8601 $host $status $request_time"), b"2026-09-17T10:05:03Z a 503 x y"),
        (FORMATS["fastly"], b'{"timestamp": "x", "response_status": "503"'),
        (FORMATS["heroku"], b'at=error status="503" x'),
    ],
)
def test_a_status_is_looked_for_where_the_format_has_it(log_format: Format, line: bytes) -> None:
    """Also where what follows is cut off or too much."""
    assert log_format.has(Role.STATUS)
    lines = pa.array([line, line.replace(b"503", b"5030"), line.replace(b"503", b"403")], pa.binary())
    assert shows_server_error(lines, log_format).tolist() == [True, False, False]


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("name", ["envoy", "istio"])
def test_a_number_after_a_quote_is_no_status_where_the_format_has_another(name: str, *, compiled: bool) -> None:
    """Bytes that TCP received may be 500 to 599: the usual begin of TLS has 517."""
    tcp = b'[2026-09-17T10:05:07.000Z] "- - -" %s - - - "-" %s 3961 61 - "-" "-" "-" "-" "142.250.1.1:443"'
    lines = [tcp % (b"0", b"517"), tcp % (b"0", b"0"), tcp % (b"-", b"599"), tcp % (b"503", b"517")]
    both = Alternatives.of([COMBINED, FORMATS[name]], ["a", "b"])
    for log_format in (FORMATS[name], both):
        noise = Noise.of("envoy", log_format)
        assert _judged(lines, noise, compiled=compiled) == [True, True, True, False]
        assert not any(_judged(ERRORS[:3], Noise.of(".*", log_format), compiled=compiled))


@pytest.mark.parametrize("compiled", [False, True])
def test_a_record_beside_that_of_a_failed_request_is_noise(*, compiled: bool) -> None:
    """Caddy writes two of one request: only such a record shows a server error and may be noise."""
    end = b',"request":{"method":"GET","uri":"%s"},"duration":0.1,"status":502%s}'
    error = b'{"level":"error","ts":1789639506.5,"logger":"http.log.error.log0","msg":"%s"' + end
    access = b'{"level":"error","ts":1789639506.5,"logger":"http.log.access.log0","msg":"%s"' + end
    lines = [
        error % (b"EOF", b"/a", b',"err_id":"a1","err_trace":"x"'),
        error % (b"EOF", b"/a", b',"err_id":7'),
        error % (b"EOF", b"/a", b""),
        error % (b"EOF", b"/a", b',"err_id":null'),
        access % (b"handled request", b"/a", b""),
        (access % (b"handled request", rb"/\"err_id\":\"", b""))[:-1],
        (error % (b"EOF", b"/a", b',"err_id":"a1"'))[:-1],
    ]
    known = FORMATS["caddy"]
    for log_format in (known, Alternatives.of([COMBINED, known], ["a", "b"])):
        assert _judged(lines, Noise.of("caddy", log_format), compiled=compiled) == [True] * 2 + [False] * 5
    assert not any(_judged(lines, Noise.of("caddy", COMBINED), compiled=compiled))
    rails = FORMATS["lograge"]
    rails = replace(rails, fields=(*rails.fields, Field("id", Role.BESIDE)))
    lines = [b"2026-09-17T10:05:03Z method=GET path=/a status=502 " + end for end in (b"id=7", b"id=", b"x=7")]
    assert _judged(lines, Noise.of(".*", rails), compiled=compiled) == [True, False, False]


@pytest.mark.parametrize("compiled", [False, True])
def test_what_has_the_formats_shape_but_for_a_field_is_no_noise(*, compiled: bool) -> None:
    """A request whose bytes can't be read stays a reject, one that is read a request, and too long a line, too."""
    line = b'- - - [17/Sep/2026:10:05:03 +0000] "GET / HTTP/1.1" 200 %s "-" "-"'
    lines = [line % b"x", line % b"5", b"a" * (1 << 20), b"a"]
    assert _judged(lines, Noise.of(".*", COMBINED), compiled=compiled) == [False, False, False, True]


def test_noise_is_declared_by_name_and_by_pattern(declare: Declare) -> None:
    """One a line, names also between commas; it is in the settings' digest."""
    plain = declare()
    source = declare(noise="nginx, blank, s3\n  health: ok, [0-9]+ms\n  blank")
    assert source.noise
    assert source.noise.declared == ("nginx", "blank", "s3", "health: ok, [0-9]+ms")
    assert plain.noise is None
    assert source.settings_sha256 not in plain.known_as
    assert source.known_as == {source.settings_sha256}
    lines = pa.array([b"health: ok, 3ms\n", b"no health: ok, 3ms\n"], pa.binary())
    shape = REASONS.index("shape")
    assert source.noise.judged(lines, np.array([shape, shape])).tolist() == [NOISE, shape]


@pytest.mark.parametrize(
    ("noise", "message"),
    [
        ("nginx, apache", "noise: 'apache' is not known. Known: blank, nginx"),
        ("apache", "noise: 'apache' is not known. Known: blank, nginx"),
        ("a(b", r"noise: a\(b is not a regular expression of RE2: "),
        ("(?=a)", r"noise: \(\?=a\) is not a regular expression of RE2: "),
    ],
)
def test_wrong_noise_is_refused(declare: Declare, noise: str, message: str) -> None:
    """A name that is none, and what RE2 can't read."""
    with pytest.raises(ConfigError, match=message):
        declare(noise=noise)
    with pytest.raises(ConfigError, match=r"max_noise_rate = 2: expected a share, 0 to 1"):
        declare(noise="nginx", max_noise_rate=2)

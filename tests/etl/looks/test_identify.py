"""Unknown logs: what they are taken for, and what luigi.cfg is told to say of them."""

import configparser
import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from identified import rows, said

from etl.lines.formats import FORMATS
from etl.looks import guess, identify
from etl.looks.identify import Reading
from etl.raw.files import RawFile
from etl.sources.sections import LOG_FORMAT, read_sources
from etl.sources.source import Source
from lake import config
from lake.errors import ConfigError

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = sorted(GOLDEN.iterdir())
LINE = b'192.0.2.7 - - [17/Sep/2026:10:05:03 +0000] "GET /a?b HTTP/1.1" 200 512'
COMBINED = LINE + b' "-" "curl/8"'
UNTOLD = ("apache_microseconds", "format_list", "json_unquoted")
"""Cases whose lines alone don't tell what they are: a unit, several formats, the keys of what is hardly JSON."""
GUESSED = {"trailing": "trailing", "logfmt": "fields", "json_fields": "fields"}
NEXT = {"heroku": "logfmt", "w3c": "iis", "iis": "w3c", "lograge": "heroku"}
"""Formats whose lines another one can read, too."""
TRAILED = ("combinedio", "ingress_nginx_host", "puma", "traefik")
"""Cases with lines that their format rejects, and that a guessed end reads: so identify takes that."""
SEVERAL_HOSTS = (
    "ingress_nginx",
    "json",
    "json_fields",
    "envoy",
    "istio",
    "haproxy",
    "gcp_http",
    "s3",
    "ingress_nginx_host",
)
"""Cases in which most lines have no host, or in which it is for a person to say which name is meant."""
UNGUESSABLE = {"logfmt": ["duration_seconds", "retried"], "json_fields": ["duration_seconds"]}
"""Columns by case: a duration in microseconds that doesn't say so, a key of which no one could think."""
UNSHAPED = ["response_bytes", "duration_seconds", "upstream_status", "retried", "method"]
"""Columns that a guessed log_format leaves out, and one that differs where a format has more variables."""


def _file(path: Path) -> RawFile:
    return RawFile(path.name, str(path), None)


def _suggested(head: bytes, path: str = "access.log") -> tuple[Reading, str]:
    """Return the best reading with its suggestion, and the section as text."""
    best = identify.suggestion(identify.identify(head)[0], head, path, Path("/nowhere"))
    return best, identify.section(best, guess.name(path))


def _settings(section: str) -> dict[str, str]:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(section)
    (name,) = parser.sections()
    return dict(parser[name])


def _source(section: str, folder: Path) -> Source:
    path = folder / "luigi.cfg"
    path.write_text("[lake]\nroot = lake\n" + section + "\n")
    (source,) = read_sources(config.read(path))
    return source


def _rows(head: bytes, source: Source, without: list[str]) -> pa.Table:
    return identify.read(head, source).rows.drop_columns(["application", "vantage", "traffic_class", *without])


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_a_golden_log_is_identified_and_read_alike(case: Path, tmp_path: Path) -> None:
    """Each is its own format by its lines alone, and the suggested section reads the rows that its source does."""
    head = identify.first_lines(identify.sample(_file(case / "access.log")))
    golden = _source(case.joinpath("source.ini").read_text(), tmp_path)
    best = identify.identify(head)[0]
    assert rows()[case.name] == said(identify.suggestion(best, head, "access.log", Path("/nowhere")))
    if golden.format.name == LOG_FORMAT:
        _, section = _suggested(head)
        found = _rows(head, _source(section, tmp_path), UNSHAPED).to_pylist()
        assert all(row in found for row in _rows(head, golden, UNSHAPED).to_pylist()[:2])
        return
    if case.name in UNTOLD:
        assert best.settings["format"] != golden.format.name or best.guessed
        return
    assert best.fits
    suggested, section = _suggested(head)
    if case.name in TRAILED:
        assert suggested.guessed == "trailing"
        assert not len(suggested.rejects)
        assert identify.read(head, golden).failed or len(identify.read(head, golden).rejects)
        return
    assert suggested.settings["format"] == golden.format.name
    assert suggested.guessed == GUESSED.get(case.name)
    zone = f"timezone = {golden.format.timezone}\n" if golden.format.timezone else ""
    source = _source(section.replace("timezone = UTC\n", zone), tmp_path)
    if case.name == "trailing":  # whose values are made up to be rejects, which a guess makes of none
        assert not len(suggested.rejects)
        return
    without = UNGUESSABLE.get(case.name, [])
    found, expected = (_rows(head, each, without).to_pylist() for each in (source, golden))
    assert [row for row in found if row in expected or not without] == expected  # a guess makes fewer rejects
    if golden.classifier.application_field and case.name not in SEVERAL_HOSTS:
        assert source.classifier.application_field == golden.classifier.application_field


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in FORMATS if name != "logfmt"])  # which lacks its time zone
def test_without_its_rejects_a_golden_log_is_good(name: str) -> None:
    """Its format reads every line, and no other comes near but for the twins w3c and iis."""
    rejects = csv.DictReader((GOLDEN / name / "rejects.csv").read_text().splitlines())
    wrong = {int(row["line_number"]) for row in rejects}
    lines = (GOLDEN / name / "access.log").read_bytes().split(b"\n")[:-1]
    readings = identify.identify(b"\n".join(line for n, line in enumerate(lines, 1) if n not in wrong))
    assert readings[0].settings == {"format": name}
    assert readings[0].recognised == readings[0].lines
    assert readings[0].is_good or readings[0].without_offset
    assert len(readings[0].rejects) == readings[0].without_offset
    second = identify.runner_up(readings)
    assert (second and second.settings["format"]) == NEXT.get(name)


def test_iis_and_w3c_are_told_apart_by_their_software() -> None:
    """They read the same lines; in one the durations are milliseconds."""
    head = b"#Fields: date time cs-method cs-uri-stem sc-status time-taken\n2026-09-17 10:05:03 GET / 200 1500\n"
    best, second = identify.identify(head)[:2]
    assert (best.settings["format"], best.rows["duration_seconds"].to_pylist()) == ("w3c", [1500.0])
    assert identify.runner_up([best, second]) is second
    best = identify.identify(b"#Software: Microsoft Internet Information Services 10.0\n" + head)[0]
    assert (best.settings["format"], best.rows["duration_seconds"].to_pylist()) == ("iis", [1.5])


@pytest.mark.parametrize(
    ("fields", "durations", "log_format", "unit"),
    [
        ("sc-substatus", ["0", "13", "1500"], "iis", None),  # IIS' lines that begin with #Software are gone
        ("s-computername", ["33.1234", "0.4123"], "iis", None),  # ASP.NET Core's logger
        ("x-a", ["13", "0", "1500"], "w3c", "ms"),
        ("x-a", ["33.1234", "12.5", "0.4123"], "w3c", "ms"),
        ("x-a", ["0", "0"], "w3c", "ms"),
        ("x-a", ["0.013", "0", "1.5", "60.001"], "w3c", None),
        ("x-a", ["-", "-"], "w3c", None),
    ],
)
def test_the_unit_of_w3c_is_what_lines_show(
    fields: str, durations: list[str], log_format: str, unit: str | None
) -> None:
    """By the fields of Microsoft's servers, or by what the durations are; a guess is said to be one."""
    head = f"#Fields: date time cs-method cs-uri-stem sc-status {fields} time-taken\n"
    head += "".join(f"2026-09-17 10:05:03 GET / 200 0 {each}\n" for each in durations)
    found, section = _suggested(head.encode())
    assert (found.settings["format"], found.settings.get("duration_unit")) == (log_format, unit)
    assert ("a guess: durations" in section) is (unit is not None)
    factor = 1 if unit is None and log_format == "w3c" else 1000
    expected = [None if each == "-" else float(each) / factor for each in durations]
    assert found.rows["duration_seconds"].to_pylist() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("begin", "end", "trailing"),
    [
        (COMBINED, ["0.004", "0.003", "200"], "$request_time $upstream_response_time $upstream_status"),
        (COMBINED, ["0.004", "0.003", "500"], "$request_time $upstream_response_time $field_12"),
        (COMBINED, ["500"], "$field_10"),
        (COMBINED, ["12.345", "0.5"], "$upstream_response_time $field_11"),
        (COMBINED, ["10.0.0.1:8080", '"shop.example.com"'], '$upstream_addr "$host"'),
        (
            COMBINED,
            ['"192.0.2.1, 192.0.2.2"', "TLSv1.3", "[x y]", "-"],
            '"$field_10" $field_11 [$field_12] $field_13',
        ),
        (COMBINED, ["rt=0.004", 'us="200, 502"'], 'rt=$request_time us="$field_11"'),
        (COMBINED, ["rt=0.004", 'us="502, 200"'], 'rt=$request_time us="$upstream_status"'),
        (COMBINED, ["151ms"], "$request_time"),
        (
            COMBINED,
            ["rt=0.004", 'uct="0.001"', 'uht="0.003"', "us=200"],
            'rt=$request_time uct="$upstream_connect_time" uht="$upstream_header_time" us=$upstream_status',
        ),
        (
            COMBINED,
            ["uct=0.001", "urt=0.003", "rt=12.345"],
            "uct=$upstream_connect_time urt=$upstream_response_time rt=$field_12",
        ),
        (LINE, ["0.004"], "$request_time"),
        (LINE, ["4711"], "$field_8"),
        (b"shop.example.com:443 " + COMBINED, ["0.004"], "$request_time"),
    ],
)
def test_fields_at_the_end_are_guessed(begin: bytes, end: list[str], trailing: str) -> None:
    """By their values, after the longest of Apache's shapes; what says nothing gets a name of its own."""
    line = begin + b" " + " ".join(end).encode() + b"\n"
    best, section = _suggested(line * 3)
    assert best.settings["trailing"] == f"{trailing} ..."
    assert best.is_good
    assert (
        f"# a guess by what the values look like; compare the server's log_format\ntrailing = {trailing} ...\n"
        in section
    )


def test_most_lines_tell_what_the_fields_at_the_end_are() -> None:
    """Lines of another shape, and values that stand for nothing, don't; and none of them becomes a reject."""
    head = COMBINED + b" - x\n" + (COMBINED + b" - 0.125\n") * 2 + (COMBINED + b" 200 0.125\n") * 3
    head += COMBINED + b"\n" + COMBINED + b" one two three\n" + COMBINED + b" one\n"
    best = identify.identify(head)[0]
    assert best.settings["trailing"] == "$upstream_status $request_time ..."
    assert (len(best.rows), len(best.rejects)) == (9, 0)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["0.004", "0.000", "0.250"], True),
        (["0.004", "0.010", "-", "59.000"], True),
        (["150", "12"], False),
        (["0.5", "0.25"], False),
        (["12.345", "150.001", "3.200"], False),
        (["0.004"] * 98 + ["600.000"] * 2, False),
        ([], False),
    ],
)
def test_durations_are_seconds_only_where_that_is_shown(values: list[str], expected: bool) -> None:  # noqa: FBT001
    """By their digits and by what most of them are: 150 ms must not become 150 s."""
    assert guess.are_seconds(values) is expected


TIMEOUTS = [(200, "0.003", "0.004")] * 90 + [(503, "-", "0.000")] * 5 + [(504, "60.000", "60.001")] * 5
"""Status, time of the upstream and of the whole request."""


@pytest.mark.parametrize(
    ("line", "trailing"),
    [
        ("{upstream} {whole}", "$upstream_response_time $request_time"),
        ("{whole} {upstream}", "$request_time $upstream_response_time"),
        ("{whole} 0.001 {upstream}", "$request_time $field_11 $upstream_response_time"),
        ("urt {upstream} rt {whole}", "$field_10 $upstream_response_time $field_12 $request_time"),
        ("urt={upstream} rt={whole}", "urt=$upstream_response_time rt=$request_time"),
    ],
)
def test_the_time_of_a_request_is_told_from_its_upstreams(line: str, trailing: str) -> None:
    """Also with timeouts after 60 s: the longer one is the request time, or the one whose label says so."""
    lines = [
        COMBINED.replace(b" 200 ", b" %d " % status) + b" " + line.format(whole=whole, upstream=upstream).encode()
        for status, upstream, whole in TIMEOUTS
    ]
    best = identify.identify(b"\n".join(lines) + b"\n")[0]
    assert best.settings["trailing"] == f"{trailing} ..."
    assert best.rows["duration_seconds"].to_pylist() == [float(whole) for _, _, whole in TIMEOUTS]


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ('"request_time": {whole}, "duration": {whole}', "request_time"),
        ('"request_time": "{whole}"', "request_time"),
        ('"latency": {whole}000, "latency_human": "{whole}s"', "latency_human"),
        ('"latency": {whole}, "latency_human": "{whole}"', "latency_human"),
    ],
)
def test_a_duration_of_json_shows_its_unit_beside_timeouts(written: str, key: str) -> None:
    """By how it is written: the zeros of 0.160 are part of that."""
    lines = [
        f'{{"time": "2026-09-17T10:05:03Z", "status": {status}, {written.format(whole=whole)}}}'
        for status, _, whole in [*TIMEOUTS, (200, "0.160", "0.160")]
    ]
    best = identify.identify("\n".join(lines).encode())[0]
    assert f"duration = {key}" in best.settings["fields"]
    assert best.rows["duration_seconds"].to_pylist()[-2:] == [60.001, 0.16]


def test_a_column_that_is_not_the_status_again_is_no_upstream_status() -> None:
    """Whatever its numbers look like: a latency of 120 to 527 loses no request, and no server error."""
    lines = [
        LINE.replace(b" 200 ", b" 504 " if n == 30 else b" 200 ") + b' "-" "x" %d' % (120 + 9 * n)
        for n in range(47)
    ]
    head = b"\n".join([*lines, LINE.replace(b" 200 ", b" 504 ") + b' "-" "x" 30000']) + b"\n"
    best, _ = _suggested(head)
    assert best.settings["trailing"] == "$field_10 ..."
    assert best.rows["status"].to_pylist().count(504) == 2
    assert best.rows["duration_seconds"].null_count == len(best.rows) == 48


def test_a_retried_request_is_none_that_is_lost() -> None:
    """ingress-nginx' default, whose lists have spaces: the guess is made from the others, and reads them too."""
    once = b" 300 0.%03d [shop-web-80] [] 198.51.100.7:8080 100 0.%03d 200 3039"
    again = b" 305 0.058 [shop-web-80] [] 198.51.100.7:80, 198.51.100.8:80 0, 150 0.000, 0.012 502, 502 cae4"
    head = b"".join(COMBINED + once % (n, n) + b"\n" for n in range(40))
    head += COMBINED.replace(b" 200 ", b" 502 ") + again + b"\n"
    best, _ = _suggested(head)
    last = best.rows.slice(40).to_pylist()[0]
    assert (last["status"], last["upstream_status"], last["retried"], last["duration_seconds"]) == (
        502,
        502,
        True,
        0.058,
    )


def test_rejects_that_look_like_server_errors_make_no_good_section() -> None:
    """However few they are; a 512 that is a number of bytes is none."""
    head = (COMBINED + b"\n") * 500
    assert identify.identify(head)[0].is_good
    assert not identify.identify(head + b'x [17/Sep/2026] "GET / HTTP/1.1" 503 1\n')[0].is_good
    assert identify.identify(head + b'x [17/Sep/2026] "GET / HTTP/1.1" 200 512\n')[0].is_good


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        (
            {
                "@timestamp": "2026-09-17T10:05:03Z",
                "verb": "GET",
                "url": "/a",
                "response_code": 200,
                "latency_ms": 4,
            },
            "time = @timestamp, method = verb, target = url, status = response_code, duration_ms = latency_ms",
        ),
        (
            {"time": 0.5, "ts": 1789639503.5, "status": "ok", "code": 200, "path": "x", "uri": "/a", "took_us": 9},
            "time = ts, target = uri, status = code, duration_us = took_us",
        ),
        (
            {
                "req": {"method": "GET", "headers": {"userAgent": "curl", "a.b": 1, "x y": 2}, "tags": ["a"]},
                "res": {"statusCode": 200, "bytes": 5},
                "timestamp": "17/Sep/2026:10:05:03 +0000",
                "request": "GET /a HTTP/1.1",
                "domain": "shop.example.com",
            },
            (
                "time = timestamp, request = request, method = req.method, status = res.statusCode, "
                "response_bytes = res.bytes, host = domain, user_agent = req.headers.userAgent"
            ),
        ),
    ],
)
def test_keys_of_json_are_guessed(line: dict[str, Any], fields: str) -> None:
    """By their names, of which the values must be worthy; units are part of a name, dots are nested objects."""
    head = (json.dumps(line) + "\n").encode() * 3 + b"no json\n"
    best, section = _suggested(head)
    assert best.settings["format"] == "json"
    assert best.settings["fields"] == "\n" + fields.replace(", ", "\n")
    assert len(best.rows) == 3
    assert _settings(section)["fields"] == best.settings["fields"]


def test_keys_of_logfmt_are_guessed() -> None:
    """A time may stand before the pairs; a rare key is none."""
    head = b'2026-09-17T10:05:03Z app: method=GET path="/a" status=200 elapsed=3ms vhost=shop.example.com\n' * 9
    best, _ = _suggested(head + b"2026-09-17T10:05:04Z x: time=2026-09-17T10:05:03Z status=200\n")
    assert best.settings["fields"].split() == [
        *("method", "=", "method", "target", "=", "path", "status", "=", "status", "duration", "=", "elapsed"),
        *("host", "=", "vhost", "time", "=", "prefix_time"),
    ]
    assert best.settings["application"] == "field:vhost"


def test_times_without_an_offset_are_read_as_utc_and_it_is_said(tmp_path: Path) -> None:
    """The section works as it stands, and says that the zone is an assumption; one in the log needs none."""
    head = b'{"time_iso8601": "2026-09-17T10:05:03", "status": 200, "host": "a"}\n' * 3
    best, section = _suggested(head)
    assert (best.settings["format"], len(best.rejects), best.settings["timezone"]) == ("json", 0, "UTC")
    assert best.is_good
    assert best.assumes_zone
    assert "# a guess: times that name no time zone are taken for UTC." in section
    assert "\ntimezone = UTC\n" in section
    assert "covers" not in section
    assert [f"{row:%H}" for row in identify.read(head, _source(section, tmp_path)).rows["ts"].to_pylist()] == [
        *["10"] * 3
    ]
    _, section = _suggested(head.replace(b"10:05:03", b"10:05:03+02:00"))
    assert "timezone" not in section


@pytest.mark.parametrize(
    "head", [b"\n", b"once upon a time\n", b"\0\x1b[31m\xff", b"a=b\n", b"{}\n", b"#Fields: \n"]
)
def test_what_is_no_access_log_fits_nothing(head: bytes) -> None:
    """Whatever stands in it."""
    best = identify.identify(head)[0]
    assert (best.fits, best.is_good) == (False, False)


def test_directives_alone_are_not_read_well(declare: Callable[..., Source]) -> None:
    """A log without one request doesn't show that its format is right."""
    found = identify.read(b"#Version: 1.0\n", declare(format="w3c"))
    assert (found.lines, found.is_good) == (0, False)


@pytest.mark.parametrize(("bad", "good"), [(1, True), (2, False)])
def test_one_line_in_a_hundred_may_be_a_reject(declare: Callable[..., Source], bad: int, good: bool) -> None:  # noqa: FBT001
    """As many as max_reject_rate of a source allows, which is 1 % unless it says otherwise."""
    head = (COMBINED + b"\n") * (100 - bad) + b"x\n" * bad
    assert identify.read(head, declare()).is_good is good
    assert identify.read(head, declare(max_reject_rate=0.5)).is_good


@pytest.mark.parametrize("compress", [lambda data: data, gzip.compress])
def test_only_the_first_lines_are_read(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    """1,000 of them, or fewer if they are long; the last may lack its LF."""
    path = tmp_path / "access.log"
    for data, expected in (
        (b"a\n" * 1500, b"\n".join([b"a"] * 1000)),
        (b"a\nb", b"a\nb"),
        (b"a\nb\n", b"a\nb\n"),
    ):
        path.write_bytes(compress(data))
        assert identify.first_lines(identify.sample(_file(path))) == expected
    path.write_bytes(compress((b"a" * 9999 + b"\n") * 3000))
    assert identify.sample(_file(path), 1 << 20) == (b"a" * 9999 + b"\n") * 104
    assert len(identify.first_lines(identify.sample(_file(path)))) <= 1 << 20


def test_a_file_that_cannot_be_read_is_a_wrong_argument(tmp_path: Path) -> None:
    """As is one that is empty, damaged, of another kind or no text; the message says which and why."""
    path = tmp_path / "access.log.gz"
    for data, message in (
        (None, "No such file"),
        (b"", "is empty"),
        (gzip.compress(b"a\n")[:-9], "cut off"),
        (b"PAR1\x15", "is a Parquet file"),
        (b"a\n\0b", "is binary"),
    ):
        if data is not None:
            path.write_bytes(data)
        with pytest.raises(ConfigError, match=f"access.log.gz.*{message}"):
            identify.sample(_file(path))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/var/log/shop-access.log.1.gz", "shop"),
        ("access.log", "web"),
        ("2026/é.log", "web"),
        ("u_ex260917.log", "web"),
        ("E2EXAMPLE1ABC.2026-09-16-14.2soosksi.gz", "web"),
        ("{YYYY}{MM}{DD}_billing_7qkz01ab.log.zst", "billing"),
        ("access.log.tar.xz", "web"),
        ("logs.zip", "web"),
        ("shop.tar.gz", "shop"),
        ("app.json.7z", "app"),
        ("access-17-Sep-2026.log", "web"),
        ("Access.Log.SEP-17", "web"),
        ("marching.log*", "marching"),
    ],
)
def test_a_name_comes_from_the_file(path: str, name: str) -> None:
    """The first word that says something, if there is one: no random part, no date, no extension."""
    assert guess.name(path) == name


@pytest.mark.parametrize(
    ("line", "application"),
    [
        ("2026-09-17T10:05:03Z|192.0.2.7|{}|GET /a HTTP/1.1|200|512|0.035", "field:field_3"),
        ("17/Sep/2026:10:05:03 +0000\t{}\t192.0.2.7\tGET\t/a\t200\t0.035", "field:field_2"),
    ],
)
def test_a_field_without_a_name_may_be_the_host(line: str, application: str, tmp_path: Path) -> None:
    """If it holds names that differ by more than a number, as machines' do not; any text in it stays a request."""
    section = _suggested(
        "\n".join([line.format("shop.example.com"), line.format("api.example.org:443")] * 9).encode()
    )[1]
    source = _source(section, tmp_path)
    assert f"application = {application}\n" in section
    odd = "\n".join([line.format(host) for host in ("Shop.example.com", "", "-", "a b", 'x"[')]).encode()
    assert identify.read(odd, source).rows["application"].to_pylist() == ["shop.example.com", *["(invalid)"] * 4]
    for hosts in (("web1.example.com", "web2.example.com"), ("shop.example.com",) * 2, ("a", "b")):
        assert "field:" not in _suggested("\n".join([line.format(each) for each in hosts] * 9).encode())[1]


@pytest.mark.parametrize(
    ("host", "application"),
    [("www.example.com", "field:host"), ("web1", "web"), ("10.0.0.1", "web"), ("ip-10-0-0-1.ec2.internal", "web")],
)
def test_a_machine_is_no_application(host: str, application: str) -> None:
    """A key that is called host may name what answered."""
    head = (json.dumps({"time": "2026-09-17T10:05:03Z", "status": 200, "host": host}) + "\n").encode() * 3
    assert _suggested(head)[0].settings["application"] == application


def test_a_host_before_an_address_is_the_virtual_one() -> None:
    """Even where users make such lines look like those without it."""
    line = LINE.replace(b"- - ", b"- alice ") + b' "-" "x"\n'
    best, _ = _suggested(b"www.example.com " + line + b"api.example.com " + line)
    assert (best.settings["format"], best.settings["application"]) == ("vhost_combined", "field:vhost")


@pytest.mark.slow
def test_every_format_is_tried() -> None:
    """No format can be added that is not looked for."""
    for name in FORMATS:
        readings = identify.identify((GOLDEN / name / "access.log").read_bytes())
        assert name in {reading.settings["format"] for reading in readings}


def test_an_envelope_is_found_and_declared(tmp_path: Path) -> None:
    """The section reads what the bare lines are; a log without one is declared without."""
    lines = [COMBINED.replace(b"200", status) for status in (b"200", b"502", b"304")]
    bare, section = _suggested(b"\n".join(lines))
    assert "envelope" not in section
    for around in (b"2026-09-17T10:05:03.1Z stdout F ", b"Sep  9 10:05:03 web1 nginx: ", b"web-1  | "):
        head = b"\n".join(around + line for line in lines)
        found, section = _suggested(head)
        assert found.is_good
        assert found.rows == bare.rows
        source = _source(section, tmp_path)
        assert len(source.wrapping.envelopes) == 1
        assert identify.read(head, source).rows == bare.rows


RECORDS = (("caddy", "msg"), ("traefik_json", "message"), ("pino", "line"), ("bunyan", "body"))
AROUND = ("cri", "docker", "compose", "syslog", "json:message", "cri, json:message")


@pytest.mark.parametrize(
    ("name", "key", "envelopes"),
    [
        pytest.param(*RECORDS[(n + m) % len(RECORDS)], each, marks=[pytest.mark.slow] * m)
        for n, each in enumerate(AROUND)
        for m in range(2)
    ],
)
def test_a_record_with_a_key_of_an_envelope_is_read_in_one(name: str, key: str, envelopes: str) -> None:
    """A message in the record is part of it, whatever is around the record."""
    lines = [json.loads(line) for line in GOLDEN.joinpath(name, "access.log").read_bytes().splitlines()[:2]]
    texts = [json.dumps({**line, key: "handled request"}, separators=(",", ":")) for line in lines]
    rows = identify.identify("\n".join(texts).encode())[0].rows
    for each in reversed(envelopes.split(", ")):
        texts = [_wrapped(text, each) for text in texts]
    best = identify.identify("\n".join(texts).encode())[0]
    assert best.settings == {"format": name, "envelope": envelopes}
    assert best.rows == rows
    assert len(best.rows) == 2


def _wrapped(text: str, envelope: str) -> str:
    """Return a line in an envelope."""
    time = "2026-09-17T10:05:03.1Z"
    if envelope == "docker":
        return json.dumps({"log": text + "\n", "stream": "stdout", "time": time})
    if envelope == "json:message":
        return json.dumps({"file": "/x", "message": text, "timestamp": time})
    return {"cri": f"{time} stdout F ", "syslog": "Sep 17 10:05:03 web1 x[7]: ", "compose": "web-1  | "}[
        envelope
    ] + text


def test_keys_of_a_record_in_an_envelope_are_guessed_with_its_method() -> None:
    """What a format fills by default, that no request was retried, makes it no better than one that reads more."""
    line = '{"time":"2026-09-17T10:05:03Z","method":"GET","path":"/a","status":200,"msg":"done"}'
    best = identify.identify("\n".join([_wrapped(line, "cri")] * 3).encode())[0]
    assert (best.guessed, best.settings["envelope"]) == ("fields", "cri")
    assert best.rows["method"].to_pylist() == ["GET"] * 3


def test_a_prefix_of_a_known_format_is_no_envelope() -> None:
    """What a format reads by itself, it reads with the time that it has there."""
    head = (GOLDEN / "heroku/access.log").read_bytes()
    assert "envelope" not in identify.identify(head)[0].settings


def test_noise_is_declared_by_the_names_of_what_is_there(tmp_path: Path) -> None:
    """Only of those, and none where all lines are read; what shows an error of the server stays a reject."""
    error = b'2026/09/17 10:05:03 [error] 7#7: *1 open() "/x" failed'
    failed = b'192.0.2.7 - - [17/Sep/2026 "GET /a HTTP/1.1" 502 5 "-" "x"'
    head = b"\n".join([COMBINED, error, COMBINED, b"", COMBINED, b"unknown", failed, error])
    found, section = _suggested(head)
    assert found.settings["noise"] == "blank, nginx"
    assert len(found.rejects) == 2
    assert len(identify.read(head, _source(section, tmp_path)).rejects) == 2
    assert "noise" not in _suggested(COMBINED)[1]
    assert "noise" not in _suggested(COMBINED + b"\nunknown\n" + COMBINED)[1]


def test_lines_are_read_again_only_with_noise_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """To read them takes long; of other noise a look at them tells that there is none."""
    read, noise = identify.read, []

    def noted(head: bytes, source: Source, settings: dict[str, str]) -> identify.Reading:
        noise.append(settings.get("noise"))
        return read(head, source, settings)

    monkeypatch.setattr(identify, "read", noted)
    for around in (b"", b"2026-09-17T10:05:03.1Z stdout F "):
        noise.clear()
        lines = (COMBINED, b"unknown", b"2026/09/16 20:51:05 [notice] 1#1: start worker processes")
        best, *_ = identify.identify(b"".join(around + line + b"\n" for line in lines))
        assert (best.settings["noise"], len(best.rejects)) == ("nginx", 1)
        assert [each for each in noise if each] == ["nginx"]


def test_second_records_of_failed_requests_are_noise_where_the_first_ones_are_there() -> None:
    """Caddy's two of one request; where errors alone are written, they are all that is known of it."""
    ok, failed, _, start, error = (GOLDEN / "caddy/access.log").read_bytes().splitlines()
    best = identify.identify(b"\n".join([start, *[ok] * 9, error, failed, error, failed]) + b"\n")[0]
    assert (best.settings, len(best.rejects)) == ({"format": "caddy", "noise": "caddy"}, 0)
    assert (len(best.rows), best.server_errors) == (11, 2)
    best = identify.identify(b"\n".join([*[ok] * 9, error, failed, error]) + b"\n")[0]
    assert (best.settings, best.failed) == ({"format": "caddy"}, 2)


@pytest.mark.parametrize("name", ["envoy", "istio", "envoy_json"])
def test_connections_of_tcp_are_noise_of_a_mesh(name: str) -> None:
    """Also where they are most of the lines; a request that a client left is one."""
    lines = GOLDEN.joinpath(name, "access.log").read_bytes().splitlines()[:5]
    requests, session = lines[:3], lines[4]
    head = b"\n".join([*requests * 3, *[session] * 12]) + b"\n"
    best = identify.identify(head)[0]
    assert (best.settings, len(best.rows), len(best.rejects)) == ({"format": name, "noise": "envoy"}, 9, 0)
    assert best.rows["status"].to_pylist() == [200, 503, 0] * 3

"""Formats: what a whole line of each looks like, and what its fields are for."""

import re

import pytest

from etl.lines.formats import FORMATS, Delimited, Field, Format, Headed, Kind, Role, shaped
from lake.errors import ConfigError

COMMON = '192.0.2.7 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 512'
ALB = (
    "h2 2026-09-17T22:23:02.1Z app/web/1 [2001:db8::7]:48160 - 0.000 0.002 0.000 304 304 5 257 "
    '"GET https://shop.example.com:443/ HTTP/2.0" "curl" TLS_AES TLSv1.3 arn "Root=1-5" "shop.example.com" "-" 1 '
    '2026-09-17T22:22:48.3Z "forward" "-" "-" "-" "304"'
)
ENVOY = '[2026-09-17T10:05:03.123Z] "GET / HTTP/1.1" 200 -'
INGRESS = f'{COMMON} "-" "curl" 300 0.003 [shop-web-80] [] 10.0.0.1:80 5 0.1 200 id'
LINES = {
    "common": COMMON,
    "combined": f'{COMMON} "https://example.com/" "curl/8"',
    "vhost_combined": f'shop.example.com:443 {COMMON} "-" "curl/8"',
    "alb": ALB,
    "elb": (
        "2026-09-17T10:05:03.1Z my-elb 192.0.2.7:2817 10.0.0.1:80 0.1 0.2 0.3 200 200 0 29 "
        '"GET http://shop.example.com:80/ HTTP/1.1" "curl" - -'
    ),
    "s3": (
        "0123abcd my-bucket [17/Sep/2026:10:05:03 +0000] 192.0.2.7 - 79A5 REST.GET.OBJECT a "
        '"GET /my-bucket/a HTTP/1.1" 200 - 5 5 7 1 "-" "curl" - hostid= SigV4 - AuthHeader host TLSv1.3 - -'
    ),
    "haproxy": (
        "Sep 17 10:05:03 lb1 haproxy[4242]: 192.0.2.7:40000 [17/Sep/2026:10:05:03.123] fe be/web1 0/0/1/3/4 200 "
        '100 - - ---- 5/4/0/1/0 0/0 {a "b|c} "GET / HTTP/1.1" 0/0/0/0/0'
    ),
    "envoy": f'{ENVOY} 0 5 3 2 "-" "curl" "id" "shop.example.com" -',
    "istio": (
        f'{ENVOY} via_upstream - "-" 0 5 3 2 "-" "curl" "id" "shop.example.com" "-" '
        "outbound|80||web - - - - default"
    ),
    "ingress_nginx": INGRESS,
    "ingress_nginx_host": f"{INGRESS} shop.example.com",
    "traefik": f'{COMMON} "-" - 42 "web@docker" - 3ms',
    "nginx_proxy_manager": (
        '[17/Sep/2026:10:05:03 +0000] - 502, 200 200 - GET https shop.example.com "/" [Client 192.0.2.7] '
        '[Length 5] [Gzip -] [Sent-to 10.0.0.5] "curl" "-"'
    ),
    "gin": '[GIN] 2026/09/17 - 10:05:03 | 200 |     151.5ms |       192.0.2.7 | GET      "/"',
    "squid": (
        "1789639503.123    345 192.0.2.7 TCP_MISS/200 5 GET http://example.com/ - HIER_DIRECT/192.0.2.1 text/html"
    ),
    "django": '[17/Sep/2026 10:05:03] "GET / HTTP/1.1" 200 512',
    "puma": f"{COMMON} 0.0042",
    "combinedio": f'{COMMON} "-" "curl" 120 790',
}
DELIMITED = [each for each in FORMATS.values() if isinstance(each, Delimited)]
HEADED = [each for each in FORMATS.values() if isinstance(each, Headed)]


def _roles(of: Format) -> dict[str, Role]:
    return {field.name: field.role for field in of.fields if field.role}


def _kinds(shape: str) -> list[Kind]:
    return [field.kind for field in shaped("log_format", shape).fields]


@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r", ""])
def test_a_format_fits_its_own_lines_only(name: str, line_end: str) -> None:
    """A line, whatever its end, fits its own format and none of the others."""
    assert [each.name for each in DELIMITED if re.fullmatch(each.pattern, LINES[name] + line_end)] == [name]


def test_every_delimited_format_has_a_line_here() -> None:
    """No such format can be added without one."""
    assert {each.name for each in DELIMITED} == set(LINES)


def test_a_pattern_has_a_group_for_each_field_with_a_role() -> None:
    """The groups are the places of those fields in the line."""
    for each in DELIMITED:
        groups = [f"f{number}" for number, field in enumerate(each.fields) if field.role]
        assert list(re.compile(each.pattern).groupindex) == groups


@pytest.mark.parametrize("each", FORMATS.values(), ids=lambda each: each.name)
def test_every_format_tells_time_status_and_target(each: Format) -> None:
    """Without them, its lines would be no requests, or requests for nothing."""
    assert each.has(Role.TIME)
    assert each.has(Role.STATUS)
    assert each.has(Role.REQUEST, Role.TARGET)


@pytest.mark.parametrize(
    "tail", [' "Acceptable" "-" TID_1', ' "-" "-" TID_1 "host" "/uri" "TransformSuccess"', " x"]
)
def test_fields_that_aws_adds_are_tolerated(tail: str) -> None:
    """Whatever follows the fields we know, after a space; nothing else does."""
    assert re.fullmatch(FORMATS["alb"].pattern, ALB + tail)
    assert not re.fullmatch(FORMATS["alb"].pattern, ALB + tail.strip())
    assert not re.fullmatch(FORMATS["common"].pattern, COMMON + tail)


def test_what_stands_around_a_variable_says_how_it_is_written() -> None:
    """Quotes and brackets do, else the variable itself; names may stand in braces."""
    assert _kinds('"$request" [$time_local] $status ${request_time}s') == [
        *(Kind.QUOTED, Kind.BRACKETED, Kind.WORD, Kind.WORD),
    ]
    assert _kinds('$vhost $host $http_host $remote_user "$remote_user" $server_name') == [
        *(Kind.HOST, Kind.HOST, Kind.HOST, Kind.USER, Kind.QUOTED, Kind.WORD),
    ]
    assert _kinds('$upstream_addr "$upstream_status" $upstream_cache_status') == [
        Kind.LIST,
        Kind.QUOTED,
        Kind.LIST,
    ]


@pytest.mark.parametrize(
    ("shape", "line", "values"),
    [
        ("$status|$host|$msec", "200|a b|1.5", ["200", "a b", "1.5"]),
        ("$status|$host|$msec", "200|a|1|5", None),
        ("$status\t$host\t$msec", "200\t\t1.5 a", ["200", "", "1.5 a"]),
        ("$status |  $host |  $bytes_sent", "200 |    a b |  5", ["200", "a b", "5"]),
        ("$status  $bytes_sent", "200    512", ["200", "512"]),
        ("$status $bytes_sent", "200  512", None),
        ("$status $_ $bytes_sent", "200 a [b] c 512", ["200", "512"]),
        ("$status $field_1 $bytes_sent", '200 a "b" 512', ["200", "512"]),
        ("$time_local $status", "17/Sep/2026:10:05:03 +0000 200", ["17/Sep/2026:10:05:03 +0000", "200"]),
        ("$time_iso8601 $status", "2026-09-17 10:05:03,123 200", ["2026-09-17 10:05:03,123", "200"]),
        ('$status "$request" $bytes_sent', "200 - 5", ["200", "", "5"]),
        ("$remote_addr $status", "192.0.2.7, 192.0.2.8 200", ["200"]),
        ("$status $upstream_addr.", "200 10.0.0.1:80, unix:/a : [::1]:80.", None),
        (
            "$status $upstream_addr;",
            "200 10.0.0.1:80, unix:/a : [::1]:80;",
            ["200", "10.0.0.1:80, unix:/a : [::1]:80"],
        ),
        ("<$http_host> $status", "<[2001:db8::1]:443> 200", ["[2001:db8::1]:443", "200"]),
        ("${status}x$bytes_sent", "200x512", ["200", "512"]),
    ],
)
def test_a_word_ends_where_the_next_literal_begins(shape: str, line: str, values: list[str] | None) -> None:
    """At its first character, whichever that is; a list and an address in brackets end there too."""
    found = re.fullmatch(shaped("log_format", shape).pattern, line)
    assert ([value or "" for value in found.groups()] if found else None) == values


def test_of_several_variables_with_one_role_the_first_counts() -> None:
    """But for body_bytes_sent, which goes before bytes_sent, and for hosts, upstreams and durations."""
    found = shaped("x", '$msec [$time_local] $bytes_sent $body_bytes_sent "$uri" $request_uri $status')
    assert _roles(found) == {
        "msec": Role.TIME,
        "body_bytes_sent": Role.RESPONSE_BYTES,
        "uri": Role.TARGET,
        "status": Role.STATUS,
    }
    found = shaped("x", "$host $server_name $upstream_addr $upstream_response_time $request_time $request_time")
    assert [field.role for field in found.fields] == [
        *(Role.HOST, Role.HOST, Role.UPSTREAMS, Role.UPSTREAMS, Role.DURATION, None),
    ]


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ("$scheme$host $status", "$scheme$host: put a separator between the two"),
        ('$status $request "$host"', '$request may hold spaces: write "$request"'),
        ("'$status $host'", "without nginx.conf's own quotes, found \"'$status $host'\""),
        ("$status $", "expected one line of ASCII as the server writes it"),
        ("$status\n$host", "expected one line of ASCII"),
        ("$status \xb7 $host", "expected one line of ASCII"),
    ],
)
def test_a_shape_in_which_fields_have_no_end_is_refused(shape: str, message: str) -> None:
    """A ConfigError says which variable, and what to write."""
    with pytest.raises(ConfigError, match=re.escape(message)):
        shaped("log_format", shape)


@pytest.mark.parametrize("each", HEADED, ids=lambda each: each.name)
def test_a_header_says_which_fields_there_are(each: Headed) -> None:
    """In its order; unknown ones have to be there; of several with one role the one that we prefer counts."""
    found = each.with_header(["cs-uri", "x-new", "time", "date", "cs-uri-stem", "sc-status", "sc-status"])
    assert [field.role for field in found.fields] == [
        *(None, None, Role.CLOCK, Role.TIME, Role.TARGET, Role.STATUS, None),
    ]
    line = each.separator.join(["/a?b", "[x]", "10:00:00", "2026-09-17", "/a", "200", "404"])
    match = re.fullmatch(found.pattern, line + "\r\n")
    assert match
    assert list(match.groups()) == ["10:00:00", "2026-09-17", "/a", "200"]
    assert not re.fullmatch(found.pattern, line + each.separator)


def test_a_header_without_a_date_has_no_clock() -> None:
    """A time of day alone is no time, and no part of another field's."""
    found = FORMATS["cloudfront"].with_header(["time", "timestamp(ms)", "sc-status"])
    assert _roles(found) == {"timestamp(ms)": Role.TIME, "sc-status": Role.STATUS}


@pytest.mark.parametrize("each", HEADED, ids=lambda each: each.name)
def test_an_empty_header_leaves_no_line(each: Headed) -> None:
    """A `#Fields:` line without names is followed by rejects only."""
    assert not re.fullmatch(each.with_header([]).pattern, "200\n")


@pytest.mark.parametrize("each", HEADED, ids=lambda each: each.name)
def test_a_field_of_a_line_with_a_header_never_holds_the_separator(each: Headed) -> None:
    """Also if there is only one."""
    pattern = each.with_header(["cs-uri"]).pattern
    assert re.fullmatch(pattern, '/["a"]\n')
    assert not re.fullmatch(pattern, f"/a{each.separator}/b\n")


def test_durations_know_their_unit() -> None:
    """A format that is known by name says in what unit its durations are: seconds, unless they are here."""
    scales = {(each.name, f.scale) for each in FORMATS.values() for f in each.fields if f.role is Role.DURATION}
    wanted = {
        3: {
            *("iis", "heroku", "s3", "haproxy", "envoy", "istio", "envoy_json", "squid"),
            *("api_gateway", "lograge", "lograge_json", "pino", "bunyan"),
        },
        6: {"ltsv"},
        9: {"traefik_json", "ecs"},
    }
    assert {scale: {name for name, s in scales if s == scale} for scale in wanted} == wanted
    assert {scale for _, scale in scales} == {0, *wanted}
    assert Field("took").scale == 0

"""Exports by HTTP: a day comes whole or not at all, and no secret leaves its place."""

import gzip
import json
import ssl
import threading
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime

import pytest
from certificates import certificate
from fetching import Misbehaving, Said, content, parts_of

from etl.fetch import pages, patience
from etl.fetch.asked import NotReady
from etl.fetch.opening import read_asked
from lake.errors import ConfigError, InputError, NoLines, StoreError

CSV = b"path,views\n/,3\n/a,1\n"
SECRET = "s3cr@t/+ %pw"  # noqa: S105 - of the tests


@pytest.fixture(autouse=True)
def secret(monkeypatch):
    """A secret of the environment."""
    monkeypatch.setenv("TOKEN", SECRET)


def test_a_day_is_asked_for_by_its_date(server, fetch):
    """Placeholders stand for the day, the day after it, and when they begin; what comes is kept as it came."""
    server.answers = [Said(CSV)]
    query = "to={NEXT_YYYY}-{NEXT_MM}-{NEXT_DD}&at={START}&s={STOP_SECONDS}"
    url = f"{server.url}/{{YYYY}}/{{MM}}/{{DD}}.csv?{query}"
    assert fetch(date(2026, 8, 31), url=url) == [CSV]
    assert server.paths == ["/2026/08/31.csv?to=2026-09-01&at=2026-08-31T00%3A00%3A00Z&s=1788220800"]


def test_a_day_of_a_zone_has_23_or_25_hours_where_clocks_change(server, fetch):
    """The instants are those of the zone's midnights."""
    url = f"{server.url}/?from={{START_SECONDS}}&to={{STOP_SECONDS}}"
    server.answers = [Said(CSV)]
    for day in (date(2026, 3, 29), date(2026, 10, 25), date(2026, 7, 1)):
        fetch(day, url=url, timezone="Europe/London")
    spans = [[int(each.rpartition("=")[2]) for each in path.split("&")] for path in server.paths]
    assert [(stop - start) / 3600 for start, stop in spans] == [23, 25, 24]
    assert spans[2][0] == int(datetime(2026, 6, 30, 23, tzinfo=UTC).timestamp())


@pytest.mark.parametrize("end", ["length", "chunked"])
@pytest.mark.parametrize("is_compressed", [False, True])
def test_what_is_compressed_on_the_way_is_the_same(server, tmp_path, end, is_compressed):
    """By the server, or as a file of gzip: content, bytes and digest are those of what it holds."""
    body = gzip.compress(CSV) if is_compressed else CSV
    server.answers = [Said(body, headers={"Content-Encoding": "gzip"} if is_compressed else {}, end=end)]
    (part,) = parts_of(tmp_path, url=server.url, format="csv")
    server.answers = [Said(gzip.compress(CSV, mtime=5))]
    (file,) = parts_of(tmp_path, url=f"{server.url}/export.csv.gz", format="csv")
    assert (part.ending, part.content_bytes, part.content_sha256) == ("csv.gz", len(CSV), file.content_sha256)
    assert part.path.read_bytes() == file.path.read_bytes()
    assert gzip.decompress(part.path.read_bytes()) == CSV
    assert part.path.read_bytes()[3:8] == bytes(5)  # no name and no time


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (Said(CSV, cut=9), "IncompleteRead|breaks off"),
        (Said(CSV, end="chunked", cut=20), "breaks off"),
        (Said(gzip.compress(CSV)[:-9], headers={"Content-Encoding": "gzip"}), "gzip that breaks off"),
        (Said(gzip.compress(CSV)[:-9]), "gzip that breaks off"),
        (Said(gzip.compress(CSV)[:-9], headers={"Content-Encoding": "gzip"}, end="close"), "gzip that breaks off"),
        (Said(gzip.compress(CSV)[:12] + b"xxxxxxxx", headers={"Content-Encoding": "gzip"}), "damaged gzip"),
    ],
    ids=["length", "chunks", "gzip", "gzip file", "gzip without a length", "damaged gzip"],
)
def test_half_an_answer_is_none(server, fetch, pauses, said, reason):
    """Whatever tells its end: it is asked for again, and whole it is taken; if it never is, the day fails."""
    server.answers = [said, said, Said(CSV)]
    assert fetch(url=server.url) == [CSV]
    assert len(pauses) == 2
    server.answers = [said]
    with pytest.raises(StoreError, match=rf"Can't fetch from http://127.*({reason}).*8 attempts.*Nothing is kept"):
        fetch(url=server.url)


def test_an_answer_whose_end_nothing_tells_is_refused(server, fetch):
    """Half of it would look whole; of JSON that is looked into, the text itself tells."""
    server.answers = [Said(CSV, end="close")]
    with pytest.raises(InputError, match="doesn't say how long its answer is"):
        fetch(url=server.url)
    server.answers = [Said(b'[{"a":1}]', end="close")]
    assert fetch(url=server.url, records=".") == [b'{"a":1}\n']


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again_later_each_time(server, fetch, pauses, status):
    """With pauses that grow, differ and end."""
    server.answers = [*(Said(status=status) for _ in range(5)), Said(CSV)]
    assert fetch(url=server.url) == [CSV]
    assert len(pauses) == 5
    for number, pause in enumerate(pauses, 1):
        assert 0.25 * 2**number <= pause <= 0.5 * 2**number
    server.answers = [Said(status=status)]
    with pytest.raises(StoreError, match=rf"answers {status} \(8 attempts\)"):
        fetch(url=server.url)
    assert max(pauses) <= 60


def test_retry_after_is_heeded(server, fetch, pauses):
    """In seconds, or as a date, which is compared with the server's own clock."""
    there = datetime(2031, 1, 1, tzinfo=UTC)
    date_header = {"Date": format_datetime(there, usegmt=True)}
    until = format_datetime(there + timedelta(seconds=90), usegmt=True)
    server.answers = [
        Said(status=429, headers={"Retry-After": "40"}),
        Said(status=503, headers={"Retry-After": until, **date_header}),
        Said(status=503, headers={"Retry-After": "soon"}),
        Said(CSV),
    ]
    assert fetch(url=server.url) == [CSV]
    assert pauses[:2] == [40, 90]
    assert pauses[2] < 8


def test_who_is_asked_to_wait_for_too_long_does_not_wait(server, fetch, pauses):
    """It says so at once."""
    server.answers = [Said(status=429, headers={"Retry-After": "3600"})]
    with pytest.raises(StoreError, match=r"answers 429 \(1 attempt\).*left alone for 3600 s"):
        fetch(url=server.url)
    assert pauses == []


def test_a_silent_server_is_not_waited_for_without_end(server, fetch, pauses, monkeypatch):
    """Each attempt ends after its time."""
    monkeypatch.setattr(patience, "ATTEMPTS", 2)
    stop = threading.Event()
    server.answers = [Said(CSV, wait=stop)]
    with pytest.raises(StoreError, match=r"timed out.*2 attempts"):
        fetch(url=server.url, timeout_seconds="1", patience_seconds="900")
    stop.set()


def test_a_server_that_is_away(fetch, pauses):
    """The message names it."""
    with pytest.raises(StoreError, match=r"Can't fetch from http://127.0.0.1:9/x: .*refused.*8 attempts"):
        fetch(url="http://127.0.0.1:9/x")


@pytest.mark.parametrize(
    ("status", "kind"), [(400, InputError), (404, InputError), (401, StoreError), (403, StoreError)]
)
def test_a_refusal_is_not_asked_again(server, fetch, pauses, status, kind):
    """It is shown, without the secret."""
    server.answers = [Said(f"no such\n table, {SECRET}".encode(), status=status)]
    with pytest.raises(kind, match=rf"answers {status}: no such table, \*\*\*") as error:
        fetch(url=f"{server.url}/?key=${{TOKEN}}")
    assert SECRET not in str(error.value)
    assert len(server.requests) == 1


def test_no_data_yet(server, fetch):
    """An answer that is declared to mean it, or an empty one; it is not ready, as a day without a raw file."""
    server.answers = [Said(b"nothing", status=404)]
    with pytest.raises(NotReady, match="doesn't have 2026-09-01 yet: it answers 404"):
        fetch(url=server.url, missing="404, 410")
    for said in (Said(), Said(status=204, headers={"Content-Length": "0"})):
        server.answers = [said]
        with pytest.raises(NoLines, match=r"its answer has no record.*allow_empty = true"):
            fetch(url=server.url)
        assert fetch(url=server.url, allow_empty="true") == [b""]


@pytest.mark.parametrize("body", [b"path,views\n", b"path,views", b"\xef\xbb\xbf", b"\n\n"])
def test_a_header_alone_is_no_data_yet(server, tmp_path, body):
    """Kept, it would have the day fail for good; of a small answer the records are counted."""
    asked = {"url": server.url, "format": "csv"}
    server.answers = [Said(body)]
    with pytest.raises(NotReady, match=r"its answer has no record.*allow_empty = true"):
        parts_of(tmp_path, **asked)
    (part,) = parts_of(tmp_path, **asked, allow_empty="true")
    assert content(part) == body
    for rows, count in ((1, 1), (30_000, None)):
        server.answers = [Said(b"path,views\n" + b"/,1\n" * rows)]
        (part,) = parts_of(tmp_path, **asked)
        assert part.rows == count


@pytest.mark.parametrize("begin", [b"<!DOCTYPE html>", b"\xef\xbb\xbf\n <html lang='en'>", b"<HTML>"])
@pytest.mark.parametrize("more", [{}, {"next": "page"}])
def test_a_page_for_people_is_refused(server, fetch, pauses, begin, more):
    """Such as one that asks to log in, which many servers answer with 200."""
    server.answers = [Said(begin + b"<body>Please log in</body>")]
    with pytest.raises(InputError, match="answers with a page of HTML, and not with data"):
        fetch(url=f"{server.url}/{'{PAGE}' if more else ''}", format="csv", **more)
    server.answers = [Said(b"<134>1 a line of syslog\n")]
    assert fetch(url=server.url) == [b"<134>1 a line of syslog\n"]


def test_a_source_says_itself_whether_a_day_is_complete(server, fetch):
    """By its status, or by a value of its answer."""
    status = {"state": "complete", "last": {"day": "2026-09-01"}, "rows": 12, "is": True}
    server.answers = [lambda got: Said(json.dumps(status).encode()) if got.path == "/status" else Said(CSV)]
    asked = {"url": f"{server.url}/day", "ready": f"{server.url}/status"}
    for condition in (
        None,
        "/state = complete",
        "/last/day >= {YYYY}-{MM}-{DD}",
        "/rows >= 9",
        "/rows = 12",
        "/is = true",
    ):
        more = {"ready_if": condition} if condition else {}
        assert fetch(**asked, **more) == [CSV]
    server.requests.clear()
    for condition in (
        "/state = done",
        "/last/day >= {NEXT_YYYY}-{NEXT_MM}-{NEXT_DD}",
        "/rows >= 100",
        "/no/such = 1",
        "/last = 1",
    ):
        with pytest.raises(NotReady, match="doesn't have 2026-09-01 yet: its answer doesn't say"):
            fetch(**asked, ready_if=condition)
    assert set(server.paths) == {"/status"}
    server.answers = [Said(status=404)]
    with pytest.raises(NotReady, match="it answers 404 to whether it is"):
        fetch(**asked)
    server.answers = [Said(b"<html>")]
    with pytest.raises(InputError, match="is no JSON"):
        fetch(**asked, ready_if="/state = complete")


def _paged(total, size):
    """Answer pages of numbered records, by `at` (from 0) in the path."""

    def answer(got):
        at = int(got.path.rpartition("=")[2])
        items = [{"n": n} for n in range(at, min(at + size, total))]
        return Said(json.dumps({"items": items, "pad": "x" * 10}).encode())

    return answer


def _lines(*numbers):
    return b"".join(b'{"n": %d}\n' % n for n in numbers)


def test_pages_by_offset(server, fetch):
    """By as many records as each page had, however many were asked for, until an empty one."""
    server.answers = [_paged(25, 10)]
    assert fetch(url=f"{server.url}/?at={{OFFSET}}", next="offset", records="/items") == [_lines(*range(25))]
    assert server.paths == ["/?at=0", "/?at=10", "/?at=20", "/?at=25"]


def test_pages_by_number(server, fetch):
    """Those of CSV are parts of their own, each with its header; one with a header alone is the end."""
    said = [Said(b'a,b\n1,"x\ny"\n'), Said(b"a,b\n2,z\n"), Said(b"a,b\n")]
    server.answers = [*said]
    parts = fetch(url=f"{server.url}/?page={{PAGE}}", next="page", format="csv")
    assert parts == [each.body for each in said[:2]]
    assert server.paths == ["/?page=1", "/?page=2", "/?page=3"]
    server.answers = [Said(b'{"a":1}\n'), Said(b"\n")]
    assert fetch(url=f"{server.url}/?page={{PAGE}}", next="page", first="0", format="ndjson") == [b'{"a":1}\n']
    assert server.paths[3:] == ["/?page=0", "/?page=1"]


def test_pages_by_a_link(server, fetch):
    """In the header Link, beside others; relative to where it stands."""
    links = '<https://example.org/>; rel="first", </p?two,3>; title="a, b"; rel="prev next"'
    server.answers = [Said(b"one", headers={"Link": links}), Said(b"two", headers={"Link": '</p>; rel="prev"'})]
    assert fetch(url=f"{server.url}/p?one", next="link") == [b"one", b"two"]
    assert server.paths == ["/p?one", "/p?two,3"]


@pytest.mark.parametrize("last", [{"next": None}, {"next": ""}, {}])
def test_pages_by_a_field(server, fetch, last):
    """A URL, or what {CURSOR} stands for, in the URL or in the body."""

    def said(items, more):
        return Said(json.dumps({"items": items, "paging": more}).encode())

    server.answers = [said([1], {"next": "/two"}), said([2], last)]
    asked = {"next": "/paging/next", "records": "/items"}
    assert fetch(url=f"{server.url}/one", **asked) == [b"1\n2\n"]
    assert server.paths == ["/one", "/two"]
    server.answers = [said([1], {"next": "a/b=="}), said([], {"next": 7}), said([2], last)]
    assert fetch(url=f"{server.url}/?c={{CURSOR}}", **asked) == [b"1\n2\n"]
    assert server.paths[2:] == ["/?c=", "/?c=a%2Fb%3D%3D", "/?c=7"]
    server.answers = [said([1], {"next": "k"}), said([2], last)]
    fetch(url=server.url, body='{"size": 5, "after": "{CURSOR}", "day": "{YYYY}-{MM}-{DD}"}', **asked)
    bodies = [json.loads(each.body) for each in server.requests[5:]]
    assert bodies == [{"size": 5, "after": after, "day": "2026-09-01"} for after in ("", "k")]


def test_pages_that_lead_nowhere(server, fetch):
    """A circle, or a server that heeds no page number, is refused, and no page is taken twice."""
    server.answers = [Said(b'{"next": "/one"}')]
    with pytest.raises(InputError, match="its pages lead in a circle: after page 1"):
        fetch(url=f"{server.url}/one", next="/next")
    server.answers = [Said(CSV)]
    with pytest.raises(InputError, match="page 2 is the very same as the one before"):
        fetch(url=f"{server.url}/?p={{PAGE}}", next="page", format="csv")
    server.answers = [Said(b'{"next": "half of one: \\ud800"}')]
    with pytest.raises(InputError, match="neither a text nor a number"):
        fetch(url=f"{server.url}/?c={{CURSOR}}", next="/next")


def test_a_page_that_breaks_off_is_asked_for_again(server, fetch, pauses):
    """And not the pages before it; if it stays so, there is nothing at all."""
    link = {"Link": "</two>; rel=next"}
    server.answers = [Said(b"one", headers=link), Said(b"two", cut=1), Said(b"two")]
    assert fetch(url=f"{server.url}/one", next="link") == [b"one", b"two"]
    assert server.paths == ["/one", "/two", "/two"]
    server.answers = [Said(b"one", headers=link), Said(b"two", cut=1)]
    with pytest.raises(StoreError, match="breaks off"):
        fetch(url=f"{server.url}/one", next="link")


def test_records_are_kept_digit_by_digit(server, fetch):
    """Numbers as they were written, in a line each; line ends and spaces between them may go, nothing else."""
    items = b'[\n {"a": 1.10,\r\n "b": 12345678901234567890123} , "x\\n\xc3\xa9", [1,\n2]\n]'
    server.answers = [Said(b'\xef\xbb\xbf {"data" : {"i/t~": %b}}' % items)]
    wanted = b'{"a": 1.10,  "b": 12345678901234567890123}\n"x\\n\xc3\xa9"\n[1, 2]\n'
    assert fetch(url=server.url, records="/data/i~1t~0") == [wanted]
    for bad in (b'{"data": 1}', b'{"data": {"i/t~": {}}}', b"[]", b"[1]", b"7"):
        server.answers = [Said(bad)]
        with pytest.raises(InputError, match="has no array at /data"):
            fetch(url=server.url, records="/data/i~1t~0")
    for bad in (b'{"data": ', b"<html>", b"[" * 100_000, b"[1] [2]"):
        server.answers = [Said(bad)]
        with pytest.raises(InputError, match="is no JSON"):
            fetch(url=server.url, records="/data/i~1t~0")


def test_records_become_parts_of_a_bounded_size(server, tmp_path, monkeypatch):
    """With their number in each."""
    monkeypatch.setattr(pages, "PART_BYTES", 100)
    server.answers = [_paged(40, 10)]
    parts = parts_of(tmp_path, url=f"{server.url}/?at={{OFFSET}}", next="offset", records="/items")
    assert [each.rows for each in parts] == [20, 10, 10]
    assert {each.ending for each in parts} == {"ndjson.gz"}


def test_a_page_that_is_too_large_to_be_looked_into(server, fetch, monkeypatch):
    """Is refused before it is read to its end."""
    monkeypatch.setattr(pages, "MOST_BYTES", 100)
    server.answers = [Said(b"[" + b" " * 1000 + b"]")]
    with pytest.raises(InputError, match=r"more than 100 bytes. Ask for smaller ones"):
        fetch(url=server.url, records=".")


def test_what_is_asked_is_said_as_it_is_set(server, fetch):
    """Method, body, headers, credentials; the environment's values at their places, encoded in a URL."""
    server.answers = [Said(CSV)]
    headers = "Authorization: Bearer ${TOKEN}\nX-Day: {YYYY}{MM}{DD}"
    fetch(url=f"{server.url}/?key=${{TOKEN}}", headers=headers, body="day={DD}&k=${TOKEN}")
    fetch(url=server.url, basic_auth="me:${TOKEN}")
    first, second = server.requests
    assert (first.method, first.path) == ("POST", "/?key=s3cr%40t%2F%2B%20%25pw")
    assert (first.headers["Authorization"], first.headers["X-Day"]) == (f"Bearer {SECRET}", "20260901")
    assert first.body == b"day=01&k=s3cr%40t%2F%2B%20%25pw"
    assert first.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert second.headers["Authorization"] == "Basic bWU6czNjckB0LysgJXB3"


def test_what_a_server_says_is_put_in_as_a_text(server, fetch, monkeypatch):
    """It names no variable of the environment and no placeholder, and ends no text of JSON."""
    monkeypatch.setenv("TOKEN", 'a"{DD}')
    hostile = '${TOKEN}{DD}", "x": "'
    said = [Said(json.dumps({"next": each, "items": [1]}).encode()) for each in (hostile, None)]
    asked = {"next": "/next", "records": "/items"}
    server.answers = [*said]
    fetch(url=server.url, body='{"after": "{CURSOR}", "key": "${TOKEN}"}', **asked)
    assert json.loads(server.requests[-1].body) == {"after": hostile, "key": 'a"{DD}'}
    server.answers = [*said]
    fetch(url=f"{server.url}/?c={{CURSOR}}", **asked)
    assert server.paths[-1] == "/?c=%24%7BTOKEN%7D%7BDD%7D%22%2C%20%22x%22%3A%20%22"


def test_a_redirect_to_another_host_takes_no_secret_along(server, other, fetch):
    """To another path it does; the other host gets what is no secret, and no body with one."""
    other.answers = [Said(CSV)]
    server.answers = [
        Said(status=302, headers={"Location": "/there"}),
        Said(status=307, headers={"Location": f"{other.url}/export"}),
    ]
    headers = "Authorization: Bearer ${TOKEN}\nX-Api-Key: ${TOKEN}\nCookie: a=${TOKEN}\nAccept: text/csv"
    assert fetch(url=f"{server.url}/here", headers=headers) == [CSV]
    assert server.requests[1].headers["X-Api-Key"] == SECRET
    (there,) = other.requests
    assert there.headers["Accept"] == "text/csv"
    assert {"Authorization", "X-Api-Key", "Cookie"}.isdisjoint(there.headers)
    assert SECRET not in str(there)
    server.answers = [Said(status=307, headers={"Location": f"{other.url}/export"})]
    with pytest.raises(InputError, match="which would see a secret in the body"):
        fetch(url=server.url, body="k=${TOKEN}")
    server.answers = [Said(b"one", headers={"Link": f"<{other.url}/two>; rel=next"})]
    assert fetch(url=server.url, headers="X-Api-Key: ${TOKEN}", next="link") == [b"one", CSV]
    assert "X-Api-Key" not in other.requests[-1].headers


@pytest.mark.parametrize("target", ["ftp://127.0.0.1/x", "file:///etc/passwd", "http://[x", "http://h:port/"])
def test_a_redirect_to_what_is_no_server_of_http(server, fetch, target):
    """Is refused."""
    server.answers = [Said(status=302, headers={"Location": target})]
    with pytest.raises(InputError, match="sends us on to what is no URL"):
        fetch(url=server.url)


def test_redirects_end(server, fetch):
    """After ten."""
    server.answers = [Said(status=301, headers={"Location": "/x"})]
    with pytest.raises(InputError, match="10 redirects, and no answer"):
        fetch(url=server.url)


@pytest.fixture
def tls_server(tmp_path):
    """A server whose certificate only `ca.pem` vouches for."""
    certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "ca.pem", tmp_path / "key.pem")
    made = Misbehaving(context)
    yield made
    made.close()


def test_tls_is_verified(tls_server, fetch, pauses):
    """Against what the machine trusts, or the file that is named, relative to luigi.cfg."""
    tls_server.answers = [Said(CSV)]
    with pytest.raises(StoreError, match=r"certificate.*set ca to the file") as error:
        fetch(url=tls_server.url, headers="X-Api-Key: ${TOKEN}")
    assert SECRET not in str(error.value)
    assert pauses == []
    assert tls_server.requests == []
    assert fetch(url=tls_server.url, ca="ca.pem") == [CSV]
    with pytest.raises(ConfigError, match=r"ca = .*/no.pem: can't read"):
        fetch(url=tls_server.url, ca="no.pem")


def test_a_proxy_of_the_environment_is_taken(server, other, fetch, monkeypatch):
    """With its password, which no message shows; not for hosts that need none."""
    other.answers = [Said(CSV)]
    monkeypatch.setenv(
        "http_proxy", f"http://me:{SECRET.replace('/', '%2F').replace('%p', '%25p')}@127.0.0.1:{other.port}"
    )
    assert fetch(url="http://export.test/day") == [CSV]
    assert other.paths == ["http://export.test/day"]
    assert other.requests[0].headers["Proxy-Authorization"].startswith("Basic ")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server.answers = [Said(b"direct")]
    assert fetch(url=server.url) == [b"direct"]
    monkeypatch.setenv("http_proxy", "socks5://127.0.0.1:1")
    with pytest.raises(ConfigError, match="proxy that the environment names is of scheme socks5"):
        fetch(url="http://export.test/day")


def test_no_message_and_no_record_has_a_secret(server, fetch, tmp_path, pauses):
    """However the server gives it back: in an error, in a link, in a redirect."""
    settings = {
        "url": f"{server.url}/a?key=${{TOKEN}}",
        "headers": "X-Api-Key: ${TOKEN}",
        "basic_auth": "me:${TOKEN}",
        "body": '{"k": "${TOKEN}"}',
    }
    echoes = [
        Said(f"{SECRET} s3cr%40t%2F%2B%20%25pw bWU6czNjckB0LysgJXB3".encode(), status=400),
        Said(status=302, headers={"Location": "ftp://h/?key=s3cr%40t%2F%2B%20%25pw"}),
        Said(status=503),
        Said(b"x", end="close"),
    ]
    for each in echoes:
        server.answers = [each]
        with pytest.raises((InputError, StoreError)) as error:
            fetch(**settings)
        for text in (SECRET, "s3cr", "bWU6czNjckB0LysgJXB3"):
            assert text not in str(error.value)
    server.answers = [Said(b"x", headers={"Link": "<ftp://h/>; rel=next"})]
    with pytest.raises(InputError, match=r"/\*\*\*/day sends us on to what is no URL"):
        fetch(url=f"{server.url}/${{TOKEN}}/day", next="link")
    asked = read_asked({"fetch": "http", **settings}, tmp_path)
    said = json.dumps(asked.recorded()) + repr(asked)
    assert "s3cr" not in said
    assert asked.recorded()["headers"] == {"X-Api-Key": "${TOKEN}"}
    assert asked.recorded()["url"].endswith("?key=${TOKEN}")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "url is missing"),
        ({"url": "host/x.csv"}, "url is no URL"),
        ({"url": "ftp://host/x.csv"}, "url is no URL"),
        ({"url": "http://h:x/"}, "url is no URL"),
        ({"url": "http://u:p@h/"}, "basic_auth"),
        ({"url": "http://h/#a"}, "has a #"),
        ({"url": "http://h/{DAY}"}, r"\{DAY\} means nothing here"),
        ({"url": "http://h/?api_key=abc123"}, "api_key looks like a secret"),
        ({"url": "http://h/{PAGE}"}, r"\{PAGE\} is of pages"),
        ({"url": "http://h/", "next": "page"}, r"write \{PAGE\} where"),
        ({"url": "http://h/{PAGE}", "next": "offset"}, r"\{PAGE\} has no value"),
        ({"url": "http://h/", "next": "cursor"}, "expected link, page, offset, or a JSON pointer"),
        ({"url": "http://h/{PAGE}", "next": "page", "format": "parquet"}, "nothing counts the records"),
        ({"url": "http://h/", "first": "1"}, "first is of next"),
        ({"url": "http://h/", "records": "items"}, "expected a JSON pointer"),
        ({"url": "http://h/", "method": "PUT"}, "expected GET or POST"),
        ({"url": "http://h/", "method": "GET", "body": "x"}, "body is of method = POST"),
        ({"url": "http://h/", "headers": "Accept"}, "a line for each"),
        ({"url": "http://h/", "headers": "Authorization: Bearer abc"}, "Authorization looks like a secret"),
        ({"url": "http://h/", "basic_auth": "me:pw"}, r"user:\$\{NAME\}"),
        ({"url": "http://h/", "ready_if": "/a = 1"}, "ready_if is about the answer of ready"),
        ({"url": "http://h/", "ready": "http://h/", "ready_if": "a = 1"}, "expected a JSON pointer, = or >="),
        ({"url": "http://h/", "missing": "200"}, "missing = 200"),
        ({"url": "http://h/", "missing": "401"}, "doesn't say that there is no data"),
        ({"url": "http://h/", "timezone": "Mars/Base"}, "expected an IANA name"),
        ({"url": "http://h/", "timeout_seconds": "0"}, "timeout_seconds = 0"),
        ({"url": "http://h/", "allow_empty": "yes"}, "expected true or false"),
        ({"fetch": "htp", "url": "http://h/"}, "Did you mean 'http'"),
    ],
)
def test_settings_that_can_not_be_meant(tmp_path, settings, said):
    """Are refused with what is expected, and no secret is repeated."""
    with pytest.raises(ConfigError, match=said) as error:
        read_asked({"fetch": "http", **settings}, tmp_path)
    assert "abc" not in str(error.value)


def test_a_secret_that_is_not_set(server, fetch):
    """Is named before anything is asked."""
    with pytest.raises(ConfigError, match="the environment has no NO_SUCH"):
        fetch(url=server.url, headers="X-Api-Key: ${NO_SUCH}")
    assert server.requests == []


def test_a_header_with_a_line_end_is_refused(server, fetch, monkeypatch):
    """It would be another header."""
    monkeypatch.setenv("TOKEN", "abc\r\nX-Other: 1")
    with pytest.raises(ConfigError, match="X-Api-Key has a line end") as error:
        fetch(url=server.url, headers="X-Api-Key: ${TOKEN}")
    assert "abc" not in str(error.value)


def test_a_large_export_is_not_held_in_memory(server, tmp_path):
    """It is compressed as it comes; a small answer that is large once opened, too."""
    import resource

    size = 200_000_000
    packed = gzip.compress(bytes(size), 1)
    server.answers = [Said(packed, headers={"Content-Encoding": "gzip"})]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (part,) = parts_of(tmp_path, url=server.url)
    assert part.content_bytes == size
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB


def test_attempts_are_bounded_by_time_too(server, fetch, monkeypatch):
    """What was waited for counts."""
    at = [0.0]
    monkeypatch.setattr(patience, "monotonic", lambda: at[0])
    monkeypatch.setattr(patience, "sleep", lambda seconds: at.__setitem__(0, at[0] + seconds))
    server.answers = [Said(status=503, headers={"Retry-After": "25"})]
    with pytest.raises(StoreError, match="4 attempts"):
        fetch(url=server.url, patience_seconds="80")

"""What a server of HTTP may send that is no HTTP, byte by byte: an error that says so, or the whole day."""

import gzip
import socket
import threading
from contextlib import suppress

import pytest
from fetching import content, parts_of

from lake.errors import InputError, StoreError

OK, BODY = b"HTTP/1.1 200 OK\r\n", b"a,b\n1,2\n"
SIZE = b"Content-Length: 8\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
PACKED = gzip.compress(BODY)
MOVED = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: "
BROKEN = {
    "nothing": b"",
    "no HTTP": b"\x00\xff\xfe hello\r\n\r\n",
    "HTTP 0.9": BODY,
    "half a status": b"HTTP/1.1 20",
    "a status of letters": b"HTTP/1.1 abc X\r\n" + SIZE + b"\r\n" + BODY,
    "a chunk without a size": CHUNKED + b"zz\r\n" + BODY,
    "a chunk that is cut": CHUNKED + b"ffffffffffffffff\r\n" + BODY,
    "no last chunk": CHUNKED + b"8\r\n" + BODY + b"\r\n",
    "too many headers": OK + b"".join(b"X-%d: y\r\n" % n for n in range(500)) + SIZE + b"\r\n" + BODY,
    "too long a header": OK + b"X: " + b"y" * 70_000 + b"\r\n" + SIZE + b"\r\n" + BODY,
    "gzip that is none": OK + b"Content-Encoding: gzip\r\n" + SIZE + b"\r\n" + BODY,
    "gzip with a wrong checksum": OK
    + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(PACKED)
    + PACKED[:-8]
    + bytes(8),
    "busy until the year 10000": b"HTTP/1.1 503 X\r\nRetry-After: Fri, 31 Dec 9999 23:59:59 -2359\r\n\r\n",
}
REFUSED = {
    "a negative length": OK + b"Content-Length: -5\r\n\r\n" + BODY,
    "a length of letters": OK + b"Content-Length: abc\r\n\r\n" + BODY,
    "two lengths": OK + SIZE + b"Content-Length: 4\r\n\r\n" + BODY,
    "no such status": b"HTTP/1.1 999 X\r\n" + SIZE + b"\r\n" + BODY,
    "not modified": b"HTTP/1.1 304 Not Modified\r\n\r\n",
    "moved to nowhere": b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n",
    "moved to itself": MOVED + b"\r\n\r\n",
    "moved to no host": MOVED + b"http://[::1\r\n\r\n",
    "moved to no port": MOVED + b"http://127.0.0.1:99999/\r\n\r\n",
    "packed twice": OK + b"Content-Encoding: gzip, gzip\r\nContent-Length: %d\r\n\r\n" % len(PACKED) + PACKED,
}
WHOLE = {
    "a word before": b"HTTP/1.1 100 Continue\r\n\r\n" + OK + SIZE + b"\r\n" + BODY,
    "the length twice": OK + SIZE + SIZE + b"\r\n" + BODY,
    "a length beside chunks": OK
    + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n"
    + BODY
    + b"\r\n0\r\n\r\n",
    "a time that is none": OK + b"Last-Modified: Mon, 00 Jan 0000 00:00:00 GMT\r\n" + SIZE + b"\r\n" + BODY,
    "a header of other letters": OK + b"Server: \xff\xfe\r\n" + SIZE + b"\r\n" + BODY,
}


@pytest.fixture
def says(tmp_path):
    """Fetches a day of a server that answers each request with the same bytes, and hangs up."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]

    def fetched(reply):
        def serve():
            with suppress(OSError):  # as it is closed, or its client is gone
                while True:
                    client, _ = listener.accept()
                    with client, suppress(OSError):
                        client.recv(65_536)
                        client.sendall(reply)
                        client.shutdown(socket.SHUT_WR)

        threading.Thread(target=serve, daemon=True).start()
        url = f"http://127.0.0.1:{port}/{{DD}}"
        (part,) = parts_of(tmp_path, url=url, format="csv", timeout_seconds="5")
        return content(part)

    yield fetched
    listener.close()


@pytest.mark.parametrize("what", BROKEN)
def test_what_may_be_otherwise_next_time(says, pauses, what):
    """Is asked for again, and then said to be so, with the place."""
    with pytest.raises(StoreError, match="Can't fetch from http://127"):
        says(BROKEN[what])


@pytest.mark.parametrize("what", REFUSED)
def test_what_will_not_be_otherwise(says, pauses, what):
    """Is refused at once."""
    with pytest.raises(InputError, match="http://127"):
        says(REFUSED[what])
    assert pauses == []


@pytest.mark.parametrize("what", WHOLE)
def test_what_is_odd_and_whole(says, pauses, what):
    """Is taken as it is."""
    assert says(WHOLE[what]) == BODY
    assert pauses == []

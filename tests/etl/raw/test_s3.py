"""A raw log's stream from S3: where it breaks off, the rest of the same object is asked for."""

import io

import pytest
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from etl.raw.s3 import Stream
from lake.store.s3_client import WAITS_SECONDS


class Incoming:
    """An object's bytes on their way, which break off after so many."""

    def __init__(self, content, breaks_after=None):
        self._content, self._breaks_after = io.BytesIO(content), breaks_after
        self.is_closed = False

    def readinto(self, buffer):
        """Read into a buffer, or break off."""
        if self._breaks_after is not None and self._content.tell() >= self._breaks_after:
            raise ReadTimeoutError(endpoint_url="s3")
        left = len(buffer) if self._breaks_after is None else self._breaks_after - self._content.tell()
        return self._content.readinto(memoryview(buffer)[:left])

    def close(self):
        """Close it."""
        self.is_closed = True


class Answers:
    """A client that answers each request for an object with the next of several bodies, and keeps the requests."""

    def __init__(self, size, *bodies):
        self._size, self.bodies, self.asked = size, bodies, []

    def get_object(self, **asked):
        """Answer."""
        self.asked.append(asked)
        return {"Body": self.bodies[len(self.asked) - 1], "ContentLength": self._size, "ETag": '"tag"'}


@pytest.fixture
def waits(monkeypatch):
    """How long was waited, each time; it takes no time here."""
    waited = []
    monkeypatch.setattr("lake.store.s3_client.time.sleep", waited.append)
    return waited


OBJECT = {"Bucket": "bucket", "Key": "a/key"}


def test_a_stream_is_the_object(waits):
    """All its bytes by one request, which is ended with it."""
    answers = Answers(11, Incoming(b"hello world"))
    with Stream(answers, "bucket", "a/key") as stream:
        assert stream.readable()
        assert [stream.read(6), stream.read(), stream.read()] == [b"hello ", b"world", b""]
        assert not answers.bodies[0].is_closed
    assert answers.bodies[0].is_closed
    assert (answers.asked, waits) == ([OBJECT], [])


def test_what_breaks_off_is_asked_for_from_there_on(waits):
    """Of the same object, by its tag; the request that broke off is ended; twice, if it must be."""
    answers = Answers(11, Incoming(b"hello world", 4), Incoming(b"o world", 3), Incoming(b"orld"))
    with Stream(answers, "bucket", "a/key") as stream:
        assert stream.read() == b"hello world"
    rest = {"IfMatch": '"tag"'}
    assert answers.asked == [OBJECT, OBJECT | rest | {"Range": "bytes=4-"}, OBJECT | rest | {"Range": "bytes=7-"}]
    assert [body.is_closed for body in answers.bodies] == [True, True, True]
    assert waits == [WAITS_SECONDS[0]] * 2


def test_what_breaks_off_at_the_end_is_whole(waits):
    """All bytes have come: there is nothing to ask for, which a server would refuse."""
    answers = Answers(5, Incoming(b"hello", 5))
    with Stream(answers, "bucket", "a/key") as stream:
        assert stream.read() == b"hello"
    assert answers.asked == [OBJECT]


def test_what_breaks_off_again_and_again_is_given_up(waits):
    """After waiting longer each time."""
    answers = Answers(5, *(Incoming(b"", 0) for _ in range(20)))
    with pytest.raises(ReadTimeoutError), Stream(answers, "bucket", "a/key") as stream:
        stream.read()
    assert waits == list(WAITS_SECONDS)
    assert len(answers.asked) == 1 + len(waits)


def test_a_stream_whose_first_request_failed_can_be_closed():
    """As Python does where it is thrown away; from 3.13 on it says what is raised there."""

    class Refusing:
        def get_object(self, **_):
            raise ConnectionClosedError(endpoint_url="http://a")

    stream = Stream.__new__(Stream)
    with pytest.raises(ConnectionClosedError):
        stream.__init__(Refusing(), "bucket", "a/key")
    stream.close()
    assert stream.closed

"""Small objects on S3, fetched by more threads than take lines apart: they are mostly waited for."""

import io
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from threading import Lock
from types import TracebackType
from typing import Self

from etl.raw.files import RawFile
from lake.store.protocol import S3_SCHEME

THREADS = 16
SMALL_BYTES = 1 << 20
AHEAD = 4 * THREADS  # so that at most 64 MB wait


class Fetched:
    """The bytes of small objects on S3, each to be taken once, by any thread, about in their order."""

    def __init__(self, files: Sequence[RawFile], endpoint_url: str | None) -> None:
        """Take the files; nothing is fetched before one is taken."""
        small = [each for each in files if each.location.startswith(S3_SCHEME) and _size(each) <= SMALL_BYTES]
        self._left = iter(small if len(small) > 1 else ())
        self._not_begun = {each.location for each in small}
        self._endpoint_url = endpoint_url
        self._begun: dict[str, Future[bytes]] = {}
        self._lock = Lock()
        self._pool = ThreadPoolExecutor(THREADS)  # which has no thread before it is given something to do

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def take(self, file: RawFile) -> io.BytesIO | None:
        """Return a file's bytes, None if they are not fetched here or were taken.

        Raises:
            StoreError: It is gone, S3 doesn't answer, or it breaks off too often.
        """
        with self._lock:
            while (len(self._begun) < AHEAD or file.location in self._not_begun) and (
                following := next(self._left, None)
            ):
                self._not_begun.discard(following.location)
                run = copy_context().run  # whose patience is the caller's
                self._begun[following.location] = self._pool.submit(run, _fetch, following, self._endpoint_url)
            found = self._begun.pop(file.location, None)
        return io.BytesIO(found.result()) if found else None


def _fetch(file: RawFile, endpoint_url: str | None) -> bytes:
    from etl.raw import s3  # noqa: PLC0415 - boto3 takes long to import

    with s3.opened(file.location, endpoint_url) as body:
        return b"".join(iter(lambda: body.read(SMALL_BYTES) or b"", b""))


def _size(file: RawFile) -> int:
    return file.listed[0] if file.listed else SMALL_BYTES + 1

"""Objects of a bucket as files for Arrow, and so for DuckDB: read by the boto3 client that publishes them.

So whatever boto3 knows of credentials that are renewed, regions, proxies, certificates and retries holds for
readers, too. The first request brings an object's end, where Parquet's footer is, and its size; most files of a
lake are whole then.

Arrow's threads call Python here. Python lets no thread in once it ends, and a thread of C++ doesn't survive that,
so at exit no more is read, and what is being read is waited for.
"""

import atexit
import io
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, NoReturn

import botocore.exceptions
import pyarrow as pa
import pyarrow.fs

from lake.errors import StoreError
from lake.store.outage import patience_seconds, patient, remembered
from lake.store.s3_client import CUT_OFF, NOT_FOUND, code_of, status_of, translated, tried_again

END_BYTES = 1 << 16  # so many Arrow asks for when it looks for a footer
UNSATISFIABLE = 416
LEAVE_SECONDS, QUIET_SECONDS, LOOK_SECONDS = 3.0, 0.5, 0.005


class S3Files(pyarrow.fs.FileSystemHandler):  # type: ignore[misc]  # Arrow has no types
    """What Arrow asks for files; paths are `bucket/key`, and nothing can be written."""

    def __init__(self, s3: Any) -> None:  # noqa: ANN401 - boto3's clients are made at run time
        """Take the client. A store out of order is waited for as long as by who makes this."""
        self._s3 = s3
        self._patience_seconds = patience_seconds()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, S3Files) and other._s3 is self._s3

    def __hash__(self) -> int:
        return hash(id(self._s3))

    def get_type_name(self) -> str:
        """Return what Arrow calls it."""
        return "s3 by boto3"

    def normalize_path(self, path: str) -> str:
        """Return a path as it is."""
        return path

    def open_input_file(self, path: str) -> pa.NativeFile:
        """Return an object as a file that can be read anywhere in it.

        Raises:
            FileNotFoundError: There is none.
            StoreError: S3 doesn't answer.
        """
        end = self._read(path, f"bytes=-{END_BYTES}")
        if len(end.content) == end.size:  # its bytes are Arrow's own, so that it needs no Python any more
            return pa.BufferReader(_of_arrow(end.content))
        return pa.PythonFile(_Object(end, lambda span: self._read(path, span, end.tag).content), mode="r")

    def open_input_stream(self, path: str) -> pa.NativeFile:
        """Return an object as a stream: all of it is read at once, and its checksum compared.

        Raises:
            FileNotFoundError: There is none.
            StoreError: S3 doesn't answer.
        """
        return pa.BufferReader(_of_arrow(self._read(path).content))

    def get_file_info(self, paths: list[str]) -> list[pyarrow.fs.FileInfo]:
        """Return what is there under some paths: the store lists, so that nobody asks for more than this."""
        return [pyarrow.fs.FileInfo(each, pyarrow.fs.FileType.File) for each in paths]

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise NotImplementedError("Only its store lists and writes a bucket.")

    get_file_info_selector = create_dir = delete_dir = delete_dir_contents = delete_root_dir_contents = _refuse
    delete_file = move = copy_file = open_output_stream = open_append_stream = _refuse

    def _read(self, path: str, span: str | None = None, tag: str | None = None) -> "_Part":
        """Return a part of an object, or all of it, by one request; with a tag, of that very object."""
        bucket, _, key = path.partition("/")
        asked = {"Bucket": bucket, "Key": key}
        asked |= {"Range": span} if span else {}
        asked |= {"IfMatch": tag} if tag else {}

        def ask() -> _Part:
            found = self._s3.get_object(**asked)
            return _Part(found["Body"].read(), found.get("ContentRange", ""), found["ETag"])

        with _reading.one(), patient(self._patience_seconds):
            try:
                with translated(f"s3://{path}"):
                    return tried_again(ask, lambda error: isinstance(error, CUT_OFF))
            except StoreError as error:
                cause = error.__cause__
                if isinstance(cause, botocore.exceptions.ClientError):
                    if status_of(cause) == NOT_FOUND and code_of(cause) != "NoSuchBucket":
                        raise FileNotFoundError(2, "No such object", f"s3://{path}") from error
                    if status_of(cause) == UNSATISFIABLE and not tag:
                        return _Part(b"", "", "")
                raise remembered(error) from cause


class _Part:
    """Bytes of an object, its size and its tag."""

    def __init__(self, content: bytes, place: str, tag: str) -> None:
        """Take the bytes, the answer's Content-Range, if any, and the object's ETag."""
        self.content = content
        self.size = int(place.rpartition("/")[2]) if place else len(content)
        self.tag = tag


class _Object:
    """An object as a file of Python's, of which the end is there already."""

    def __init__(self, end: _Part, read: Callable[[str], bytes]) -> None:
        self._end = end
        self._read = read
        self._at = 0
        self.closed = False
        _reading.opened(self)

    def tell(self) -> int:
        """Return where the next byte is read."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place, and return it."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._end.size}[whence]
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Return so many bytes, all up to the end if negative, by one request at most.

        Raises:
            StoreError: S3 doesn't answer, or it is another object by now.
        """
        begin = self._at
        self._at = stop = self._end.size if size < 0 else min(self._end.size, begin + size)
        known = self._end.size - len(self._end.content)
        if begin >= stop:
            return b""
        if begin >= known:
            return self._end.content[begin - known : stop - known]
        return self._read(f"bytes={begin}-{stop - 1}")

    def close(self) -> None:
        """Forget what is there."""
        self.closed = True


class _Reading:
    """What is being read by Arrow's threads."""

    def __init__(self) -> None:
        self._requests = 0
        self._last = 0.0
        self._ends = False
        self._files: weakref.WeakSet[_Object] = weakref.WeakSet()
        self._lock = threading.Lock()

    def opened(self, file: _Object) -> None:
        """Note a file that Arrow holds."""
        with self._lock:
            self._files.add(file)

    def one(self) -> "_Reading":
        """Return itself, which notes a request as a context."""
        return self

    def __enter__(self) -> None:
        with self._lock:
            if self._ends:
                raise remembered(StoreError("Nothing is read any more: Python ends."))
            self._requests += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._requests -= 1
            self._last = time.monotonic()

    def end(self) -> None:
        """Let nothing more be read, and wait for what is."""
        self._ends = True
        latest = time.monotonic() + LEAVE_SECONDS
        while (now := time.monotonic()) < latest:
            is_quiet = not self._files or now - self._last > QUIET_SECONDS
            if not self._requests and is_quiet:
                return
            time.sleep(LOOK_SECONDS)


def _of_arrow(content: bytes) -> pa.Buffer:
    """Return bytes in memory of Arrow's."""
    made = pa.allocate_buffer(len(content))
    memoryview(made).cast("B")[:] = content
    return made


_reading = _Reading()
atexit.register(_reading.end)

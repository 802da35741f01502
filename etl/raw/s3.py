"""Raw files in S3 buckets: found, measured, and read as streams that survive a connection."""

import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache, partial
from typing import Any

from etl.raw.globs import expression
from lake.store.protocol import S3_SCHEME
from lake.store.s3_client import CUT_OFF, client, split_url, translated, tried_again

GLOB = re.compile(r"[*?\[]")


def find(pattern: str, endpoint_url: str | None) -> dict[str, tuple[int, str]]:
    """Return the URLs of the objects that a URL with globs matches, in order, each with its size and its ETag.

    Raises:
        ConfigError: It names no bucket.
        StoreError: S3 doesn't answer.
    """
    bucket, key_pattern = split_url(pattern)
    matches = re.compile(expression(key_pattern)).fullmatch
    prefix = GLOB.split(key_pattern)[0]
    pages = _client(endpoint_url, os.getpid()).get_paginator("list_objects_v2")
    with translated(pattern):
        return {
            f"{S3_SCHEME}{bucket}/{item['Key']}": (item["Size"], item["ETag"])
            for page in pages.paginate(Bucket=bucket, Prefix=prefix)
            for item in page.get("Contents", ())
            if matches(item["Key"]) and not item["Key"].endswith("/")  # which consoles show as a folder
        }


def part_of(url: str, begin: int, size: int, endpoint_url: str | None) -> bytes:
    """Return some bytes of an object.

    Raises:
        StoreError: It is gone, or S3 doesn't answer.
    """
    bucket, key = split_url(url)
    with translated(url):
        answer = _client(endpoint_url, os.getpid()).get_object(
            Bucket=bucket, Key=key, Range=f"bytes={begin}-{begin + size - 1}"
        )
        return bytes(answer["Body"].read())


def mark_of(url: str, endpoint_url: str | None) -> tuple[int, str]:
    """Return an object's size in bytes and its ETag.

    Raises:
        StoreError: It is gone, or S3 doesn't answer.
    """
    bucket, key = split_url(url)
    with translated(url):
        found = _client(endpoint_url, os.getpid()).head_object(Bucket=bucket, Key=key)
        return int(found["ContentLength"]), str(found["ETag"])


@contextmanager
def opened(url: str, endpoint_url: str | None) -> Iterator["Stream"]:
    """Give an object's bytes as a stream.

    Raises:
        StoreError: It is gone, S3 doesn't answer, or it breaks off too often.
    """
    with translated(url), Stream(_client(endpoint_url, os.getpid()), *split_url(url)) as body:
        yield body


@lru_cache
def _client(endpoint_url: str | None, process: int) -> Any:  # noqa: ANN401, ARG001 - sockets don't survive a fork
    return client(endpoint_url)


class Stream(io.RawIOBase):
    """An object's bytes. Where they break off on the way, the rest of the same object is asked for."""

    def __init__(self, s3: Any, bucket: str, key: str) -> None:  # noqa: ANN401 - boto3's clients are made at run time
        self._ask = partial(s3.get_object, Bucket=bucket, Key=key)
        self._found: dict[str, Any] = {}  # closed it is, too, if the first request fails
        super().__init__()
        self._found = self._ask()
        self._read = 0

    @property
    def modified(self) -> datetime:
        """When the object was written."""
        return parsedate_to_datetime(self._found["LastModified"])  # our client leaves times as they come

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any writable buffer
        """Read up to so many bytes into a buffer, and return how many; 0 at the end.

        Raises:
            botocore's errors: They don't come, or are another object's by now.
        """
        size = tried_again(
            lambda: int(self._found["Body"].readinto(buffer)),
            lambda error: isinstance(error, CUT_OFF),
            self._ask_for_the_rest,
        )
        self._read += size
        return size

    def close(self) -> None:
        """End the request, if there is one."""
        if self._found:
            self._found["Body"].close()
        super().close()

    def _ask_for_the_rest(self) -> None:
        self._found["Body"].close()
        if self._read == self._found["ContentLength"]:
            self._found["Body"] = io.BytesIO()
        else:
            self._found["Body"] = self._ask(Range=f"bytes={self._read}-", IfMatch=self._found["ETag"])["Body"]

"""A lake in an S3 bucket.

One `put_object` with `If-None-Match: *` is the commit. Its reply can get lost after the server has acted;
each object therefore carries its digest and a write-id, by which an own write is recognised.
"""

import base64
import posixpath
import shutil
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import botocore.exceptions
import pyarrow.fs

from lake.digests import sha256_of
from lake.errors import LakeError, PartitionMissing
from lake.store.disk import temporary_folder
from lake.store.outage import SERVER_ERROR
from lake.store.protocol import StagedFile, Stored, other_bytes
from lake.store.s3_client import CUT_OFF, NOT_FOUND, client, code_of, split_url, status_of, translated, tried_again
from lake.store.s3_files import S3Files

CONFLICT, PRECONDITION_FAILED = 409, 412
DELETED_AT_ONCE = 8
BROKEN = (*CUT_OFF, botocore.exceptions.FlexibleChecksumError)
DAMAGED_ON_THE_WAY = frozenset({"BadDigest", "IncompleteBody", "XAmzContentSHA256Mismatch"})


class S3Store:
    """Objects below `s3://bucket/prefix`."""

    def __init__(self, root: str, endpoint_url: str | None = None) -> None:
        self.root = root.rstrip("/")
        self.endpoint_url = endpoint_url
        self._bucket, prefix = split_url(root)
        self._prefix = f"{prefix}/" if (prefix := prefix.rstrip("/")) else ""
        self._s3 = client(endpoint_url)

    def create(self, key: str, file: StagedFile) -> bool:
        """See Store."""
        write_id = uuid.uuid4().hex
        try:
            tried_again(lambda: self._put(key, file, write_id), _may_be_put_again)
        except botocore.exceptions.ClientError as error:
            if status_of(error) != PRECONDITION_FAILED and status_of(error) < SERVER_ERROR:
                with translated(self._url(key)):
                    raise
            return self._is_own(key, file, write_id, error)
        except botocore.exceptions.NoCredentialsError:
            with translated(self._url(key)):
                raise
        except botocore.exceptions.BotoCoreError as error:
            return self._is_own(key, file, write_id, error)
        return True

    def _put(self, key: str, file: StagedFile, write_id: str) -> None:
        with file.path.open("rb") as body:
            self._s3.put_object(
                Bucket=self._bucket,
                Key=self._prefix + key,
                Body=body,
                IfNoneMatch="*",
                ChecksumSHA256=base64.b64encode(bytes.fromhex(file.sha256)).decode(),
                Metadata={"sha256": file.sha256, "write-id": write_id},
            )

    def _is_own(self, key: str, file: StagedFile, write_id: str, error: Exception) -> bool:
        """Look at what is there after a refused or unanswered write: ours, the same, or another's."""
        found = self._head(key)
        if found is None:
            with translated(self._url(key)):
                raise error
        if found.get("write-id") == write_id:
            return True
        published = self.sha256(key)
        if published != file.sha256:
            raise other_bytes(self._url(key), published, file) from error
        return False

    def _head(self, key: str) -> dict[str, str] | None:
        """Return an object's metadata, None if there is no object."""
        with translated(self._url(key)):
            try:
                found = self._s3.head_object(Bucket=self._bucket, Key=self._prefix + key)
            except botocore.exceptions.ClientError as error:
                if status_of(error) != NOT_FOUND:
                    raise
                return None
        metadata: dict[str, str] = found["Metadata"]
        return metadata

    def keys(self, prefix: str, first: str, last: str) -> Iterator[str]:
        """See Store."""
        return (item["Key"].removeprefix(self._prefix) for item in self._listed(prefix, first, last))

    def objects(self, prefix: str, first: str, last: str) -> Iterator[Stored]:
        """See Store."""
        for item in self._listed(prefix, first, last):
            published = datetime.fromisoformat(item["LastModified"])
            yield Stored(item["Key"].removeprefix(self._prefix), item["Size"], published, item["ETag"])

    def _listed(self, prefix: str, first: str, last: str) -> Iterator[dict[str, Any]]:
        """Yield what a listing says of each object; SeaweedFS has `a/` before `a-` and `a.`."""
        below = self._prefix + prefix
        # of a folder that is named without its slash, SeaweedFS leaves out all that is in it
        start = first if first.endswith("/") else first[:-1]
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=below, StartAfter=below + start
        )
        with translated(self.root):
            for page in pages:
                for item in page.get("Contents", ()):
                    if item["Key"] >= below + last:
                        return
                    if item["Key"] > below + first:
                        yield item

    def exists(self, key: str) -> bool:
        """See Store."""
        return self._head(key) is not None

    def sha256(self, key: str) -> str:
        """See Store."""
        metadata = self._head(key)
        if metadata is None:
            raise self._missing(key)
        if "sha256" in metadata:
            return metadata["sha256"]
        with temporary_folder() as folder:  # an object that some other tool has put there
            return sha256_of(self.local_copy(key, folder))

    def local_copy(self, key: str, folder: Path) -> Path:
        """See Store."""
        copy = folder / key.replace("/", "--")
        with translated(self._url(key)):
            found = self._get(key)

            def ask_anew() -> None:  # boto3 tries again what it asks for, and not what is read of it then
                nonlocal found
                found = self._get(key)

            return tried_again(lambda: _saved(found, copy), lambda error: isinstance(error, BROKEN), ask_anew)

    def _get(self, key: str) -> dict[str, Any]:
        """Ask for an object, whose bytes come when its body is read."""
        try:
            found: dict[str, Any] = self._s3.get_object(Bucket=self._bucket, Key=self._prefix + key)
        except botocore.exceptions.ClientError as error:
            if status_of(error) == NOT_FOUND and code_of(error) != "NoSuchBucket":
                raise self._missing(key) from error
            raise
        return found

    def remove(self, keys: Sequence[str]) -> None:
        """See Store; where the bucket keeps versions, a plain DELETE would only hide an object."""
        with ThreadPoolExecutor(DELETED_AT_ONCE) as deleting:
            list(deleting.map(self._delete, self._versions(keys) if keys else ()))

    def _delete(self, version: dict[str, str]) -> None:
        with translated(f"s3://{self._bucket}/{version['Key']}"):
            self._s3.delete_object(Bucket=self._bucket, **version)

    def _versions(self, keys: Sequence[str]) -> Iterator[dict[str, str]]:
        """Yield all versions of objects, markers included: key and version of each."""
        wanted = {self._prefix + key for key in keys}
        folder = posixpath.commonpath([posixpath.dirname(key) for key in wanted])
        pages = self._s3.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=f"{folder}/")
        with translated(self.root):
            for page in pages:
                for each in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                    if each["Key"] in wanted:
                        yield {"Key": each["Key"], "VersionId": each["VersionId"]}

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """See Store."""
        with temporary_folder() as folder:
            yield folder

    def filesystem(self) -> tuple[pyarrow.fs.FileSystem, str]:
        """See Store."""
        return pyarrow.fs.PyFileSystem(S3Files(self._s3)), f"{self._bucket}/{self._prefix}".rstrip("/")

    def _url(self, key: str) -> str:
        return f"{self.root}/{key}"

    def _missing(self, key: str) -> LakeError:
        return PartitionMissing(f"{self._url(key)} is not published. Build it first.")


def _may_be_put_again(error: Exception) -> bool:
    """Tell whether a refused write may be done again: two at once, or bytes that were damaged on the way."""
    return isinstance(error, botocore.exceptions.ClientError) and (
        status_of(error) == CONFLICT or code_of(error) in DAMAGED_ON_THE_WAY
    )


def _saved(found: dict[str, Any], copy: Path) -> Path:
    """Write an object's bytes to a file, and check them by the digest that they were published with."""
    with copy.open("wb") as file:
        shutil.copyfileobj(found["Body"], file, 1 << 20)
    published = found["Metadata"].get("sha256")
    if published and published != (here := sha256_of(copy)):
        raise botocore.exceptions.FlexibleChecksumError(error_msg=f"There sha256 {published}, here {here}")
    return copy

"""A lake in an S3 bucket.

One `put_object` with `If-None-Match: *` is the commit. Its reply can get lost after the server has acted;
each object therefore carries its digest and a write-id, by which an own write is recognised.
"""

import base64
import io
import posixpath
import re
import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import botocore.exceptions
import botocore.session
import pyarrow.fs

from lake.errors import ConfigError, LakeError, PartitionMissing, StoreError
from lake.parquet.writer import StagedFile, sha256_of
from lake.store.protocol import Stored, other_bytes, patience_seconds, temporary_folder

CONFLICT, PRECONDITION_FAILED, NOT_FOUND, TOO_MANY_REQUESTS, SERVER_ERROR = 409, 412, 404, 429, 500
TRIES_AGAIN = 5  # 15 seconds on average
WAIT_SECONDS = 5.0
DELETED_AT_ONCE = 8
UNREACHABLE = (botocore.exceptions.ConnectionError, botocore.exceptions.HTTPClientError)
# a body that does not come, or not as it was sent
CUT_OFF = (botocore.exceptions.HTTPClientError, botocore.exceptions.IncompleteReadError)
BROKEN = (*CUT_OFF, botocore.exceptions.FlexibleChecksumError)
BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
CONFLICT_WAITS_SECONDS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
DAMAGED_ON_THE_WAY = frozenset({"BadDigest", "IncompleteBody", "XAmzContentSHA256Mismatch"})
NEXT_STEPS = {
    "NoSuchBucket": "Create the bucket or correct the name in luigi.cfg.",
    "AccessDenied": "The credentials lack the right to do this.",
    "AccessDenied to DeleteObject": (
        "The credentials are not the retention role's, or Object Lock still holds it; see docs/how-to/s3.md."
    ),
    "PreconditionFailed to GetObject": "It was changed while it was read. Run the same again.",
    "403": "The credentials lack the right to do this, or are wrong.",
    "ExpiredToken": "Renew the credentials.",
    "InvalidAccessKeyId": "Check the credentials that boto3 finds.",
    "SignatureDoesNotMatch": "Check the credentials that boto3 finds.",
}


def client(endpoint_url: str | None = None) -> Any:  # noqa: ANN401 - boto3's clients are made at run time
    """Return an S3 client; region, credentials and all else as boto3 finds them."""
    if endpoint_url and "@" in endpoint_url:
        raise ConfigError("[lake] endpoint_url holds credentials. Put them where boto3 looks for them.")
    try:
        said = botocore.session.get_session()
        # few ask when an object was made, and boto3 takes most of a listing's time to read that
        said.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=str)
        attempts, mode = said.get_config_variable("max_attempts"), said.get_config_variable("retry_mode")
        retries = {"mode": mode if mode != "legacy" else "standard"}
        retries |= {"total_max_attempts": attempts or TRIES_AGAIN + 1}
        settings = botocore.config.Config(retries=retries, connect_timeout=10, read_timeout=60)
        made = boto3.Session(botocore_session=said).client("s3", endpoint_url=endpoint_url, config=settings)
    except (botocore.exceptions.BotoCoreError, ValueError) as error:
        raise ConfigError(f"Can't set up S3: {error}. Check [lake] endpoint_url and AWS_* settings.") from error
    if not attempts:  # else somebody has said how often to try
        made.meta.events.register_last("needs-retry.s3", Outage().wait_seconds)
    return made


class Outage:
    """An S3 server that is out of order: how long it may be waited for after boto3's own tries.

    It counts from the first request that failed to the next one that doesn't, so that a process waits for a long
    outage once, and not with each request anew.
    """

    def __init__(self) -> None:
        self._since: float | None = None

    def wait_seconds(
        self, response: tuple[Any, Any] | None, caught_exception: Exception | None, **_: object
    ) -> float | None:
        """Return after how many seconds to try a request again, None not to; botocore asks after each."""
        status = response[0].status_code if response else 0
        is_out = status >= SERVER_ERROR or status == TOO_MANY_REQUESTS
        if not is_out and not isinstance(caught_exception, UNREACHABLE):
            self._since = None
            return None
        self._since = self._since or time.monotonic()
        return WAIT_SECONDS if time.monotonic() - self._since < patience_seconds() else None


def split_url(url: str) -> tuple[str, str]:
    """Return bucket and key of `s3://bucket/key`.

    Raises:
        ConfigError: There is no bucket in it.
    """
    bucket, _, key = url.removeprefix("s3://").partition("/")
    if not BUCKET.fullmatch(bucket):
        raise ConfigError(f"{url} names no bucket ({bucket!r} can't be one), expected s3://bucket/prefix.")
    return bucket, key


@contextmanager
def translated(url: str) -> Iterator[None]:
    """Turn boto3's errors into a StoreError that names the URL and the next step, and no secret."""
    try:
        yield
    except botocore.exceptions.ClientError as error:
        code = _code(error)
        step = NEXT_STEPS.get(f"{code} to {error.operation_name}") or NEXT_STEPS.get(
            code, "Try again; if it stays, ask who runs the bucket."
        )
        if _status(error) >= SERVER_ERROR and code != str(_status(error)):
            code = f"{_status(error)} {code}"
        raise StoreError(f"{url}: S3 answered {code} to {error.operation_name}. {step}") from error
    except (botocore.exceptions.NoCredentialsError, botocore.exceptions.PartialCredentialsError) as error:
        raise StoreError(
            f"{url}: no AWS credentials found. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, "
            "or run where a role is attached."
        ) from error
    except botocore.exceptions.FlexibleChecksumError as error:
        raise StoreError(
            f"{url}: its bytes came damaged. {error}. Try again; if it stays, bring the object back from a copy."
        ) from error
    except botocore.exceptions.BotoCoreError as error:
        raise StoreError(
            f"{url}: {str(error).rstrip('.')}. Check the network, AWS_REGION and [lake] endpoint_url."
        ) from error


def _code(error: botocore.exceptions.ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "?"))


def _status(error: botocore.exceptions.ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


class Stream(io.RawIOBase):
    """An object's bytes. Where they break off on the way, the rest of the same object is asked for."""

    def __init__(self, s3: Any, bucket: str, key: str) -> None:  # noqa: ANN401 - boto3's clients are made at run time
        self._ask = partial(s3.get_object, Bucket=bucket, Key=key)
        self._found: dict[str, Any] = {}  # closed it is, too, if the first request fails
        super().__init__()
        self._found = self._ask()
        self._read = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any writable buffer
        """Read up to so many bytes into a buffer, and return how many; 0 at the end.

        Raises:
            botocore's errors: They don't come, or are another object's by now.
        """
        for wait_seconds in (*CONFLICT_WAITS_SECONDS, None):
            try:
                size: int = self._found["Body"].readinto(buffer)
            except CUT_OFF:
                if wait_seconds is None:
                    raise
                time.sleep(wait_seconds)
                self._found |= {"Body": self._rest()}
            else:
                self._read += size
                return size
        raise AssertionError  # the last round returns or raises

    def close(self) -> None:
        """End the request, if there is one."""
        if self._found:
            self._found["Body"].close()
        super().close()

    def _rest(self) -> Any:  # noqa: ANN401 - a body as boto3 has it
        self._found["Body"].close()
        if self._read == self._found["ContentLength"]:
            return io.BytesIO()
        return self._ask(Range=f"bytes={self._read}-", IfMatch=self._found["ETag"])["Body"]


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
        for wait_seconds in (*CONFLICT_WAITS_SECONDS, None):
            try:
                self._put(key, file, write_id)
            except botocore.exceptions.ClientError as error:
                if wait_seconds and (_status(error) == CONFLICT or _code(error) in DAMAGED_ON_THE_WAY):
                    time.sleep(wait_seconds)
                    continue
                if _status(error) != PRECONDITION_FAILED and _status(error) < SERVER_ERROR:
                    with translated(self._url(key)):
                        raise
                return self._is_own(key, file, write_id, error)
            except botocore.exceptions.NoCredentialsError:
                with translated(self._url(key)):
                    raise
            except (botocore.exceptions.BotoCoreError, botocore.exceptions.HTTPClientError) as error:
                return self._is_own(key, file, write_id, error)
            return True
        raise AssertionError  # the last round returns or raises

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
                if _status(error) != NOT_FOUND:
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
            for wait_seconds in (*CONFLICT_WAITS_SECONDS, None):
                found = self._get(key)
                try:
                    return _saved(found, copy)
                except BROKEN:  # boto3 tries again what it asks for, and not what is read of it then
                    if wait_seconds is None:
                        raise
                    time.sleep(wait_seconds)
        raise AssertionError  # the last round returns or raises

    def _get(self, key: str) -> dict[str, Any]:
        """Ask for an object, whose bytes come when its body is read."""
        try:
            found: dict[str, Any] = self._s3.get_object(Bucket=self._bucket, Key=self._prefix + key)
        except botocore.exceptions.ClientError as error:
            if _status(error) == NOT_FOUND and _code(error) != "NoSuchBucket":
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
        session = boto3.Session()
        found = session.get_credentials()
        if found is None:
            with translated(self.root):
                raise botocore.exceptions.NoCredentialsError
        credentials = found.get_frozen_credentials()
        endpoint = self._s3.meta.endpoint_url
        return pyarrow.fs.S3FileSystem(
            access_key=credentials.access_key,
            secret_key=credentials.secret_key,
            session_token=credentials.token,
            region=self._s3.meta.region_name,
            endpoint_override=endpoint.partition("://")[2],
            scheme=endpoint.partition("://")[0],
        ), f"{self._bucket}/{self._prefix}".rstrip("/")

    def _url(self, key: str) -> str:
        return f"{self.root}/{key}"

    def _missing(self, key: str) -> LakeError:
        return PartitionMissing(f"{self._url(key)} is not published. Build it first.")


def _saved(found: dict[str, Any], copy: Path) -> Path:
    """Write an object's bytes to a file, and check them by the digest that they were published with."""
    with copy.open("wb") as file:
        shutil.copyfileobj(found["Body"], file, 1 << 20)
    published = found["Metadata"].get("sha256")
    if published and published != (here := sha256_of(copy)):
        raise botocore.exceptions.FlexibleChecksumError(error_msg=f"There sha256 {published}, here {here}")
    return copy

"""S3 by boto3: a client, its errors in our words, and what is tried again beside what boto3 tries."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import boto3
import botocore.config
import botocore.exceptions
import botocore.session

from lake.errors import ConfigError, StoreError
from lake.store.outage import SERVER_ERROR, Outage

NOT_FOUND = 404
TRIES_AGAIN = 5  # 15 seconds on average
UNREACHABLE = (botocore.exceptions.ConnectionError, botocore.exceptions.HTTPClientError)
# a body that does not come, or not as it was sent
CUT_OFF = (botocore.exceptions.HTTPClientError, botocore.exceptions.IncompleteReadError)
BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
WAITS_SECONDS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
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
T = TypeVar("T")


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
        made.meta.events.register_last("needs-retry.s3", Outage(UNREACHABLE).wait_seconds)
    return made


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
        code = code_of(error)
        step = NEXT_STEPS.get(f"{code} to {error.operation_name}") or NEXT_STEPS.get(
            code, "Try again; if it stays, contact whoever runs the bucket."
        )
        if status_of(error) >= SERVER_ERROR and code != str(status_of(error)):
            code = f"{status_of(error)} {code}"
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


def code_of(error: botocore.exceptions.ClientError) -> str:
    """Return the code of an answer that is an error."""
    return str(error.response.get("Error", {}).get("Code", "?"))


def status_of(error: botocore.exceptions.ClientError) -> int:
    """Return its HTTP status, 0 if it has none."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def tried_again(
    call: Callable[[], T], passes: Callable[[Exception], bool], between: Callable[[], object] = lambda: None
) -> T:
    """Return what a call returns; while it fails in a way that passes, call again, each time a little later.

    Args:
        call: Asks S3, or reads what it answered.
        passes: Tells of botocore's errors whether they may be others next time.
        between: Is done after each wait; an error of it is not tried again.

    Raises:
        botocore's errors: One that doesn't pass, or the last one after all waits.
    """
    for wait_seconds in WAITS_SECONDS:
        try:
            return call()
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
            if not passes(error):
                raise
        time.sleep(wait_seconds)
        between()
    return call()

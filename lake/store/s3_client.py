"""S3 by boto3: a client, its errors in our words, and what is tried again beside what boto3 tries."""

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, TypeVar

import boto3
import botocore.config
import botocore.exceptions
import botocore.loaders
import botocore.session

from lake.errors import ConfigError, StoreError
from lake.store.outage import SERVER_ERROR, Outage

NOT_FOUND = 404
TRIES_AGAIN = 5  # 15 seconds on average
UNREACHABLE = (botocore.exceptions.ConnectionError, botocore.exceptions.HTTPClientError)
LASTING = (botocore.exceptions.SSLError,)  # waiting does not help a certificate
# a body that does not come, or not as it was sent
CUT_OFF = (botocore.exceptions.HTTPClientError, botocore.exceptions.IncompleteReadError)
BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
WAITS_SECONDS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
ELSEWHERE = "The bucket is in another region{}. Set AWS_DEFAULT_REGION to its own."
EXPIRED = "The credentials have expired. Renew them."
CLOCK = "The clock of this machine is wrong by more than S3 allows. Set it."
WRONG_KEYS = "Check the credentials that boto3 finds."
NEXT_STEPS = {
    "NoSuchBucket": "Create the bucket or correct the name in luigi.cfg.",
    "AccessDenied": (
        "The credentials lack the right to do this; or the requester pays for that bucket, for which "
        "AWS_REQUEST_PAYER=requester must be set."
    ),
    "AccessDenied to DeleteObject": (
        "The credentials are not the retention role's, or Object Lock still holds it; see docs/how-to/s3.md."
    ),
    "PreconditionFailed to GetObject": "It was changed while it was read. Run the same again.",
    "403": "The credentials lack the right to do this, or are wrong.",
    "400": "The credentials have expired, or the bucket is in another region than AWS_DEFAULT_REGION says.",
    "ExpiredToken": EXPIRED,
    "ExpiredTokenException": EXPIRED,
    "TokenRefreshRequired": EXPIRED,
    "RequestExpired": CLOCK,
    "RequestTimeTooSkewed": CLOCK,
    "InvalidToken": "The session token is not one of these keys. Check the credentials that boto3 finds.",
    "InvalidAccessKeyId": WRONG_KEYS,
    "SignatureDoesNotMatch": WRONG_KEYS,
}
OTHER_REGION = frozenset(
    {"301", "307", "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}
)
SKEW_SECONDS = 300
FORBIDDEN = 403
CONNECTIONS = 32  # each that is more than that is said on stderr
OF_SSO = (
    botocore.exceptions.SSOError,
    botocore.exceptions.TokenRetrievalError,
    botocore.exceptions.SSOTokenLoadError,
    botocore.exceptions.UnauthorizedSSOTokenError,
)
T = TypeVar("T")


def client(endpoint_url: str | None = None) -> Any:  # noqa: ANN401 - boto3's clients are made at run time
    """Return an S3 client; region, credentials and all else as boto3 finds them."""
    if endpoint_url and "@" in endpoint_url:
        raise ConfigError("[lake] endpoint_url holds credentials. Put them where boto3 looks for them.")
    with _credentials_are_named():
        said = botocore.session.get_session()
        said.register_component("data_loader", _descriptions(said.get_config_variable("data_path")))
        profile = said.get_scoped_config()
        _name_errors(said.get_credentials())
    try:
        # few ask when an object was made, and boto3 takes most of a listing's time to read that
        said.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=str)
        attempts, mode = said.get_config_variable("max_attempts"), "standard"
        is_said = bool(attempts)
        if "AWS_RETRY_MODE" in os.environ or "retry_mode" in profile:
            mode, is_said = said.get_config_variable("retry_mode"), True
        retries: dict[str, Any] = {"mode": mode}
        if attempts or not is_said:
            retries["total_max_attempts"] = attempts or TRIES_AGAIN + 1
        settings = botocore.config.Config(
            retries=retries, connect_timeout=10, read_timeout=60, max_pool_connections=CONNECTIONS
        )
        made = boto3.Session(botocore_session=said).client("s3", endpoint_url=endpoint_url, config=settings)
    except (botocore.exceptions.BotoCoreError, ValueError) as error:
        raise ConfigError(f"Can't set up S3: {error}. Check [lake] endpoint_url and AWS_* settings.") from error
    made.meta.events.register_first("needs-retry.s3", _tell_region)
    if payer := os.environ.get("AWS_REQUEST_PAYER"):
        made.meta.events.register("before-call.s3", lambda params, **_: _add_payer(params, payer))
    if not is_said:  # else boto3 alone is asked how often and how to try
        made.meta.events.register_last("needs-retry.s3", Outage(UNREACHABLE, LASTING).wait_seconds)
    return made


@cache
def _descriptions(path: str | None) -> Any:  # noqa: ANN401 - boto3 has no types
    """Return what reads boto3's descriptions of services, once a process: they take most of a client's time."""
    return botocore.loaders.create_loader(path)


def _add_payer(params: dict[str, Any], payer: str) -> None:
    params["headers"]["x-amz-request-payer"] = payer


def _tell_region(response: tuple[Any, dict[str, Any]] | None, **_: object) -> None:
    """Put the bucket's region, where only a header tells it, where boto3 looks for it to ask there instead."""
    if response and (error := response[1].get("Error")) and (region := _region_of(response[1])):
        error.setdefault("Region", region)


def _region_of(answer: dict[str, Any]) -> str:
    """Return the bucket's region that an answer tells, "" if none."""
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return str(headers.get("x-amz-bucket-region") or answer.get("Error", {}).get("Region") or "")


def _name_errors(credentials: Any) -> None:  # noqa: ANN401 - of many classes
    """Have credentials say, each time they are asked for and maybe renewed, that what goes wrong is theirs."""
    if credentials is None:
        return
    ask = credentials.get_frozen_credentials

    def asked() -> Any:  # noqa: ANN401 - a tuple of botocore's own
        with _credentials_are_named():
            return ask()

    credentials.get_frozen_credentials = asked


@contextmanager
def _credentials_are_named() -> Iterator[None]:
    """Turn whatever goes wrong while credentials are found or renewed into a StoreError with the next step."""
    try:
        yield
    except Exception as error:  # botocore runs programs, reads files and asks servers here
        raise StoreError(f"No credentials for S3: {_credentials_step(error)}") from error


def _credentials_step(error: Exception) -> str:
    """Say what is wrong with credentials, and what to do."""
    said = str(error).rstrip(". ")
    profile = os.environ.get("AWS_PROFILE") or os.environ.get("AWS_DEFAULT_PROFILE")
    if isinstance(error, OSError) and error.filename:
        return (
            f"{error.filename}: {error.strerror}. It is what web_identity_token_file, AWS_WEB_IDENTITY_TOKEN_FILE "
            "or credential_process names. Check that it is there and may be read."
        )
    if isinstance(error, OF_SSO):
        login = f"aws sso login{f' --profile {profile}' if profile else ''}"
        return f"there is no SSO session, or it has expired. {said}. Run `{login}`."
    if isinstance(error, botocore.exceptions.ProfileNotFound):
        return f"{said}. Check AWS_PROFILE and ~/.aws/config."
    if isinstance(error, botocore.exceptions.ClientError):
        message = str(error.response.get("Error", {}).get("Message", "")).rstrip(". ")
        is_clock = code_of(error) in {"RequestExpired", "RequestTimeTooSkewed"} or "Signature expired" in message
        step = CLOCK if is_clock else "Check the role, who may take it, and the token or keys that ask for it."
        return f"AWS answered {code_of(error)} to {error.operation_name}: {message}. {step}"
    if isinstance(error, UNREACHABLE):
        return f"who gives them can't be reached. {said}. Check the network and the proxy."
    return f"{said or type(error).__name__}. Check AWS_* settings, the profile and what it names."


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
        code, step = code_of(error), _step(error)
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
    except botocore.exceptions.SSLError as error:
        raise StoreError(
            f"{url}: {str(error).rstrip('.')}. If an authority of your own has signed it, set AWS_CA_BUNDLE "
            "to the file with that authority's certificate."
        ) from error
    except botocore.exceptions.ProxyConnectionError as error:
        raise StoreError(
            f"{url}: {str(error).rstrip('.')}. Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY."
        ) from error
    except botocore.exceptions.BotoCoreError as error:
        raise StoreError(
            f"{url}: {str(error).rstrip('.')}. Check the network, AWS_DEFAULT_REGION and [lake] endpoint_url."
        ) from error


def _step(error: botocore.exceptions.ClientError) -> str:
    """Say what to do about an answer that is an error."""
    code = code_of(error)
    if code in OTHER_REGION:
        region = _region_of(dict(error.response))
        return ELSEWHERE.format(f", {region}" if region else "")
    if code == str(FORBIDDEN) and _is_skewed(error):  # what is answered to HEAD has no text
        return CLOCK
    return NEXT_STEPS.get(f"{code} to {error.operation_name}") or NEXT_STEPS.get(
        code, "Try again; if it stays, contact whoever runs the bucket."
    )


def _is_skewed(error: botocore.exceptions.ClientError) -> bool:
    """Tell whether this machine's clock is far from the server's."""
    date = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    try:
        there = parsedate_to_datetime(date) if date else None
    except ValueError:
        return False
    here = time.time()  # noqa: TID251 - the clock itself is asked about
    return bool(there and there.tzinfo and abs(here - there.timestamp()) > SKEW_SECONDS)


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

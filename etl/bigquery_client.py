"""BigQuery's client, for what is delivered there or fetched from there: how it is opened, and its errors."""

import os
from typing import Any

from lake.errors import ConfigError

try:
    from google.api_core import exceptions
    from google.auth.credentials import AnonymousCredentials
    from google.auth.exceptions import GoogleAuthError
    from google.cloud import bigquery
    from google.cloud.bigquery.retry import DEFAULT_RETRY
    from requests.exceptions import RequestException
except ImportError as error:
    raise ConfigError(
        "What talks to BigQuery is not installed. Install it with: pip install 'error-rate-lake[bigquery]'"
    ) from error

OWNER = "error_rate_lake"
"""The label of what is ours there: tables, and jobs."""
EMULATOR = "BIGQUERY_EMULATOR_HOST"
CONNECT_SECONDS = 10.0
CALL_SECONDS = 300.0
PATIENCE_SECONDS = 60.0
"""For so long, calls that fail by chance are made again."""
PASSING = frozenset(
    {
        *("rateLimitExceeded", "jobRateLimitExceeded", "backendError", "jobBackendError"),
        *("internalError", "jobInternalError"),
    }
)
"""BigQuery's reasons for errors that a later try doesn't meet."""
FAILURES = (exceptions.GoogleAPIError, GoogleAuthError, RequestException, TimeoutError)


def client_of(project: str, location: str | None) -> bigquery.Client:
    """Return a client that asks in a project's name, with the credentials that Google's libraries find.

    Raises:
        FAILURES: They find none.
    """
    known = AnonymousCredentials() if os.environ.get(EMULATOR) else None  # type: ignore[no-untyped-call]
    return bigquery.Client(project, credentials=known, location=location)


def retry_for(seconds: float) -> Any:  # noqa: ANN401 - Google's
    """Return how a call is made again that failed by chance, for so long; one that has no effect twice."""
    return DEFAULT_RETRY.with_timeout(seconds)


def cause_of(error: Exception) -> Exception:
    """Return what went wrong the last time that something was tried."""
    while isinstance(error, exceptions.RetryError) and isinstance(error.cause, Exception):
        error = error.cause
    return error


def told(error: Exception) -> tuple[str | None, str]:
    """Return BigQuery's reason for an error, None if it has none, and what it says, in one line."""
    errors = getattr(error, "errors", None) or [{}]
    first = errors[0] if isinstance(errors[0], dict) else {}
    text = " ".join(str(first.get("message") or getattr(error, "message", None) or error).split())
    return first.get("reason"), text.rstrip(". ")

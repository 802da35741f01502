"""Targets by their URLs. What each needs is imported once it is asked for, for only then it must be installed."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pkgutil import resolve_name

from etl.deliver.deliveries import BIGQUERY, ELASTICSEARCH, FILE, MONGO, POSTGRES, Delivery
from etl.deliver.target import Target

MODULES = {
    **dict.fromkeys(ELASTICSEARCH, "etl.deliver.elasticsearch"),
    **dict.fromkeys(MONGO, "etl.deliver.mongo"),
    **dict.fromkeys(POSTGRES, "etl.deliver.postgres"),
    BIGQUERY: "etl.deliver.bigquery",
    FILE: "etl.deliver.files",
}
"""By the URL's scheme: a module whose `opened` gives the target of a delivery."""


def opened(delivery: Delivery) -> AbstractContextManager[Target]:
    """Return a delivery's target, which is closed afterwards.

    Raises:
        ConfigError: What it needs is not installed.
        StoreError: It doesn't answer.
    """
    found: Callable[[Delivery], AbstractContextManager[Target]] = resolve_name(
        f"{MODULES[delivery.scheme]}:opened"
    )
    return found(delivery)

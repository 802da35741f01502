"""What is said of rejected lines beside a rate: how many there are, and which statuses they show."""

from collections import Counter
from collections.abc import Mapping
from datetime import date

from lake.provenance import NO_STATUS_SHOWN, Provenance

SERVER_ERRORS = "5"


def shown(statuses: Mapping[str, int]) -> str:
    """Return how many rejects show which status, server errors first and each by itself: `3 show 502, 9 none`."""
    errors = {status: n for status, n in statuses.items() if status.startswith(SERVER_ERRORS)}
    others: Counter[str] = Counter()
    for status, count in statuses.items():
        if status not in errors:
            others[status if status == NO_STATUS_SHOWN else f"{status[0]}xx"] += count
    parts = [f"{count:,} {status}" for status, count in (*sorted(errors.items()), *sorted(others.items()))]
    return ", ".join([parts[0].replace(" ", " show ", 1), *parts[1:]])


def of_days(made: Mapping[date, Provenance]) -> str | None:
    """Say how many lines of days are rejects; None if there are none, or nobody looked.

    Args:
        made: How each day was made.
    """
    looked_at = [each for each in made.values() if each.reject_statuses]
    total = sum((Counter(each.reject_statuses) for each in looked_at), Counter[str]())
    if not total:
        return None
    requests = sum(each.rows_kept if each.counted is None else each.counted for each in made.values())
    return (
        f"Rejects: {_lines(total.total())} on {len(looked_at):,} of {_days(len(made))}, beside {requests:,} "
        f"requests; {shown(total)}"
    )


def _lines(count: int) -> str:
    return f"{count:,} line{'s' * (count != 1)}"


def _days(count: int) -> str:
    return f"{count:,} day{'s' * (count != 1)}"

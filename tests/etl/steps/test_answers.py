"""What an error rate lacks by its rejects, and from when on that fails a day."""

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.steps.answers import Answers, wilson_high
from lake import sql
from lake.contracts import contract


def rejects(statuses: list[int], reason: str = "shape") -> tuple[pa.Table, np.ndarray]:
    """Return rejects of one file that show these statuses."""
    rows = [
        {"file": "a.log", "line_number": n, "reason": reason, "masked_line": "x"}
        for n, _ in enumerate(statuses, 1)
    ]
    return pa.Table.from_pylist(rows, contract("rejects").schema), np.array(statuses, np.int64)


def requests(statuses: list[int], kinds: list[str], *, encoded: bool) -> pa.Table:
    """Return the columns of requests that are counted, as the plain parser or the kernel has them."""
    classes = pa.array(kinds, pa.string())
    return pa.table(
        {
            "status": pa.array(statuses, pa.int16()),
            "traffic_class": classes.dictionary_encode() if encoded else classes,
        }
    )


@pytest.mark.parametrize("encoded", [False, True])
def test_valid_requests_are_counted_as_the_rate_does(*, encoded: bool) -> None:
    """Health checks and synthetic requests are no part of it; an error is a status of 500 to 599."""
    found = Answers()
    found.add(requests([200, 500, 599, 600, 503, 499], ["user"] * 4 + ["synthetic", "user"], encoded=encoded))
    found.add(requests([500], ["health_check"], encoded=encoded))
    found.add(requests([], [], encoded=encoded))
    assert (found.valid, found.failed) == (5, 2)


def test_rejects_are_counted_by_status_with_the_first_of_the_errors() -> None:
    """All that show one, whatever it is; of those that show a server error, three examples."""
    found = Answers()
    found.add_rejects(*rejects([0, 502, 200, 502]))
    found.add_rejects(*rejects([503, 0, 500]))
    assert found.shown == {"none": 2, "200": 1, "500": 1, "502": 2, "503": 1}
    assert found.lacking == "4 rejects show a server error (1 500, 2 502, 1 503) that no rate counts"
    assert found.examples == ["a.log:2", "a.log:4", "a.log:1"]


def test_a_request_of_another_day_is_no_error_of_this_one() -> None:
    """It is shown; that no day counts it is said by itself."""
    found = Answers(valid=100)
    found.add_rejects(*rejects([502] * 50, "wrong_day"))
    assert (found.shown, found.lacking, found.would_move_the_rate) == ({"502": 50}, "", False)


@pytest.mark.parametrize(
    ("valid", "failed", "lost", "moves"),
    [
        (1000, 0, 10, True),
        (1000, 0, 9, False),  # too few to fail a day, whatever its rate
        (10, 0, 9, False),
        (0, 0, 10, True),  # there is no rate without them
        (1000, 100, 10, False),  # within what chance explains
        (1000, 100, 30, True),
        (1_000_000, 0, 10, True),
        (1_000_000, 1000, 50, False),
        (10, 10, 20, False),
    ],
)
def test_a_day_fails_by_ten_errors_that_move_its_rate(valid: int, failed: int, lost: int, *, moves: bool) -> None:
    """Fewer are chance or a single client's; those that leave the rate in its interval change nothing."""
    found = Answers(valid=valid, failed=failed)
    found.add_rejects(*rejects([502] * lost))
    assert found.would_move_the_rate is moves
    assert found.lacking


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.integers(0, 10**9), st.integers(1, 10**9))
def test_the_interval_is_the_published_one(hits: int, total: int) -> None:
    """That of queries/macros/wilson_high.sql, to the last digits."""
    hits = min(hits, total)
    with duckdb.connect() as connection:
        (macro,) = (each for each in sql.macros() if each.name == "wilson_high")
        connection.execute(macro.statement)
        (expected,) = connection.execute("select wilson_high(?, ?)", [hits, total]).fetchone()
    assert wilson_high(hits, total) == pytest.approx(expected, rel=1e-12)

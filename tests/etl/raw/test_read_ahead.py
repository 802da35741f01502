"""Reading ahead: in order, bounded, and without a thread left over."""

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from etl.raw.read_ahead import read_ahead


@pytest.fixture
def others() -> set[threading.Thread]:
    """The threads that other tests have left running."""
    return set(threading.enumerate())


def _numbers(begin: int, made: list[int]) -> Iterator[int]:
    for number in range(begin, begin + 10):
        made.append(number)
        yield number


@pytest.mark.parametrize("threads", [1, 2, 3, 30])
@pytest.mark.parametrize("items", [1, 4])
def test_items_come_in_the_order_of_their_makers(threads: int, items: int, others: set[threading.Thread]) -> None:
    """However many are made at once, and however few may wait."""
    made: list[int] = []
    makers = [lambda begin=begin: _numbers(begin, made) for begin in range(0, 200, 10)]
    assert [list(each) for each in read_ahead(makers, threads, items)] == [
        list(range(begin, begin + 10)) for begin in range(0, 200, 10)
    ]
    assert set(threading.enumerate()) <= others


def test_no_more_is_made_than_may_wait(others: set[threading.Thread]) -> None:
    """What is not consumed holds its maker up: two that wait, and one in its hand."""
    made: list[int] = []
    with closing(read_ahead([lambda: [0], lambda: _numbers(10, made)], 2, 2)) as ahead:
        first = next(ahead)
        deadline = threading.Event()
        deadline.wait(0.5)
        assert made == [10, 11, 12]
        assert list(first) == [0]
    assert set(threading.enumerate()) <= others


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_is_raised_where_its_items_are_due(threads: int, others: set[threading.Thread]) -> None:
    """After what came before it, and then all threads end."""

    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    found = []
    with closing(read_ahead([lambda: [0], broken, lambda: _numbers(9, [])], threads, 1)) as ahead:
        for each in ahead:
            try:
                found += each
            except ValueError as error:
                assert str(error) == "broken"  # noqa: PT017 - what was found before it counts too
                break
    assert found == [0, 1]
    assert set(threading.enumerate()) <= others

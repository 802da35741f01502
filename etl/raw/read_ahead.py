"""Reading ahead: several iterators run in threads of their own and are consumed in order."""

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from contextvars import copy_context
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
PATIENCE = 0.1  # seconds between looks whether the consumer has gone


class _Ended:
    """Follows an iterator's last item."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def read_ahead(makers: Sequence[Callable[[], Iterable[T]]], threads: int, items: int) -> Generator[Iterator[T]]:
    """Yield what each maker's iterable yields, in order, while the next ones are being made already.

    Args:
        makers: Each makes an iterable. Its items must not depend on those of the others.
        threads: How many run at once. With one, there is no thread, and nothing is made before it is asked for.
        items: How many items of each may wait.

    An error in one is raised where its items are consumed. No thread is left once this iterator is closed.
    """
    if threads == 1:
        for make in makers:
            yield iter(make())
        return
    gone = threading.Event()
    left = iter(makers)
    running: deque[tuple[threading.Thread, queue.Queue[T | _Ended]]] = deque()

    def start() -> None:
        for make in islice(left, threads - len(running)):
            waiting: queue.Queue[T | _Ended] = queue.Queue(items)
            thread = threading.Thread(target=copy_context().run, args=(_fill, make, waiting, gone), daemon=True)
            running.append((thread, waiting))
            thread.start()

    try:
        start()
        while running:
            thread, waiting = running[0]
            yield _drain(waiting)
            thread.join()
            running.popleft()
            start()
    finally:
        gone.set()
        for thread, _ in running:
            thread.join()


def _fill(make: Callable[[], Iterable[T]], waiting: "queue.Queue[T | _Ended]", gone: threading.Event) -> None:
    def put(item: T | _Ended) -> None:
        while not gone.is_set():
            with suppress(queue.Full):
                waiting.put(item, timeout=PATIENCE)
                return

    error = None
    try:
        for item in make():
            put(item)
            if gone.is_set():
                break
    except BaseException as raised:  # noqa: BLE001 - the consumer raises it
        error = raised
    put(_Ended(error))


def _drain(waiting: "queue.Queue[T | _Ended]") -> Iterator[T]:
    while not isinstance(item := waiting.get(), _Ended):
        yield item
    if item.error:
        raise item.error

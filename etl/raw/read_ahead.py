"""Reading ahead: several iterators run in threads of their own and are consumed in order."""

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from contextvars import copy_context
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
    waiting: list[queue.Queue[T | _Ended]] = [queue.Queue(items) for _ in makers]
    running = [
        threading.Thread(target=copy_context().run, args=(_fill, make, each, gone), daemon=True)
        for make, each in zip(makers, waiting, strict=True)
    ]
    try:
        for thread in running[:threads]:
            thread.start()
        for number, each in enumerate(waiting):
            yield _drain(each)
            running[number].join()
            if number + threads < len(running):
                running[number + threads].start()
    finally:
        gone.set()
        for thread in running:
            if thread.ident:
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

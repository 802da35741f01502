"""Bringing a target's days to the lake's revisions."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import groupby

import lake
from etl.deliver.deliveries import Delivery
from etl.deliver.target import Place, Receipt, Tally, Target, is_due, tally
from lake.errors import TargetRefused
from lake.published import Published


@dataclass(frozen=True)
class Due:
    """A partition that is to be sent.

    Attributes:
        published: The partition.
        there: What the target has of it, None for nothing.
        refused: Why it can't be sent, None if it can.
    """

    published: Published
    there: Receipt | None
    refused: TargetRefused | None = None


def due(delivery: Delivery, target: Target, start: date | None = None, stop: date | None = None) -> list[Due]:
    """Return what of the days `[start, stop)` is to be sent, dataset by dataset, oldest day first.

    Raises:
        StoreError: The lake or the target doesn't answer.
        TargetRefused: What is there is not the delivery's.
    """
    identity = lake.identity(delivery.config)
    found: list[Due] = []
    for dataset in delivery.datasets:
        receipts = target.receipts(dataset, delivery.begin(start), stop)
        for each in published(delivery, dataset, start, stop):
            there = receipts.get(Place(each.dt, each.source))
            try:
                if is_due(Receipt.of(each, identity), there, target):
                    found.append(Due(each, there))
            except TargetRefused as error:
                found.append(Due(each, there, error))
    return found


def published(
    delivery: Delivery, dataset: str, start: date | None = None, stop: date | None = None
) -> list[Published]:
    """Return what the lake has of a dataset's days `[start, stop)` that are delivered."""
    begin = delivery.begin(start)
    if begin and stop and begin >= stop:
        return []
    return lake.partitions(dataset, begin, stop, config=delivery.config)


def bring(
    delivery: Delivery,
    target: Target,
    start: date | None = None,
    stop: date | None = None,
    done: Callable[[Published], object] = lambda _: None,
) -> int:
    """Bring the days `[start, stop)` to the lake's revisions, and return how many partitions were sent.

    Args:
        delivery: What is brought.
        target: Where.
        start: The first day, None for the first there is.
        stop: The day after the last, None for after the last there is.
        done: Is told of each partition that was sent.

    Raises:
        StoreError: The lake or the target doesn't answer; what was sent stays.
        TargetRefused: What is there is not the delivery's to change; what can be sent is sent before.
    """
    found = due(delivery, target, start, stop)
    identity = lake.identity(delivery.config)
    sent = 0
    for _, of_dataset in groupby(found, key=lambda each: each.published.contract.name):
        sendable = [each.published for each in of_dataset if each.refused is None]
        for each in target.deliver(sendable, identity, partial(published, delivery)):
            sent += 1
            done(each)
    if refused := next((each.refused for each in found if each.refused), None):
        raise refused
    return sent


def differences(
    delivery: Delivery, target: Target, start: date | None = None, stop: date | None = None
) -> tuple[int, list[str]]:
    """Compare the rows and sums of the delivered days `[start, stop)`; days that are to be sent are left out.

    Returns:
        How many partitions were compared, and a sentence for each that differs.

    Raises:
        StoreError: The lake or the target doesn't answer.
        TargetRefused: What is there is not the delivery's.
    """
    compared, found = 0, []
    for dataset in delivery.datasets:
        receipts = target.receipts(dataset, delivery.begin(start), stop)
        partitions = {Place(each.dt, each.source): each for each in published(delivery, dataset, start, stop)}
        if not receipts or not partitions:
            continue
        theirs = target.tallies(next(iter(partitions.values())), delivery.begin(start), stop)
        for place, each in partitions.items():
            there = receipts.get(place)
            if there and (there.revision, there.sha256) == (each.revision, each.sha256):
                compared += 1
                ours = tally(each)
                wrong = _wrong(theirs.get(place, dict.fromkeys(ours, 0)), ours)
                found += [f"{there}: {wrong}"] if wrong else []
        for place in theirs.keys() - receipts.keys():
            found.append(f"{dataset} {place.dt}: {theirs[place]['rows']:,} rows there that no delivery has sent")
    return compared, found


def _wrong(theirs: Tally, ours: Tally) -> str:
    """Say by which figures rows differ."""
    wrong = [name for name in ours if theirs[name] != ours[name]]
    return "; ".join(f"{name} {theirs[name]:,}, in the lake {ours[name]:,}" for name in wrong)

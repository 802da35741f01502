"""The commands about deliveries: `lake deliver`, and `lake verify --deliver`."""

import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import date

from tqdm import tqdm

from etl.deliver.bring import Due, bring, differences, due
from etl.deliver.deliveries import Delivery, read_delivery
from etl.deliver.opening import opened
from etl.deliver.target import Receipt, Target
from lake import config
from lake.cli import printable
from lake.errors import ConfigError, LakeError

SHOWN = 20


def deliver(arguments: argparse.Namespace) -> int:
    """Bring targets to what the lake has, or say what would be sent; return 0, or the code of what went wrong."""
    _check_days(arguments.start, arguments.stop)
    does = _plan if arguments.plan else _bring
    return _each(arguments.to, lambda delivery, target: does(delivery, target, arguments.start, arguments.stop))


def verify(arguments: argparse.Namespace) -> int:
    """Compare rows and sums of what was delivered with the lake; print what differs; return 0 if nothing does."""
    _check_days(arguments.start, arguments.stop)

    def compare(delivery: Delivery, target: Target) -> int:
        late = due(delivery, target, arguments.start, arguments.stop)
        compared, wrong = differences(delivery, target, arguments.start, arguments.stop)
        for text in wrong:
            _say(f"{delivery.name}: {text}")
        _say(
            f"{delivery.name}: {compared:,} partitions in {target.place} compared with the lake; {len(wrong):,} "
            f"differ. {len(late):,} are not delivered yet, or not in their latest revision."
        )
        return int(bool(wrong))

    return _each(arguments.deliver, compare)


def _each(names: Sequence[str], does: Callable[[Delivery, Target], int]) -> int:
    """Do something for each delivery; what can't be done for one is no reason not to do it for the others."""
    found = config.read(config.find())
    codes = []
    for delivery in [read_delivery(found, name) for name in dict.fromkeys(names)]:
        try:
            with opened(delivery) as target:
                codes.append(does(delivery, target))
        except LakeError as error:
            print(printable(f"lake: {delivery.name}: {error}"), file=sys.stderr, flush=True)
            codes.append(error.exit_code)
    return max(codes)


def _plan(delivery: Delivery, target: Target, start: date | None, stop: date | None) -> int:
    found = due(delivery, target, start, stop)
    _say(f"{delivery.name}: {len(found):,} partitions to send to {target.place}")
    for each in found[:SHOWN]:
        _say(f"  {_told(each)}")
    if len(found) > SHOWN:
        _say(f"  and {len(found) - SHOWN:,} more, the last: {_told(found[-1])}")
    return LakeError.exit_code if any(each.refused for each in found) else 0


def _told(each: Due) -> str:
    what = Receipt.of(each.published, "")
    if each.refused:
        return f"{what}: refused: {each.refused}"
    if each.there:
        return f"{what}: revision {each.published.revision} instead of {each.there.revision}"
    return f"{what}: revision {each.published.revision}, which is new there"


def _bring(delivery: Delivery, target: Target, start: date | None, stop: date | None) -> int:
    with tqdm(desc=delivery.name, unit=" partitions", leave=False, disable=None) as bar:
        sent = bring(delivery, target, start, stop, done=lambda _: bar.update())
    _say(
        f"{delivery.name}: {sent:,} partitions sent to {target.place}" if sent else f"{delivery.name}: up to date"
    )
    return 0


def _check_days(start: date | None, stop: date | None) -> None:
    if start and stop and start >= stop:
        raise ConfigError(f"--start {start} is not before --stop {stop}, which is exclusive.")


def _say(text: str) -> None:
    print(printable(text), flush=True)

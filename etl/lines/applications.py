"""A map from host and path prefix to application, with the days from which it holds."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from lake.partition import days_since_epoch

UNMAPPED = "(unmapped)"
"""The application of a request that no rule of its source's map is for."""
MOST_SEEN, LONGEST_SEEN = 1 << 15, 256  # of paths that are remembered, and how long one is: some megabytes
NUMBER = "/"  # among the segments after a prefix, none of which holds one: the prefix's own number

Integers = npt.NDArray[np.integer[Any]]
Segments = dict[str, Any]


@dataclass(frozen=True)
class Rule:
    """What a host and a path prefix are, from a day on.

    Attributes:
        host: In lower case, without a port; empty for any.
        prefix: Begins with a slash and ends without one; empty for any path, even one that can't be read. It
            matches whole segments: `/api` is a prefix of `/api` and `/api/v1`, and not of `/apis`.
        application: The name.
        since: The first UTC day, None if it always holds.
    """

    host: str
    prefix: str
    application: str
    since: date | None = None


@dataclass(frozen=True)
class Applications:
    """A map by rules: of those that match a request, the one with the longest prefix counts.

    Among several with that prefix, one for the host goes before one for any host, and the latest before earlier
    ones.
    """

    rules: tuple[Rule, ...]

    def on(self, day: date) -> "Applications":
        """Return the map as it is on one day, whatever it was before or will be."""
        held: dict[tuple[str, str], Rule] = {}
        for each in sorted(self.rules, key=_begin):
            if each.since is None or each.since <= day:
                held[each.host, each.prefix] = Rule(each.host, each.prefix, each.application)
        return Applications(tuple(held[key] for key in sorted(held)))

    def period_of(self, day: date) -> int:
        """Return the number of the time, in which no rule begins, that a day is in."""
        return bisect_right(self._begins, days_since_epoch(day))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """UNMAPPED, and the applications of the rules."""
        return (UNMAPPED, *sorted({each.application for each in self.rules}))

    @property
    def ask_for_hosts(self) -> bool:
        """Whether some rule is for a host."""
        return any(each.host for each in self.rules)

    def places(
        self,
        days: npt.NDArray[np.int64],
        hosts: tuple[Integers, Sequence[str]],
        paths: tuple[Integers, Sequence[str | None]],
    ) -> npt.NDArray[np.int32]:
        """Return each request's application, as its place in `names`.

        Args:
            days: The requests' days, since 1970-01-01.
            hosts: Each request's place among different hosts, in lower case and without a port; -1 for none.
            paths: Likewise among different paths, as they may be kept.
        """
        of_hosts = np.array([*(self._hosts.get(each, 0) for each in hosts[1]), 0], np.int64)[hosts[0]]
        of_paths = np.array([*self._prefixes_of(paths[1]), 0], np.int64)[paths[0]]
        pairs = of_hosts * len(self._prefixes) + of_paths
        if not len(days):
            return pairs.astype(np.int32)
        first, last = (bisect_right(self._begins, int(day)) for day in (days.min(), days.max()))
        if first == last:
            return self._of_pairs(first, pairs)
        found = np.empty(len(pairs), np.int32)
        periods = np.searchsorted(self._begins, days, side="right")
        for period in np.unique(periods).tolist():
            these = periods == period
            found[these] = self._of_pairs(period, pairs[these])
        return found

    def _of_pairs(self, period: int, pairs: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        """Return what pairs of a host and a prefix are, in a time in which no rule begins."""
        known = self._known[period]
        if not known[pairs].all():
            for pair in np.unique(pairs[known[pairs] == 0]).tolist():
                known[pair] = 1 + self._application(period, *divmod(pair, len(self._prefixes)))
        return known[pairs] - 1

    def _application(self, period: int, host: int, prefix: int) -> int:
        rules = self._rules[period]
        for shorter in _and_shorter(self._prefixes[prefix]):
            for of in (host, 0):
                if (of, shorter) in rules:
                    return self.names.index(rules[of, shorter])
        return 0

    @cached_property
    def _begins(self) -> list[int]:
        """The days on which rules begin, ascending."""
        return sorted({days_since_epoch(each.since) for each in self.rules if each.since})

    @cached_property
    def _rules(self) -> list[dict[tuple[int, str], str]]:
        """The rules of each time in which none begins: an application by a host's number and a prefix."""
        hosts, found = self._hosts | {"": 0}, []
        for period in range(len(self._begins) + 1):
            held = [each for each in self.rules if bisect_right(self._begins, _begin(each)) <= period]
            found.append({(hosts[each.host], each.prefix): each.application for each in sorted(held, key=_begin)})
        return found

    @cached_property
    def _known(self) -> list[npt.NDArray[np.int32]]:
        """For each such time what each pair of a host and a prefix is, from 1; 0 where nobody has asked yet."""
        pairs = (len(self._hosts) + 1) * len(self._prefixes)
        return [np.zeros(pairs, np.int32) for _ in self._rules]

    @cached_property
    def _hosts(self) -> dict[str, int]:
        """The hosts that are told from others, from 1."""
        return {name: n for n, name in enumerate(sorted({each.host for each in self.rules} - {""}), 1)}

    @cached_property
    def _prefixes(self) -> list[str]:
        """The prefixes, that of any path first."""
        return ["", *sorted({each.prefix for each in self.rules} - {""})]

    @cached_property
    def _segments(self) -> Segments:
        """The prefixes' segments, by what stands before them."""
        found: Segments = {}
        for number, prefix in enumerate(self._prefixes[1:], 1):
            behind = found
            for segment in prefix.split("/")[1:]:
                behind = behind.setdefault(segment, {})
            behind[NUMBER] = number
        return found

    @cached_property
    def _most_segments(self) -> int:
        return max(each.count("/") for each in self._prefixes)

    def _prefixes_of(self, paths: Sequence[str | None]) -> list[int]:
        """Return the number of the longest prefix of each path: most paths come again and again."""
        seen = self._seen
        if len(seen) > MOST_SEEN:
            seen.clear()
        numbers = []
        for path in paths:
            number = seen.get(path)
            if number is None:
                number = self._prefix_of(path)
                if path is not None and len(path) <= LONGEST_SEEN:
                    seen[path] = number
            numbers.append(number)
        return numbers

    @cached_property
    def _seen(self) -> dict[str | None, int]:
        """The numbers of the longest prefixes of some paths."""
        return {}

    def _prefix_of(self, path: str | None) -> int:
        """Return the number of the longest prefix of a path."""
        number, behind = 0, self._segments
        if path is None or not path.startswith("/"):
            return number
        for segment in path.split("/", self._most_segments + 1)[1:]:
            if (found := behind.get(segment)) is None:
                break
            behind = found
            number = behind.get(NUMBER, number)
        return number


def _begin(rule: Rule) -> int:
    """Return the day from which a rule holds; of one that always holds, one before all others."""
    return days_since_epoch(rule.since) if rule.since else np.iinfo(np.int64).min


def _and_shorter(prefix: str) -> Iterator[str]:
    """Yield a prefix and what begins it, down to that of any path."""
    while prefix:
        yield prefix
        prefix = prefix.rpartition("/")[0]
    yield prefix

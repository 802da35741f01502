"""`fetch = graphite`: a day of Graphite's series, by its render API, as lines of NDJSON.

    url = https://graphite.example.org                  what /render stands at; with basic_auth, headers, ca, ready
    target = stats.counts.*.nginx.5xx                   a line each, as Graphite has them
    step_seconds = 600                                  if it is said, any other step is refused
    timezone = Europe/London                            of the days; UTC if not said

Each value is a line: {"target": "stats.counts.shop.nginx.5xx", "time": "2026-09-01T00:00:00Z", "value": 3.0}. A
window in which nothing was wrong has a 0 there. One of which Graphite knows nothing has null, which is no 0; where
those are meant to be one, say so in the target: transformNull(…, 0). A day of which it knows nothing is not ready.

Graphite leaves out the first moment that it is asked for and takes in the last one. So the day is asked for from a
second before it begins to a second before it ends, and has all its windows, and none of another day.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import NoReturn, Self
from urllib.parse import quote

from etl.fetch import http_settings
from etl.fetch.asked import NotReady
from etl.fetch.days import Span
from etl.fetch.environment import Secrets
from etl.fetch.http_settings import HttpSettings
from etl.fetch.parts import GZIP, Part, part_file
from lake.config import whole_number
from lake.errors import ConfigError, InputError

OF_HTTP = ("headers", "basic_auth", "ca", "ready", "ready_if", "timeout_seconds", "patience_seconds")
KEYS = ("url", "target", "step_seconds", *OF_HTTP)
"""The settings of a source that is fetched so, beside `timezone` and `allow_empty`."""
RENDER = "/render"
RANGE = "&from={BEFORE_START_SECONDS}&until={BEFORE_STOP_SECONDS}&tz=UTC&format=json"
NULL = "null"
LONGEST_STEP = 86_400


@dataclass(frozen=True)
class Graphite:
    """Series of Graphite; it is an Asked.

    Attributes:
        http: How its render API is asked.
        targets: What for.
        step_seconds: How far apart values must be, None for however they are.
    """

    http: HttpSettings
    targets: tuple[str, ...]
    step_seconds: int | None = None

    @classmethod
    def read(cls, values: Mapping[str, str], folder: Path) -> Self:
        """Return what a source's section says.

        Raises:
            ConfigError: Something is missing, unknown, or a secret that doesn't come from the environment.
        """
        targets = tuple(filter(None, map(str.strip, values.get("target", "").splitlines())))
        if not targets:
            raise ConfigError("target is missing. Write a line for each, such as stats.counts.*.nginx.5xx.")
        http_settings.check_url("url", values.get("url", ""))
        asked = "&".join(f"target={quote(each, safe='(),*')}" for each in targets)
        url = f"{values['url'].rstrip('/')}{RENDER}?{asked}{RANGE}"
        shared = ("timezone", "allow_empty", *OF_HTTP)
        more = {key: value for key, value in values.items() if key in shared}
        step = values.get("step_seconds")
        return cls(
            HttpSettings.read({**more, "url": url}, folder),
            targets,
            whole_number("step_seconds", step, 1, LONGEST_STEP) if step else None,
        )

    def recorded(self) -> dict[str, object]:
        """See Asked."""
        return {**self.http.recorded(), "fetch": "graphite", "target": list(self.targets)}

    def parameters(self, day: date) -> dict[str, object]:
        """See Asked."""
        return self.http.parameters(day)

    def fetch(self, day: date, folder: Path) -> list[Part]:
        """See Asked."""
        # urllib3 takes long to import, and planning needs none
        from etl.fetch.asking import Client  # noqa: PLC0415
        from etl.fetch.pages import Pages  # noqa: PLC0415

        http = self.http
        client = Client(Secrets(), http.ca, http.timeout_seconds, http.patience_seconds)
        with closing(client):
            pages = Pages(http, client, day, folder)
            pages.check_ready()
            document = pages.document(http.url)
        place, is_known = http.url.partition("?")[0], False
        with part_file(folder / "fetched-0", f"ndjson{GZIP}") as file:
            file.rows = 0
            for target, moment, value in self._values(document, Span.of(day, http.zone), place):
                time = datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                line = f'{{"target": {json.dumps(target)}, "time": "{time}", "value": {value}}}\n'
                file.write(line.encode())
                file.rows += 1
                is_known |= value != NULL
            part = file.finish()
        if not is_known and not http.allow_empty:
            raise NotReady(
                f"{place} doesn't have {day} yet: it knows no value of {', '.join(self.targets)}. If a day may "
                "have none, set allow_empty = true."
            )
        return [part]

    def _values(self, document: str, span: Span, place: str) -> Iterator[tuple[str, int, str]]:
        """Yield each value with its series and its moment, as it was written.

        Raises:
            InputError: That is none of Graphite's answers, or one in other steps, or with values of other days.
        """
        try:
            found = json.loads(document, parse_float=str, parse_int=str, parse_constant=_refused)
            series = [
                (str(each["target"]), [(value, int(moment)) for value, moment in each["datapoints"]])
                for each in found
            ]
            wrong = [
                value for _, points in series for value, _ in points if not isinstance(value, (str, type(None)))
            ]
        except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
            raise InputError(f"{place}: its answer is not as Graphite's are: {error!r}.") from error
        if wrong:
            raise InputError(f"{place}: its answer is not as Graphite's are: {wrong[0]!r} is not a number.")
        begin, end = int(span.start.timestamp()), int(span.stop.timestamp())
        for target, points in sorted(series, key=lambda each: each[0]):
            steps = {later - earlier for (_, earlier), (_, later) in pairwise(points)}
            if self.step_seconds and steps - {self.step_seconds}:
                raise InputError(
                    f"{place}: of {target} Graphite has values each {max(steps)} s on {span.day}, and "
                    f"step_seconds = {self.step_seconds}. What is older is kept in longer ones: fetch days sooner."
                )
            for value, moment in points:
                if not begin <= moment < end:
                    raise InputError(f"{place}: {target} has a value at {moment}, which is not of {span.day}.")
                yield target, moment, NULL if value is None else value


def _refused(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number in JSON")

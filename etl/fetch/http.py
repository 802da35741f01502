"""`fetch = http`: a day's export by HTTP(S), in one answer or in pages.

    url = https://host/export/{YYYY}-{MM}-{DD}.csv      with the placeholders of `days`
    headers = Authorization: Bearer ${TOKEN}            a line each; ${NAME} is of the environment
    basic_auth = user:${PASSWORD}
    method = POST                                       GET if not said
    body = {"from": "{START}", "to": "{STOP}"}
    ca = authority.pem                                  relative to luigi.cfg

    next = link                                         pages: the next one is in the header Link, rel="next"
    next = /paging/next                                 or where a JSON pointer points: a URL, or what {CURSOR} is
    next = page                                         or the next {PAGE}, until one has no record
    next = offset                                       or the next {OFFSET}, by as many records as a page had
    first = 1                                           the first {PAGE} or {OFFSET}: 1 for pages, 0 for offsets
    records = /items                                    an array in JSON: its elements become lines of NDJSON

    ready = https://host/status                         is answered 2xx once the day is complete, and if
    ready_if = /complete_to >= {YYYY}-{MM}-{DD}         is said, has that value (=) or one not below it (>=)
    missing = 404                                       an answer that means: no data yet
    allow_empty = true                                  a day without a record is a day, too

    written = next_day                                  where nothing above names the day: see `written`

What is the same URL every day is of the day that its Last-Modified tells, or else the time of fetching.

What comes is streamed to disk, but for pages that are looked into: each of those is held in memory. A day is
fetched whole or not at all; nothing is kept of one that broke off.
"""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Self

from etl.fetch import http_settings
from etl.fetch.days import OF_A_DAY, PLACEHOLDER
from etl.fetch.environment import Secrets
from etl.fetch.parts import Part
from etl.fetch.written import KEY, Written
from lake.errors import ConfigError

KEYS = (*http_settings.KEYS, KEY)


class Http(http_settings.HttpSettings):
    """An export by HTTP; it is an Asked."""

    @classmethod
    def read(cls, values: Mapping[str, str], folder: Path) -> Self:
        """See HttpSettings."""
        found = super().read(values, folder)
        texts = [found.url, found.body or "", str(found.ready_if or ""), *(value for _, value in found.headers)]
        if not set(OF_A_DAY).intersection(PLACEHOLDER.findall(" ".join(texts))):
            return replace(found, written=Written.read(values, found.zone))
        if KEY in values:
            raise ConfigError(f"{KEY} is of an export that is the same URL every day. Take it out.")
        return found

    def recorded(self) -> dict[str, object]:
        """See Asked."""
        return super().recorded() | ({KEY: self.written.setting} if self.written else {})

    def fetch(self, day: date, folder: Path) -> list[Part]:
        """See Asked."""
        # urllib3 takes long to import, and planning needs none
        from etl.fetch.asking import Client  # noqa: PLC0415
        from etl.fetch.pages import Pages  # noqa: PLC0415

        client = Client(Secrets(), self.ca, self.timeout_seconds, self.patience_seconds)
        with closing(client):
            return Pages(self, client, day, folder).parts()

"""Deliveries: what is brought where, each in a section `[deliver.NAME]` of luigi.cfg."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, urlsplit

from lake import config
from lake.datasets import DATASETS
from lake.errors import ConfigError
from lake.names import hint
from lake.partition import check_name, parse_day

SECTION = "deliver."
REQUIRED = ("to", "datasets")
KNOWN = (*REQUIRED, "since")
ELASTICSEARCH = ("elasticsearch", "opensearch")
POSTGRES = ("postgresql", "postgres")
MONGO = ("mongodb", "mongodb+srv")
BIGQUERY = "bigquery"
FILE = "file"
SCHEMES = (*POSTGRES, *ELASTICSEARCH, *MONGO, BIGQUERY, FILE)
SUFFIXES = (".csv", ".xlsx")
PROJECT = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")
BIGQUERY_DATASET = re.compile(r"[A-Za-z0-9_]{1,1024}")
LOCATION = "location"
SECRETS = frozenset({"password", "sslpassword", "tlscertificatekeyfilepassword"})


@dataclass(frozen=True)
class Delivery:
    """Which datasets are brought where.

    Attributes:
        to: The target's URL, which may hold a password.
        datasets: Their names.
        since: The first day that is delivered, None for the first there is.
        config: The luigi.cfg that declares it.
    """

    name: str
    to: str = field(repr=False)
    datasets: tuple[str, ...]
    since: date | None
    config: Path

    @property
    def scheme(self) -> str:
        """What kind of target it is."""
        return urlsplit(self.to).scheme

    @property
    def place(self) -> str:
        """The target as messages name it: without user, password and options."""
        if self.scheme == FILE:
            return self.to
        parts = urlsplit(self.to)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    def begin(self, start: date | None) -> date | None:
        """Return the first day of a range from `start` on that is delivered."""
        return max(filter(None, (start, self.since)), default=None)


def read_delivery(found: config.Config, name: str) -> Delivery:
    """Return a delivery that luigi.cfg declares.

    Raises:
        ConfigError: There is none of that name, or it is wrong; the message names the section and the key.
    """
    sections = names(found)
    if name not in sections:
        has = f"It has: {', '.join(sections)}." if sections else "It has none; docs/how-to/deliver.md shows one."
        raise ConfigError(f"{found.path} has no [{SECTION}{name}]. {has}{hint(name, sections)}")
    values = found.section(f"{SECTION}{name}")
    with found.named(f"{SECTION}{name}"):
        return _delivery(check_name("deliver", name), values, found.path)


def names(found: config.Config) -> list[str]:
    """Return the names of the deliveries that luigi.cfg declares."""
    return sorted(each.removeprefix(SECTION) for each in found.sections if each.startswith(SECTION))


def path_of(delivery: Delivery) -> Path:
    """Return the file that a delivery goes to; a relative one is relative to luigi.cfg."""
    return Path(os.path.normpath(delivery.config.parent / delivery.to.removeprefix(f"{FILE}://")))


def _delivery(name: str, values: Mapping[str, str], path: Path) -> Delivery:
    config.check_keys(values, KNOWN)
    missing = [key for key in REQUIRED if not values.get(key)]
    if missing:
        raise ConfigError(f"{missing[0]} is missing. Required: {', '.join(REQUIRED)}.")
    _check_url(values["to"])
    datasets = tuple(part.strip() for part in values["datasets"].replace("\n", ",").split(",") if part.strip())
    if not datasets:
        raise ConfigError(f"datasets names none. There are: {', '.join(DATASETS)}.")
    for each in datasets:
        if each not in DATASETS:
            raise ConfigError(f"no dataset {each!r}. There are: {', '.join(DATASETS)}.{hint(each, DATASETS)}")
    if values["to"].startswith(f"{FILE}://"):
        _check_file(values["to"], datasets)
    if twice := sorted({each for each in datasets if datasets.count(each) > 1}):
        raise ConfigError(f"datasets names {twice[0]} twice. Take one of them out.")
    return Delivery(name, values["to"], datasets, _since(values.get("since")), path)


def _check_url(url: str) -> None:
    """Make sure that a target is of a kind that is known; a message has nothing of it that may be secret.

    Raises:
        ConfigError: It is not, or it is no URL.
    """
    known = f"Known: {', '.join(f'{each}://…' for each in SCHEMES)}."
    scheme, separator, rest = url.partition("://")
    if not separator:
        raise ConfigError(f"to is no URL. {known}")
    if scheme not in SCHEMES:
        raise ConfigError(f"to = {scheme}://…: unknown scheme {scheme!r}. {known}{hint(scheme, SCHEMES)}")
    if scheme == FILE:
        return
    user = rest.partition("/")[0].rpartition("@")[0]
    try:
        parts = urlsplit(url)
        for host in parts.netloc.rpartition("@")[2].split(","):
            _ = urlsplit(f"//{host}").port  # a ValueError unless it is a number
        options = {name.lower() for name, _ in parse_qsl(parts.query)}
    except ValueError as error:
        raise ConfigError(f"to = {scheme}://…: it can't be read as a URL. Correct host and port.") from error
    if "@" in user or parts.fragment or not _is_encoded(user):
        raise ConfigError(f"to = {scheme}://…: write @, /, # and % in user and password as %40, %2F, %23 and %25.")
    if scheme == BIGQUERY:
        _check_bigquery(parts)
    if options & SECRETS:
        raise ConfigError(f"to = {scheme}://…: a password is no option of it. Write it as user:${{NAME}}@host.")
    if scheme in MONGO and not parts.path.strip("/"):
        raise ConfigError(f"to = {scheme}://…: it names no database. Write {scheme}://HOST/DATABASE.")


def _check_bigquery(parts: SplitResult) -> None:
    """Make sure that a URL has a project and a dataset of BigQuery's, whose names stand in SQL, and no more.

    Raises:
        ConfigError: It hasn't.
    """
    expected = f"Expected {BIGQUERY}://PROJECT/DATASET, and ?{LOCATION}=EU if you like."
    if "@" in parts.netloc:
        raise ConfigError(
            f"to = {BIGQUERY}://…: it names no user. Google's own files and variables say who delivers: "
            f"docs/how-to/deliver.md. {expected}"
        )
    if not PROJECT.fullmatch(parts.netloc):
        raise ConfigError(f"to = {BIGQUERY}://…: a project's id has 6 to 30 of a-z, 0-9 and '-'. {expected}")
    if not BIGQUERY_DATASET.fullmatch(parts.path.removeprefix("/")):
        raise ConfigError(f"to = {BIGQUERY}://…: a dataset of BigQuery has A-Z, a-z, 0-9 and '_'. {expected}")
    options = parse_qsl(parts.query, keep_blank_values=True)
    if [name for name, _ in options] not in ([], [LOCATION]) or not all(value for _, value in options):
        raise ConfigError(f"to = {BIGQUERY}://…: {LOCATION} is its only option. {expected}")


def _check_file(url: str, datasets: tuple[str, ...]) -> None:
    """Make sure that a file is of a kind that is known, and holds what such a file can.

    Raises:
        ConfigError: It is not, or can't.
    """
    suffix = Path(url).suffix
    if suffix not in SUFFIXES:
        raise ConfigError(f"to = {url}: expected the name of a file that ends in {' or '.join(SUFFIXES)}.")
    if suffix == ".csv" and len(datasets) > 1:
        raise ConfigError(
            f"to = {url}: a CSV file holds one dataset. Name one, deliver each by a section of its own, or "
            "deliver to an .xlsx file, which has a tab for each."
        )


def _is_encoded(text: str) -> bool:
    """Tell whether each % in a text begins an encoded byte."""
    return all(
        len(part) > 1 and all(digit in "0123456789abcdefABCDEF" for digit in part[:2])
        for part in text.split("%")[1:]
    )


def _since(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return parse_day(text)
    except ValueError:
        raise ConfigError(f"since = {text}: expected a day as YYYY-MM-DD, 1970 to 2999.") from None

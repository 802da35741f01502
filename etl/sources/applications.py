"""The file of `applications`: a map from host and path prefix to application, read strictly."""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from etl.lines.applications import Applications, Rule
from etl.lines.parse import application_names, clean_paths
from lake.contracts.requests import APPLICATION_NAME
from lake.errors import ConfigError
from lake.memory.arrays import array
from lake.partition import parse_day

COLUMNS = ("host", "path_prefix", "application", "since")
REQUIRED = "application"
MOST_RULES = 10_000
Wrong = Callable[[str], ConfigError]


def read_applications(path: Path) -> Applications:
    """Return the map that a CSV file of COLUMNS holds; only the application's is required.

    Raises:
        ConfigError: The file can't be read, or a line of it is wrong; the message names the line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return Applications(tuple(_rules(path, file)))
    except UnicodeDecodeError as error:
        raise ConfigError(f"applications: {path} is not UTF-8: {error}. Save it as UTF-8.") from error
    except OSError as error:
        raise ConfigError(
            f"applications: can't read {path}: {error.strerror}. Bring the file, or correct its path; a relative "
            "one is relative to luigi.cfg."
        ) from error


def _rules(path: Path, file: Iterable[str]) -> Iterator[Rule]:
    reader = csv.reader(file, strict=True)

    def wrong(what: str) -> ConfigError:
        return ConfigError(f"applications: {path}, line {max(1, reader.line_num)}: {what}")

    names: Sequence[str] = ()
    seen: dict[tuple[str, str, str], int] = {}
    try:
        for row in reader:
            cells = [each.strip() for each in row]
            if not any(cells):
                continue
            if not names:
                names = _header(cells, wrong)
                continue
            if len(cells) != len(names):
                raise wrong(f"{len(cells)} values for the {len(names)} columns {', '.join(names)}. Correct it.")
            rule = _rule(dict(zip(names, cells, strict=True)), wrong)
            key = (rule.host, rule.prefix, str(rule.since or ""))
            if key in seen:
                raise wrong(
                    f"line {seen[key]} has the same host, path_prefix and since. Take one of the two out, or give "
                    "the later one the day from which it holds."
                )
            seen[key] = reader.line_num
            if len(seen) > MOST_RULES:
                raise wrong(f"more than {MOST_RULES:,} rules. Map by shorter prefixes.")
            yield rule
    except csv.Error as error:
        raise wrong(f"{error}. Write it as CSV: values with a comma or a quote in quotes.") from error
    if not seen:
        raise wrong(f"no rule. Write a line for each, below the header {','.join(COLUMNS)}.")


def _header(cells: Sequence[str], wrong: Wrong) -> Sequence[str]:
    expected = f"The first line names the columns: {','.join(COLUMNS)}, of which {REQUIRED} is required."
    for each in cells:
        if each not in COLUMNS:
            raise wrong(f"unknown column {each!r}. {expected}")
        if cells.count(each) > 1:
            raise wrong(f"column {each} twice. {expected}")
    if REQUIRED not in cells:
        raise wrong(f"no column {REQUIRED}. {expected}")
    return cells


def _rule(cells: dict[str, str], wrong: Wrong) -> Rule:
    host, prefix = cells.get("host", "").lower(), cells.get("path_prefix", "")
    application, since = cells[REQUIRED], cells.get("since", "")
    if host and application_names(array([host.encode()], pa.binary()))[0].as_py() != host:
        raise wrong(
            f"host {host}: expected a host name without a port, or nothing for any host. Addresses name none."
        )
    if prefix and not prefix.startswith("/"):
        raise wrong(f"path_prefix {prefix}: expected a path that begins with '/', or nothing for any path.")
    kept = clean_paths(array([prefix.encode()], pa.binary()))[0].as_py()
    if kept != prefix:
        raise wrong(f"path_prefix {prefix}: such paths are kept as {kept}, see Privacy in the docs. Write it so.")
    if prefix.endswith("//"):
        raise wrong(f"path_prefix {prefix}: end it with one '/', or none.")
    if not re.fullmatch(APPLICATION_NAME, application):
        raise wrong(f"application {application!r}: expected a name like {APPLICATION_NAME}.")
    try:
        day = parse_day(since) if since else None
    except ValueError:
        raise wrong(f"since {since}: expected a day as YYYY-MM-DD, 1970 to 2999, or nothing.") from None
    return Rule(host, prefix.removesuffix("/"), application, day)

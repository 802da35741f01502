"""Objectives: how many requests of which applications may fail, in sections `[slo.NAME]` of luigi.cfg."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import duckdb

from lake import patterns, sql
from lake.config import Config, check_keys, whole_number
from lake.contracts.requests import VANTAGES
from lake.errors import ConfigError
from lake.partition import check_name

SECTION = "slo."
REQUIRED = ("applications", "objective")
KNOWN = (*REQUIRED, "window_days", "vantage")
WINDOWS = (28, 30)
OBJECTIVE = re.compile(r"0\.[0-9]{1,6}")


@dataclass(frozen=True)
class Slo:
    """An objective: each application that it matches has an error budget of its own, at each vantage.

    Attributes:
        applications: Patterns of names, of which one must match: `*` is any text, `?` any one character.
        vantage: Where requests must have been seen, None for each vantage on its own.
        objective: The share of valid requests that must not fail, more than 0 and less than 1.
        window_days: Over how many days.
    """

    name: str
    applications: tuple[str, ...]
    vantage: str | None
    objective: float
    window_days: int


def read_slos(config: Config) -> tuple[Slo, ...]:
    """Return the objectives that luigi.cfg declares, by name; there may be none.

    Raises:
        ConfigError: One is wrong, or has an alert that can never fire; the message names the section and the key.
    """
    sections = sorted(name for name in config.sections if name.startswith(SECTION))
    slos = []
    for section in sections:
        values = config.section(section)
        with config.named(section):
            slo = _slo(check_name("slo", section.removeprefix(SECTION)), values)
            _check_alerts_can_fire(slo)
        slos.append(slo)
    return tuple(slos)


def create_table(connection: duckdb.DuckDBPyConnection, slos: tuple[Slo, ...]) -> None:
    """Create the table `slo`, which the analysts' questions about error budgets ask, over one that is there."""
    connection.execute(
        "create or replace table slo "
        "(slo varchar, applications varchar[], vantage varchar, objective double, window_days integer)"
    )
    connection.execute("comment on table slo is 'A row is an objective, as [slo.NAME] of luigi.cfg has it.'")
    for each in slos:
        values = [each.name, list(each.applications), each.vantage, each.objective, each.window_days]
        connection.execute("insert into slo values (?, ?, ?, ?, ?)", values)


def _slo(name: str, values: Mapping[str, str]) -> Slo:
    check_keys(values, KNOWN)
    missing = [key for key in REQUIRED if not values.get(key)]
    if missing:
        raise ConfigError(f"{missing[0]} is missing. Required: {', '.join(REQUIRED)}.")
    return Slo(
        name=name,
        applications=patterns.parse(values["applications"]),
        vantage=_vantage(values.get("vantage")),
        objective=_objective(values["objective"]),
        window_days=_window_days(values.get("window_days", "30")),
    )


def _vantage(text: str | None) -> str | None:
    if text is not None and text not in VANTAGES:
        raise ConfigError(
            f"vantage = {text}: expected one of {', '.join(VANTAGES)}; without the key, each has its own budget."
        )
    return text


def _objective(text: str) -> float:
    """Return a share; `99.9%` is refused, since every other share in luigi.cfg is written as one."""
    if not OBJECTIVE.fullmatch(text) or float(text) == 0:
        raise ConfigError(
            f"objective = {text}: expected a share above 0 and below 1 with six digits at most, "
            "like 0.999 for 99.9 %. At 1 there would be no budget to spend."
        )
    return float(text)


def _window_days(text: str) -> int:
    days = whole_number("window_days", text, min(WINDOWS), max(WINDOWS))
    if days not in WINDOWS:
        raise ConfigError(f"window_days = {text}: expected 28, which are four weeks, or 30.")
    return days


def _check_alerts_can_fire(slo: Slo) -> None:
    """Refuse an objective with an alert that would wait for an error rate above 1.

    Raises:
        ConfigError: There is one; the message says from which objective on it could fire.
    """
    severity, long_minutes, short_minutes, factor = _steepest_rule(slo.window_days)
    allowed = round(1 - slo.objective, 9)
    if factor * allowed >= 1:
        lowest = math.ceil(1e4 * (1 - 1 / factor)) / 1e4
        raise ConfigError(
            f"objective = {slo.objective}: the {severity} over {long_minutes} and {short_minutes} minutes can "
            f"never fire. It waits for errors at more than {factor:g} times the allowed rate of {allowed:g}, "
            f"which is {factor * allowed:.4g}, and no rate is above 1. Give an objective of {lowest:g} or more."
        )


@cache
def _steepest_rule(window_days: int) -> tuple[str, int, int, float]:
    """Return the alert with the highest factor: severity, both windows in minutes, factor. SQL has the rules."""
    (rules,) = (each for each in sql.questions() if each.name == "slo_alert_rules")
    with duckdb.connect() as connection:
        create_table(connection, (Slo("any", ("*",), None, 0.5, window_days),))
        connection.execute(rules.statement)
        (steepest,) = connection.execute(
            "select severity, long_minutes, short_minutes, factor "
            "from slo_alert_rules order by factor desc limit 1"
        ).fetchall()
    return steepest

"""The page: one HTML file with all that it needs, which runs no script but its own."""

import base64
import hashlib
import json
import re
from collections.abc import Iterable
from datetime import date
from typing import Any

from markupsafe import Markup

from lake.report import charts
from lake.report.data import MOVERS_DAYS, Report, Row, Series, minutes_since
from lake.report.definitions import definitions, term
from lake.report.figures import NOTHING, count, exactly, percent, plural
from lake.report.markup import TEMPLATES, file, join
from lake.report.sections import days_lacking, facts, sections

SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def page(report: Report) -> str:
    """Return the page of a report; the same report gives the same text."""
    text = TEMPLATES.get_template("page.html").render(
        span=charts.span(report),
        style=Markup(_style()),  # noqa: S704 - our own, as what else is marked here
        headline=_headline(report),
        unscripted=_unscripted(report),
        tiles=_tiles(report),
        term=term,
        allowed=exactly(charts.ALLOWED_WITHOUT_OBJECTIVE),
        classes=charts.CLASSES,
        sections=join(sections(report)),
        definitions=definitions(report.scope.incident_threshold),
        made=_made(report),
        licences=file("licences.txt"),
        data=_json(_data(report)),
        specs=_json(charts.specs(report.scope)),
        library=Markup(charts.library().replace("</script", "<\\/script")),  # noqa: S704
        script=Markup(file("page.js")),  # noqa: S704
    )
    hashes = " ".join(_hash(each) for each in SCRIPT.findall(text))
    policy = f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src {hashes}"
    return text.replace("@@policy@@", policy, 1)


def _style() -> str:
    light, dark = (
        ";".join(f"--{name}:{value}" for name, value in palette.items()) for palette in (charts.LIGHT, charts.DARK)
    )
    return (
        f":root{{{light}}}\n@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n{file('page.css')}"
    )


def _hash(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def _json(value: Row) -> Markup:
    """Return JSON that ends no script."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704 - nothing in it is looked at as HTML


def _data(report: Report) -> Row:
    """Return what the script draws and tells: of each application, each kind of figure as a list over the days."""
    texts: dict[str | None, int] = {None: 0}  # one may be that of many applications
    for series in report.series:
        for text in _column(series, "incomplete"):
            texts.setdefault(text, len(texts))
    return {
        "start": report.scope.start.isoformat(),
        "days": len(report.scope.days),
        "classes": charts.CLASSES,
        "texts": list(texts),
        "unbuilt": _places(report, report.days_not_built),
        "uncounted": _places(report, report.days_without_counts),
        "otherwise": _places(report, report.days_counted_otherwise),
        "series": [_series(report, each, texts) for each in report.series],
    }


def _places(report: Report, days: Iterable[date]) -> list[int]:
    return [(each - report.scope.start).days for each in days]


def _series(report: Report, series: Series, texts: dict[str | None, int]) -> Row:
    allowed = charts.allowed(series)
    colours = [charts.colour(day, allowed) for day in series.days]
    revisions = {each["dt"]: each["rev"] for each in series.completeness}
    return {
        "label": series.label,
        "facts": facts(report, series),
        "objective": series.allowed_error_rate,
        "allowed": allowed,
        "requests": _column(series, "valid_requests"),
        "errors": _column(series, "server_error_requests"),
        "low": [_short(each) for each in _column(series, "error_rate_low")],
        "high": [_short(each) for each in _column(series, "error_rate_high")],
        "hours": _column(series, "hours_observed"),
        "incomplete": [texts[each] for each in _column(series, "incomplete")],
        "revisions": [revisions.get(each) or 0 for each in report.scope.days],
        "colours": "".join("." if each is None else str(each) for each in colours),
        "incidents": sorted(
            [minutes_since(report.scope.start, each["started"]), each["minutes"], each["server_error_requests"]]
            for each in series.incidents
        ),
        "events": [
            [
                minutes_since(report.scope.start, each["started"]),
                minutes_since(report.scope.start, each["ended"] or each["started"]),
                f"{each['kind']} {each['started']:%Y-%m-%d %H:%M}: {each['name']}",
            ]
            for each in series.events
        ],
    }


def _column(series: Series, name: str) -> list[Any]:
    return [day and day[name] for day in series.days]


def _short(share: float | None) -> float | None:
    """Return a share with the three digits that are shown of it."""
    return share if share is None else float(percent(share).removesuffix(" %") + "e-2")


def _headline(report: Report) -> str:
    applications = plural(len({each.application for each in report.series}), "application")
    which = "" if report.scope.applications == "*" else f" like {report.scope.applications}"
    return f"{charts.span(report)} · {plural(len(report.scope.days), 'day')} (UTC) · {applications}{which}"


def _unscripted(report: Report) -> str:
    has_days = report.scope.period == "day"
    return "The tables have the figures." if has_days else "The tables have all figures but those of each day."


def _tiles(report: Report) -> list[tuple[str, str, str]]:
    """Return what matters first: of each section its name, a figure, and what that is."""
    spent = [each for each in report.budgets if (each["budget_left"] or 0) < 0]
    lacking = {day for day, _ in days_lacking(report)}
    restated = {each.dt for each in report.restatements}
    budgets = (f"{len(spent)} of {len(report.budgets)}", "error budgets are used up")
    tiles = {
        "budgets": budgets if report.budgets else (NOTHING, "no objectives are set"),
        "incidents": _incidents(report),
        "movers": _movers(report),
        "completeness": (count(len(lacking)), f"of {plural(len(report.scope.days), 'day')} lack something"),
        "restatements": (count(len(restated)), "days were restated"),
    }
    return [(name, *told) for name, told in tiles.items()]


def _incidents(report: Report) -> tuple[str, str]:
    if not report.knows_incidents:
        return NOTHING, "incidents are not known"
    failed = sum(each["server_error_requests"] for _, each in report.incidents)
    unknown = report.days_without_incidents
    but = f"; not known of {plural(unknown, 'day')}" if unknown else ""
    return count(len(report.incidents)), f"incidents, in which {plural(failed, 'request')} failed{but}"


def _movers(report: Report) -> tuple[str, str]:
    weeks = f"last {MOVERS_DAYS} days against the {MOVERS_DAYS} before"
    if not all(report.weeks_built):
        return NOTHING, f"too few days to compare error rates, {weeks}"
    up = sum(each["difference"] > 0 for each in report.movers)
    return f"{up} up, {len(report.movers) - up} down", f"error rates, {weeks}"


def _made(report: Report) -> str:
    restated = len({each.dt for each in report.restatements if each.dataset == "error_rate"})
    counted = report.published - len(report.days_without_counts)
    return (
        f"Made by error-rate-lake {report.code_version} from the lake at {report.root}: error_rate of "
        f"{plural(report.published, 'day')} in their latest revisions, {restated:,} of them restated, and "
        f"error_counts of {counted:,} of them. Counts are summed, and rates derived from the sums; vantages are "
        "never summed."
    )

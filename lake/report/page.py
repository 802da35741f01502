"""The page: one HTML file with all that it needs, which runs no script but its own."""

import base64
import hashlib
import json
import re
from collections.abc import Iterable
from datetime import date
from importlib.resources import files
from typing import Any

from lake.report import charts
from lake.report.data import MOVERS_DAYS, Report, Row, Series, minutes_since
from lake.report.definitions import definitions, term
from lake.report.markup import NOTHING, Html, count, exactly, html, join, paragraph, percent, plural
from lake.report.sections import days_lacking, facts, sections

SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
PLACE = re.compile(r"@@(\w+)@@")


def page(report: Report) -> str:
    """Return the page of a report; the same report gives the same text."""
    parts = {
        "span": html(charts.span(report)),
        "style": _style(),
        "headline": html(_headline(report)),
        "unscripted": html(_unscripted(report)),
        "summary": _summary(report),
        "colours": _colours(),
        "key": _key(),
        "sections": join(sections(report)),
        "definitions": definitions(report.scope.incident_threshold),
        "footer": _footer(report),
        "data": _json(_data(report)),
        "specs": _json(charts.specs(report.scope)),
        "library": charts.library().replace("</script", "<\\/script"),
        "script": _file("page.js"),
    }
    # in one go: what was put in may look like a place
    text = PLACE.sub(lambda found: parts.get(found[1], found[0]), _file("page.html"))
    hashes = " ".join(_hash(each) for each in SCRIPT.findall(text))
    policy = f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src {hashes}"
    return text.replace("@@policy@@", policy, 1)


def _file(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _style() -> str:
    light, dark = (
        ";".join(f"--{name}:{value}" for name, value in palette.items()) for palette in (charts.LIGHT, charts.DARK)
    )
    return (
        f":root{{{light}}}\n@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n{_file('page.css')}"
    )


def _hash(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def _json(value: Row) -> str:
    """Return JSON that ends no script."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")


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


def _summary(report: Report) -> Html:
    """Return what matters first, each a link to its section."""
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
    items = "".join(
        f'<li><a href="#{name}"><b>{html(figure)}</b><span>{html(what)}</span></a></li>'
        for name, (figure, what) in tiles.items()
    )
    return Html(f'<ul class="tiles" aria-label="Summary">{items}</ul>')


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


def _colours() -> Html:
    return paragraph(
        "A day's colour compares its error rate with what the application's",
        term("objective", "objective"),
        f"allows, or with {exactly(charts.ALLOWED_WITHOUT_OBJECTIVE)} if it has none. The",
        term("interval", "interval"),
        "decides: where it reaches to both sides, the day can't tell.",
    )


def _key() -> Html:
    classes = "".join(
        f'<span><i style="background:var(--c{n})"></i>{html(each)}</span>' for n, each in enumerate(charts.CLASSES)
    )
    return Html(
        f'{classes}<span><i class="dash"></i>incomplete day</span><span><i></i>not built, or no requests</span>'
    )


def _footer(report: Report) -> Html:
    restated = len({each.dt for each in report.restatements if each.dataset == "error_rate"})
    counted = report.published - len(report.days_without_counts)
    text = (
        f"Made by error-rate-lake {report.code_version} from the lake at {report.root}: error_rate of "
        f"{plural(report.published, 'day')} in their latest revisions, {restated:,} of them restated, and "
        f"error_counts of {counted:,} of them. Counts are summed, and rates derived from the sums; vantages are "
        "never summed."
    )
    licences = (
        f"<details><summary>Licences of what draws the charts</summary><pre>{html(_file('licences.txt'))}</pre>"
    )
    return Html(f"{paragraph(text)}{licences}</details>")

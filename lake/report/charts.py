"""The charts, as Vega-Lite: what the page draws as SVG, and the picture for a mail.

Colours are CSS variables, so that dark, light and print need no second drawing; a picture has them filled in.
"""

import json
import re
import struct
import zlib
from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache, partial
from importlib.metadata import version
from typing import Any

import vl_convert

from lake.partition import days_since_epoch
from lake.report.data import Report, Row, Scope, Series, begin_of
from lake.report.kept import kept

Spec = dict[str, Any]
VEGA_LITE = "6.4"  # the package's own default changes with the package
MADE_BY = f"vl-convert-python {version('vl-convert-python')}, Vega-Lite {VEGA_LITE}"
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
PNG = b"\x89PNG\r\n\x1a\n"
OTHER_DAY = date(2001, 1, 1)  # whose milliseconds are in no chart otherwise
DAY = 86_400_000  # milliseconds
CHUNK = 12  # bytes of a PNG's chunk beside its data
SINGLE_DAYS_UP_TO = 92  # days that have a date and stand apart; longer ranges have months
# Lightness falls (in the dark: rises) from class to class, so their order is the same in grey and to all eyes.
COLOURS = (*("bg", "soft", "fg", "dim", "line", "grid", "accent", "band", "bad"), *(f"c{n}" for n in range(7)))
LIGHT = dict(
    zip(
        COLOURS,
        (
            *("#ffffff", "#f4f6f8", "#1b1f23", "#57606a", "#868e96", "#e3e6ea", "#0b5cad", "#a9cbee", "#a8321c"),
            *("#e6eef5", "#c6ddef", "#9cc2e0", "#a8a39b", "#cb6d12", "#993c0a", "#4f1602"),
        ),
        strict=True,
    )
)
DARK = dict(
    zip(
        COLOURS,
        (
            *("#14171a", "#1c2126", "#e6e8ea", "#a3abb3", "#7d868e", "#2d343a", "#7db8f5", "#2c4f73", "#ff9a80"),
            *("#1f2a34", "#234a6b", "#3272a3", "#88837b", "#dd9a48", "#ffc58c", "#fff3e6"),
        ),
        strict=True,
    )
)
CLASSES = (
    "no errors",
    "at most a tenth of what is allowed",
    "within what is allowed",
    "can't tell",
    "over what is allowed",
    "over three times that",
    "over ten times that",
)
ALLOWED_WITHOUT_OBJECTIVE = 0.01
RATES = (0, 0.0001, 0.001, 0.01, 0.1, 1)


def allowed(series: Series) -> float:
    """Return the share of requests that may fail."""
    return ALLOWED_WITHOUT_OBJECTIVE if series.allowed_error_rate is None else series.allowed_error_rate


def colour(day: Row | None, allowed_rate: float) -> int | None:
    """Return the place in CLASSES of a day, None without a rate; the interval decides, not the rate."""
    if day is None or day["error_rate"] is None:
        return None
    if not day["server_error_requests"]:
        return 0
    if day["error_rate_high"] <= allowed_rate:
        return 1 if day["error_rate"] <= allowed_rate / 10 else 2
    return 3 + sum(bool(day["error_rate_low"] > times * allowed_rate) for times in (1, 3, 10))


@cache
def specs(asked: Scope) -> dict[str, Spec]:
    """Return, as Vega, what the page draws: the heat map, one application, and one of many small ones.

    What is compiled, and kept, is of other days, in whose place those asked for are put: the next report, of later
    days, needs no compiler.
    """
    most = SINGLE_DAYS_UP_TO + 1  # more look the same
    others = Scope(OTHER_DAY, OTHER_DAY + timedelta(min(len(asked.days), most)))
    made = drawn(others)
    text = kept("charts", f"{MADE_BY}: {json.dumps(made)}", partial(compiled, made))
    ends = dict(zip(_ends(others), _ends(asked), strict=True))
    placed: dict[str, Spec] = json.loads(re.sub("|".join(ends), lambda found: ends[found[0]], text))
    return placed


@cache
def library() -> str:
    """Return the JavaScript that draws, as one expression that leaves nothing behind but `vegaEmbed`."""
    exported = "window.vegaEmbed=vegaEmbed;"
    make = partial(vl_convert.javascript_bundle, exported, vl_version=VEGA_LITE)
    bundle = kept("drawing", f"{MADE_BY}: {exported}", make)
    return f"(()=>{{{bundle.strip()}\n}})()"  # its short names would clash with the page's


def picture(report: Report) -> bytes:
    """Return the heat map, and the days of its first application, as PNG."""
    asked = report.scope
    width = max(700, 2 * len(asked.days))
    cells = [each for series in report.series for each in _cells(report, series)]
    parts = [_part(_heat(asked, "", in_picture=True), "By application and day (UTC)", width, cells)]
    for series in report.series[:1]:
        title = f"{series.label}: error rate by day, with its 95 % interval"
        parts.append(_part(_series(asked, 0, 200, ""), title, width, list(_points(report, series))))
    spec = {
        "$schema": SCHEMA,
        "title": {
            "text": "Application error rates",
            "subtitle": span(report),
            "anchor": "start",
            "fontSize": 20,
            "offset": 12,
        },
        "vconcat": parts,
        "padding": 16,
        "spacing": 28,
        "resolve": {"legend": {"fill": "independent"}},
        # the package brings this font along, so the picture is the same everywhere
        "config": {**_config(), "background": _css("bg"), "font": "Liberation Sans, sans-serif"},
    }
    return _squeezed(
        vl_convert.vegalite_to_png(_filled(spec, LIGHT), vl_version=VEGA_LITE, scale=1.5, allowed_base_urls=[])
    )


def span(report: Report) -> str:
    """Return the days that a report is about, as text."""
    first, last = report.scope.days[0], report.scope.days[-1]
    return f"{first}" if first == last else f"{first} to {last}"


def _css(name: str) -> str:
    return f"var(--{name})"


def _config() -> Spec:
    text = {"labelColor": _css("fg"), "titleColor": _css("fg")}
    return {
        "font": "system-ui, sans-serif",
        "background": None,
        "view": {"stroke": None},
        "title": {"color": _css("fg"), "subtitleColor": _css("dim")},
        "legend": {**text, "titleFontWeight": "normal", "labelLimit": 400},
        "axis": {
            **text,
            "domainColor": _css("line"),
            "tickColor": _css("line"),
            "gridColor": _css("grid"),
            "labelFontSize": 12,
            "title": None,
            "aria": False,
        },
    }


def _time(asked: Scope, *, small: bool = False, grid: bool = False) -> Spec:
    """Return the axis of all days, with data or not: their dates, or months if there are many."""
    days = len(asked.days)
    if days <= SINGLE_DAYS_UP_TO:
        ticks: Spec = {"format": "%-d %b", "tickCount": 3 if small else min(days, 14)}
    else:
        ticks = {"format": "%b %Y", "tickCount": {"interval": "month", "step": 6 if small else 1}}
    first, stop = _ends(asked)
    # expressions: of numbers Vega-Lite makes `datetime(…)`, which a page that may not eval reads as a year
    ends = {"domainMin": {"expr": first}, "domainMax": {"expr": stop}}
    scale = {"type": "utc", **ends, "nice": False}
    axis = {**ticks, "grid": grid, "labelOverlap": "greedy", "labelBound": True}
    return {"field": "t", "type": "temporal", "scale": scale, "axis": axis}


def _heat(asked: Scope, description: str, *, in_picture: bool = False) -> Spec:
    """Return applications down and days along; on the page the names are HTML, so they stay when it scrolls."""
    names = {"domain": False, "ticks": False, "labelLimit": 220} if in_picture else None
    key = {"title": None, "orient": "bottom", "columns": 4, "values": [*range(len(CLASSES))]}
    key |= {"labelExpr": f"{json.dumps(CLASSES)}[datum.value]", "symbolType": "square"}
    gap = -1 if len(asked.days) <= SINGLE_DAYS_UP_TO else 0
    x = _time(asked)
    x["axis"] |= {"orient": "top", "labelAlign": "left", "domain": False}
    fill = {
        "field": "c",
        "type": "ordinal",
        "legend": key if in_picture else None,
        "scale": {"domain": [*range(len(CLASSES))], "range": [_css(f"c{n}") for n in range(len(CLASSES))]},
    }
    return {
        "description": description,
        "padding": {"left": 0, "right": 4, "top": 0, "bottom": 0},
        "width": 1000,
        "height": {"step": 18},
        "data": {"name": "rows"},
        "encoding": {
            "x": x,
            "y": {
                "field": "a",
                "type": "ordinal",
                "sort": None,
                "scale": {"paddingInner": 0.14, "paddingOuter": 0.07},
                "axis": names,
            },
        },
        "layer": [
            {
                "mark": {"type": "rect", "aria": False, "x2Offset": gap},
                "encoding": {"x2": {"field": "u"}, "fill": fill},
            },
            {  # incomplete: a shape, for colours say something else
                "transform": [{"filter": "datum.f"}],
                "mark": {
                    "type": "tick",
                    "orient": "horizontal",
                    "size": 4,
                    "thickness": 3,
                    "color": _css("fg"),
                    "stroke": _css("bg"),
                    "strokeWidth": 0.6,
                    "aria": False,
                },
                "encoding": {"x": {**x, "field": "m"}},
            },
        ],
    }


def _series(asked: Scope, width: int, height: int, description: str, *, small: bool = False) -> Spec:
    """Return one application's rate and interval by day: broken where there is none, 0 and 60 % both visible."""
    axis = {"format": ".3~%", "values": RATES[::2] if small else RATES}
    scale = {"type": "symlog", "constant": 0.0001, "domain": [0, 1], "clamp": True}
    y = {"type": "quantitative", "scale": scale, "axis": axis}
    broken = {"invalid": "break-paths-show-path-domains", "aria": False}
    alone = {"type": "point", "opacity": 1, "aria": False}
    rate = {"y": {"field": "r", **y}}
    return {
        "description": description,
        "padding": 4,
        "width": width,
        "height": height,
        "data": {"name": "rows"},
        "encoding": {"x": {**_time(asked, small=small), "field": "m"}},
        "layer": [
            {
                "mark": {"type": "area", "color": _css("band"), **broken},
                "encoding": {"y": {"field": "l", **y}, "y2": {"field": "h"}},
            },
            {"mark": {"type": "line", "color": _css("accent"), "strokeWidth": 1.4, **broken}, "encoding": rate},
            {  # a day between two without a rate is no line
                "transform": [{"filter": "datum.s"}],
                "mark": {"type": "rule", "color": _css("band"), "strokeWidth": 3, "aria": False},
                "encoding": {"y": {"field": "l", **y}, "y2": {"field": "h"}},
            },
            {
                "transform": [{"filter": "datum.s"}],
                "mark": {**alone, "filled": True, "size": 16, "color": _css("accent")},
                "encoding": rate,
            },
            {
                "mark": {"type": "rule", "strokeDash": [6, 4], "color": _css("fg"), "aria": False},
                "encoding": {"x": None, "y": {"aggregate": "max", "field": "o", **y}},
            },
            {
                "transform": [{"filter": "datum.i && isValid(datum.r)"}],
                "mark": {
                    **alone,
                    "shape": "triangle-down",
                    "filled": True,
                    "size": 30 if small else 70,
                    "color": _css("bad"),
                    "yOffset": -5 if small else -9,
                },
                "encoding": rate,
            },
            {  # at the foot, where no error rate is in its way
                "transform": [{"filter": "datum.e"}],
                "mark": {
                    **alone,
                    "shape": "diamond",
                    "filled": False,
                    "size": 15 if small else 50,
                    "color": _css("fg"),
                    "yOffset": -3 if small else -6,
                },
                "encoding": {"y": {"datum": 0, **y}},
            },
            {
                "transform": [{"filter": "datum.f && isValid(datum.r)"}],
                "mark": {**alone, "size": 15 if small else 45, "filled": False, "color": _css("fg")},
                "encoding": rate,
            },
        ],
    }


def _part(spec: Spec, title: str, width: int, values: list[Row]) -> Spec:
    """Return a specification as a part of the picture."""
    spec = {name: value for name, value in spec.items() if name not in {"padding", "description"}}
    title_spec = {"text": title, "anchor": "start", "fontSize": 14}
    return {**spec, "width": width, "title": title_spec, "data": {"values": values}}


def drawn(asked: Scope) -> dict[str, Spec]:
    """Return all that the page draws."""
    heat = "Heat map of the error rate by day and application. The tables below have its figures."
    found = {
        "heat": _heat(asked, heat),
        "one": _series(asked, 1000, 280, "Error rate by day"),
        "small": _series(asked, 230, 64, "Error rate by day", small=True),
    }
    return {name: {"$schema": SCHEMA, **spec, "config": _config()} for name, spec in found.items()}


def compiled(made: dict[str, Spec]) -> str:
    """Return the Vega of some Vega-Lite, as JSON, so that the page needn't compile it."""
    return json.dumps(
        {name: vl_convert.vegalite_to_vega(spec, vl_version=VEGA_LITE) for name, spec in made.items()}
    )


def _filled(spec: Spec, palette: dict[str, str]) -> Spec:
    """Return a specification with a palette's colours for the page's variables."""
    text = json.dumps(spec)
    for name, value in palette.items():
        text = text.replace(_css(name), value)
    filled: Spec = json.loads(text)
    return filled


def _cells(report: Report, series: Series) -> Iterator[Row]:
    """Return the days that have a rate, as the heat map takes them."""
    for day, row in zip(report.scope.days, series.days, strict=True):
        found = colour(row, allowed(series))
        if row and found is not None:
            begin = _milliseconds(day)
            times = {"t": begin, "m": begin + DAY // 2, "u": begin + DAY}
            yield {"a": series.label, "c": found, "f": row["incomplete"] is not None, **times}


def _points(report: Report, series: Series) -> Iterator[Row]:
    """Return all days, as the chart of one application takes them."""
    rates = [row and row["error_rate"] for row in series.days]
    for n, (day, row) in enumerate(zip(report.scope.days, series.days, strict=True)):
        yield {
            "m": _milliseconds(day) + DAY // 2,
            "r": rates[n],
            "l": row and row["error_rate_low"],
            "h": row and row["error_rate_high"],
            "o": series.allowed_error_rate,
            "s": rates[n] is not None and set(rates[max(0, n - 1) : n] + rates[n + 1 : n + 2]) <= {None},
            "i": any(each["started"].date() <= day <= each["ended"].date() for each in series.incidents),
            "e": any(
                each["started"].date() <= day
                and (each["started"].date() == day or (each["ended"] and each["ended"] > begin_of(day)))
                for each in series.events
            ),
            "f": bool(row and row["incomplete"]),
        }


def _ends(asked: Scope) -> tuple[str, str]:
    """Return when the days begin and end, as an axis has it."""
    return str(_milliseconds(asked.start)), str(_milliseconds(asked.stop))


def _milliseconds(day: date) -> int:
    return days_since_epoch(day) * DAY


def _squeezed(png: bytes) -> bytes:
    """Return the same picture, deflated well: the library is in a hurry and makes it fifteen times as large."""
    out, pixels, at = [PNG], b"", len(PNG)
    while at < len(png):
        size, kind = struct.unpack_from(">I4s", png, at)
        if kind == b"IDAT":
            pixels += png[at + 8 : at + 8 + size]
        else:
            if kind == b"IEND":
                body = b"IDAT" + zlib.compress(zlib.decompress(pixels), 9)
                out.append(struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body)))
            out.append(png[at : at + CHUNK + size])
        at += CHUNK + size
    return b"".join(out)

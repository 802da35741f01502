"""The sections of the page that are plain tables: they carry the report where nothing can be drawn."""

from collections.abc import Iterable, Iterator
from datetime import date

from markupsafe import Markup

from lake.report.data import LEAST_LOST, MOVERS_DAYS, Report, Row, Series
from lake.report.definitions import term
from lake.report.figures import MINUS, NOTHING, count, exactly, interval, percent, plural, rate
from lake.report.markup import join, long, paragraph, part, table

LONGEST_TABLE = 100  # rows; what is left out is said
WHO = (term("application"), term("vantage"))
RATE = (term("error_rate"), term("interval"))


def sections(report: Report) -> Iterator[Markup]:
    """Return them in their order."""
    if report.series:
        yield _section("applications", "Applications", _applications(report))
    else:
        yield paragraph("There are no error rates of these days and applications.")
    yield _section("budgets", "Error budgets", _budgets(report))
    yield _section("incidents", "Incidents", _incidents(report))
    if report.events:
        yield _section("events", "Events", _events(report))
    yield _section("movers", "Movers", _movers(report))
    yield _section("completeness", "Completeness", _completeness(report))
    yield _section("restatements", "Restatements", _restatements(report))
    if report.series:
        yield _section("periods", f"By {report.scope.period}", _periods(report))


def days_lacking(report: Report) -> dict[tuple[date, str], list[str]]:
    """Return which applications lack what on which day, the latest first."""
    found = {(day, "not built"): ["all applications"] for day in report.days_not_built}
    for series in report.series:
        for each in series.completeness:
            what = each["incomplete"] or (None if each["is_there"] else "no requests")
            if what and (each["dt"], "not built") not in found:
                found.setdefault((each["dt"], what), []).append(series.label)
    for day, texts in report.silences.items():
        for source, text in texts.items():
            found.setdefault((day, text), []).append(f"all of source {source}")
    return dict(sorted(found.items(), key=lambda item: (-item[0][0].toordinal(), item[0][1])))


def facts(report: Report, series: Series) -> str:
    """Return what is known of an application over all days, in a few sentences."""
    total = series.total
    said = ["There were no valid requests."]
    if total["valid_requests"]:
        failed, valid = count(total["server_error_requests"]), plural(total["valid_requests"], "valid request")
        said = [f"{failed} of {valid} failed: {rate(total)}, 95 % interval {interval(total)}."]
    for each in _budgets_of(report, series):
        if each["budget_left"] is not None:
            left = f"{percent(each['budget_left'])}" if each["budget_left"] > 0 else "Nothing"
            days = plural(each["window_days"], "day")
            at = "" if each["dt"] == report.scope.days[-1] else f" at the end of {each['dt']}"
            said.append(f"{left} is left of the error budget of {days} for {exactly(each['objective'])}{at}.")
    if series.incidents:
        said.append(f"{plural(len(series.incidents), 'incident')}.")
    if not report.knows_incidents:
        said.append("Incidents are not known.")
    elif report.days_without_incidents:
        said.append(f"Incidents are not known of {plural(report.days_without_incidents, 'day')}.")
    return " ".join(said)


def _section(name: str, title: str, content: Markup) -> Markup:
    return part("section", name, title, content)


def _who(report: Report, row: Row) -> tuple[str, str]:
    """Return an application's name, as a link that selects it where there are charts, and its vantage."""
    places = {(each.application, each.vantage): n for n, each in enumerate(report.series)}
    place = places.get((row["application"], row["vantage"]))
    if place is None:  # it had requests before these days only
        return row["application"], row["vantage"]
    return part("selecting", place, row["application"]), row["vantage"]


def _budgets_of(report: Report, series: Series) -> list[Row]:
    mine = {"application": series.application, "vantage": series.vantage}
    return [each for each in report.budgets if mine.items() <= each.items()]


def _applications(report: Report) -> Markup:
    rows = [
        (
            *_who(report, each.total),
            rate(each.total),
            interval(each.total),
            count(each.total["server_error_requests"]),
            count(each.total["valid_requests"]),
            join(_bar(budget["budget_left"]) for budget in _budgets_of(report, each)) or NOTHING,
            count(len(each.incidents) if report.knows_incidents else None),
            count(each.total["days"]),
            count(sum(bool(day and day["incomplete"]) for day in each.days)),
        )
        for each in report.series
    ]
    counts = (term("failed"), term("valid"))
    rest = (term("budget", "Budget left"), term("incident", "Incidents"), "Days", term("incomplete", "Incomplete"))
    return table(
        "Over all these days, who has the least budget left first", [*WHO, *RATE, *counts, *rest], rows, text=[1]
    )


def _bar(left: float | None) -> str:
    """Return what is left of a budget, as a bar and in figures."""
    if left is None:
        return NOTHING
    kind = "budget over" if left < 0 else "budget"
    width = 100 if left < 0 else round(left * 100, 1)
    figure = f"{left * 100:.1f} %" if abs(left) < 1 else f"{left * 100:,.0f} %"
    return part("bar", kind, width, figure.replace("-", MINUS))


def _budgets(report: Report) -> Markup:
    if not report.budgets:
        return paragraph("No objectives are set for these applications.")
    last = report.scope.days[-1]
    rows = [
        (
            *_who(report, each),
            each["slo"],
            exactly(each["objective"]),
            plural(each["window_days"], "day") + ("" if each["dt"] == last else f" to {each['dt']}"),
            count(each["valid_requests"]),
            NOTHING if each["allowed_errors"] is None else f"{each['allowed_errors']:,.1f}",
            count(each["server_error_requests"]),
            _bar(each["budget_left"]),
        )
        for each in report.budgets
    ]
    objective = (term("objective"), "Answered", "Within")
    heads = [*WHO, *objective, term("valid"), "May fail", term("failed"), term("budget", "Budget left")]
    others = any(each["dt"] != last for each in report.budgets)
    caption = f"What is left of each error budget at the end of {last}"
    caption += ", or of the day named, the last there is" if others else ""
    return table(caption, heads, rows, text=[1, 2])


def _incidents(report: Report) -> Markup:
    found, asked = report.incidents, report.scope
    share = exactly(asked.incident_threshold)
    told = [
        f"In each five minutes of an incident surely more than {share} of requests failed: the lower end of the",
        f"interval is above that. In all of it {LEAST_LOST} requests failed at least.",
    ]
    if report.days_without_counts:
        days = report.days_without_counts
        told.append(f"They are not known of {plural(len(days), 'day')} without error_counts: {_spans(days)}.")
    if report.days_counted_otherwise:
        days = report.days_counted_otherwise
        told.append(
            f"They are not sure of {plural(len(days), 'day')} whose error_counts are other counts than those of "
            f"error_rate, as when only one of them was restated: {_spans(days)}."
        )
    if len(found) > LONGEST_TABLE:
        told.append(
            f"The {LONGEST_TABLE} with the most failed requests of {len(found):,} are shown. All of them: "
            f'lake sql "from incidents({asked.incident_threshold}, '
            f"start := date '{asked.start}', stop := date '{asked.stop}')\""
        )
    if not found:
        return paragraph(*told, _no_incidents(report))
    rows = [
        (
            *_who(report, each),
            f"{each['started']:%Y-%m-%d %H:%M}",
            f"{each['ended']:%H:%M}" if _same_day(each) else f"{each['ended']:%Y-%m-%d %H:%M}",
            _duration(each["minutes"]),
            long(", ".join(each["events"]) or NOTHING),
            count(each["server_error_requests"]),
            count(each["valid_requests"]),
            rate(each),
            interval(each),
        )
        for _, each in found[:LONGEST_TABLE]
    ]
    heads = [*WHO, "Began (UTC)", "Ended", "Lasted", term("event", "Events just before")]
    heads += [term("failed"), term("valid"), *RATE]
    return join([paragraph(*told), table("The most failed requests first", heads, rows, text=[1, 2, 3, 5])])


def _events(report: Report) -> Markup:
    rows = [
        (
            f"{each['started']:%Y-%m-%d %H:%M}",
            f"{each['ended']:%Y-%m-%d %H:%M}" if each["ended"] else NOTHING,
            each["kind"],
            long(each["name"]),
            long("all" if each["applications"] == ["*"] else ", ".join(each["applications"])),
        )
        for each in report.events[:LONGEST_TABLE]
    ]
    left_out = len(report.events) - len(rows)
    more = f"; {left_out:,} earlier ones are not shown" if left_out else ""
    heads = [term("event", "Began (UTC)"), "Ended", "Kind", "Name", term("application", "Of")]
    return table(f"What happened, the last one first{more}", heads, rows, text=[0, 1, 2, 3, 4])


def _no_incidents(report: Report) -> str:
    if not report.knows_incidents:
        return "Nothing is known of them."
    return "In the other days there were none." if report.days_without_incidents else "There were none."


def _same_day(incident: Row) -> bool:
    return bool(incident["started"].date() == incident["ended"].date())


def _duration(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    return " ".join([f"{hours} h"] * (hours > 0) + [f"{rest} min"] * (rest > 0 or not hours))


def _spans(days: Iterable[date]) -> str:
    """Return days as text, those on end as a span."""
    return ", ".join(" to ".join(map(str, each)) for each in _on_end(days))


def _on_end(days: Iterable[date]) -> list[list[date]]:
    """Return the first and last day of each span of days on end; of a single day, that."""
    spans: list[list[date]] = []
    for day in sorted(days):
        if spans and (day - spans[-1][-1]).days == 1:
            spans[-1][1:] = [day]
        else:
            spans.append([day])
    return spans


def _movers(report: Report) -> Markup:
    about = (
        f"Whose error rate of the {MOVERS_DAYS} days up to {report.scope.days[-1]} differs from that of the "
        f"{MOVERS_DAYS} days before, surely: the intervals don't overlap."
    )
    before, now = report.weeks_built
    if not (before and now):
        of = "of either" if before == now else "of the days before" if now else "of these days"
        return paragraph(about, f"Nothing is known {of}, so nothing can be compared.")
    if (before, now) != (MOVERS_DAYS, MOVERS_DAYS):
        about += f" Of these days {now} are built, of those before {before}."
    if not report.movers:
        return paragraph(about, "There are none.")
    rows = [
        (
            *_who(report, each),
            percent(each["error_rate_before"]),
            interval(each, "_before"),
            rate(each),
            interval(each),
            _points(each["difference"]),
        )
        for each in report.movers
    ]
    heads = [*WHO, "Before", term("interval"), "Now", term("interval"), term("mover", "Difference")]
    return join([paragraph(about), table("The largest difference first", heads, rows, text=[1])])


def _points(difference: float) -> str:
    """Return a difference of rates: of two percentages it is none itself."""
    sign = "▲ +" if difference > 0 else f"▼ {MINUS}"
    return f"{sign}{percent(abs(difference)).removesuffix(' %')} points"


def _completeness(report: Report) -> Markup:
    lacking = _lines(days_lacking(report))
    told = [f"{report.published:,} of {plural(len(report.scope.days), 'day')} are published."]
    if report.absent:
        told.append(f"Of these applications there is nothing in these days: {', '.join(report.absent)}.")
    if report.rejects:
        told.append(f"{report.rejects}.")
    if not lacking:
        return paragraph(*told, "Of what is published, nothing is known to be missing.")
    if len(lacking) > LONGEST_TABLE:
        told.append(
            f"The latest {LONGEST_TABLE} of {len(lacking):,} lines are shown. All of them: "
            'lake sql "from completeness where not is_there or incomplete is not null"'
        )
    rows = [
        (" to ".join(map(str, span)), long(what), long(labels)) for span, what, labels in lacking[:LONGEST_TABLE]
    ]
    heads = [term("completeness", "Day"), term("incomplete", "What is missing"), term("application", "Of")]
    return join([paragraph(*told), table("What is missing, the latest day first", heads, rows, text=[1, 2])])


def _lines(lacking: dict[tuple[date, str], list[str]]) -> list[tuple[list[date], str, str]]:
    """Return what is lacking with the days on end on which it is the same, the latest first."""
    days: dict[tuple[str, str], list[date]] = {}
    for (day, what), labels in lacking.items():
        days.setdefault((what, ", ".join(labels)), []).append(day)
    lines = [(span, *same) for same, found in days.items() for span in _on_end(found)]
    return sorted(lines, key=lambda line: (-line[0][-1].toordinal(), *line[1:]))


def _restatements(report: Report) -> Markup:
    if not report.restatements:
        return paragraph("Nothing of these days was restated.")
    rows = [
        (
            each.dt,
            each.dataset,
            each.source or NOTHING,
            each.revision,
            long(each.reason),
            each.requested_by or NOTHING,
        )
        for each in report.restatements[:LONGEST_TABLE]
    ]
    left_out = len(report.restatements) - len(rows)
    more = f"; {left_out:,} earlier ones are not shown" if left_out else ""
    heads = ["Day", "Dataset", "Source", term("revision"), "Reason", "Requested by"]
    return table(f"What was restated, the latest day first{more}", heads, rows, text=[1, 2, 4, 5])


def _periods(report: Report) -> Markup:
    form = "%d %b" if report.scope.period == "day" else "%b %Y"
    periods = sorted({each["period"] for each in report.periods}, reverse=True)
    found = {(each["application"], each["vantage"], each["period"]): each for each in report.periods}
    rows = [
        (each.label, *(_cell(found.get((each.application, each.vantage, period))) for period in periods))
        for each in report.series
    ]
    heads = [term("application"), *(f"{each:{form}}" for each in periods)]
    made = table(f"Error rate by {report.scope.period}, with its 95 % interval, the latest first", heads, rows)
    return part("wide", made)


def _cell(counted: Row | None) -> str:
    return part("cell", rate(counted), interval(counted)) if counted else NOTHING

"""What each figure of a report means: the contracts' and the questions' own words."""

from lake import sql
from lake.contracts import CONTRACTS
from lake.report.markup import Html, exactly, html, join, prose

NAMES = {
    "application": "Application",
    "vantage": "Vantage",
    "valid": "Valid requests",
    "failed": "Failed requests",
    "error_rate": "Error rate",
    "interval": "95 % interval",
    "objective": "Objective",
    "budget": "Error budget",
    "incident": "Incident",
    "mover": "Mover",
    "completeness": "Completeness",
    "hours": "Hours with requests",
    "incomplete": "Incomplete day",
    "revision": "Revision",
}


def term(name: str, text: str | None = None) -> Html:
    """Return a figure's name as a link to its definition, which is told by it and shown beside it, too."""
    return Html(
        f'<a class="term" href="#is-{name}" aria-describedby="means-{name}">{html(text or NAMES[name])}</a>'
    )


def definitions(threshold: float) -> Html:
    """Return all of them, as the items of a list."""
    columns = {each.name: f"{each.meaning}." for each in CONTRACTS["error_rate"].columns}
    questions = {each.name: each.meaning for each in sql.questions()}
    meanings = {
        "application": columns["application"],
        "vantage": columns["vantage"],
        "valid": columns["valid_requests"],
        "failed": columns["server_error_requests"],
        "error_rate": columns["error_rate"],
        "interval": f"{columns['error_rate_low']} {columns['error_rate_high']}",
        "objective": (
            "The share of valid requests that are to be answered without a server error, as luigi.cfg has it. "
            "The rest may fail."
        ),
        "budget": questions["error_budget"],
        "incident": f"{questions['incidents']} Here the threshold is {exactly(threshold)}.",
        "mover": questions["movers"],
        "completeness": questions["completeness"],
        "hours": columns["hours_observed"],
        "incomplete": columns["incomplete"],
        "revision": (
            "What is published is never changed. A day that is restated is published again beside it, with the "
            "next number and the reason; figures are those of the latest."
        ),
    }
    items = (
        Html(f'<dt id="is-{name}">{html(NAMES[name])}</dt><dd id="means-{name}">{prose(text)}</dd>')
        for name, text in meanings.items()
    )
    return join(items, "\n")

"""What each figure of a report means: the contracts' and the questions' own words."""

from markupsafe import Markup

from lake import sql
from lake.contracts import CONTRACTS
from lake.report.figures import exactly
from lake.report.markup import part, prose

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
    "event": "Event",
    "mover": "Mover",
    "completeness": "Completeness",
    "hours": "Hours with requests",
    "incomplete": "Incomplete day",
    "revision": "Revision",
}


def term(name: str, text: str | None = None) -> Markup:
    """Return a figure's name as a link to its definition, which is told by it and shown beside it, too."""
    return part("term", name, text or NAMES[name])


def definitions(threshold: float) -> list[tuple[str, str, Markup]]:
    """Return all of them: what a link knows each by, its name and its meaning."""
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
        "event": (
            "What happened outside, such as a deploy, as it was recorded. An incident names those of the 30 "
            "minutes before the error rate rose."
        ),
        "mover": questions["movers"],
        "completeness": questions["completeness"],
        "hours": columns["hours_observed"],
        "incomplete": columns["incomplete"],
        "revision": (
            "What is published is never changed. A day that is restated is published again beside it, with the "
            "next number and the reason; figures are those of the latest."
        ),
    }
    return [(name, NAMES[name], prose(text)) for name, text in meanings.items()]

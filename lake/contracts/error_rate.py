"""The metric: how many of a day's valid requests the application failed to answer."""

import pyarrow as pa

from lake.contract import Column, Contract, Input, Rule
from lake.contracts.requests import APPLICATION, VANTAGE

COUNTS = tuple(
    Column(name, pa.int64(), "requests", meaning, minimum=0)
    for name, meaning in (
        ("requests_total", "All requests"),
        ("health_check_requests", "Requests for the source's health_check_paths"),
        ("synthetic_requests", "Requests of the source's synthetic_user_agents"),
        ("valid_requests", "All but health checks and synthetic requests: the rate's denominator"),
        ("server_error_requests", "Valid requests with status 500 to 599: the rate's numerator"),
        ("client_error_requests", "Valid requests with another 4xx status, 408 included"),
        ("client_abort_requests", "Valid requests that the client gave up: 499, 460 or 0"),
        ("throttled_requests", "Valid requests answered 429"),
    )
)
COUNT_RULES = (
    Rule(
        "valid_requests + health_check_requests + synthetic_requests = requests_total",
        "every request is of one traffic class",
    ),
    Rule(
        "server_error_requests + client_error_requests + client_abort_requests + throttled_requests"
        " <= valid_requests",
        "a valid request is of one kind at most",
    ),
)


RATE = tuple(
    Column(name, pa.float64(), "share, 0 to 1", meaning, nullable=True, minimum=0, maximum=1)
    for name, meaning in (
        ("error_rate", "server_error_requests / valid_requests; NULL without valid requests"),
        ("error_rate_low", "Lower end of the rate's 95 % Wilson interval"),
        ("error_rate_high", "Upper end of the rate's 95 % Wilson interval"),
    )
)

CONTRACT = Contract(
    name="error_rate",
    version=1,
    grain="one application at one vantage",
    key=("application", "vantage"),
    inputs=(Input("error_counts"), Input("source_days")),
    former_sql=(
        "78fe1888128fc58676baf2e692f0886478e434afe4a0d3a2345257ecf6f72f2a",  # from requests
        "5c9f6c3dc0e226e436fbc8a2118740678c158fe46d958ee227536090d21c3b53",  # with rate and interval written out
        "399717466ffee98dcbf6118228efefe448b7e16880076530d2802bc450a4bec0",  # what sources lack from source_days
    ),
    counts="requests_total",
    columns=(
        APPLICATION,
        VANTAGE,
        *COUNTS,
        *RATE,
        Column(
            "hours_observed",
            pa.int16(),
            "hours",
            "Hours of the UTC day with any request; below 24, the rate is of a day with holes",
            minimum=0,
            maximum=24,
        ),
        Column(
            "incomplete",
            pa.string(),
            "text",
            "What the raw logs of the row's sources lack on the day; NULL if nothing is known to be missing",
            nullable=True,
        ),
    ),
    rules=(
        *COUNT_RULES,
        Rule("(error_rate is null) = (valid_requests = 0)", "no requests, no rate"),
        Rule(
            "valid_requests = 0 or error_rate between error_rate_low and error_rate_high",
            "the interval holds the rate",
        ),
    ),
)

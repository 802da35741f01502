"""How pages do: how often they are viewed, what people say of them, and how often their requests fail."""

import pyarrow as pa

from lake.contract import Column, Contract, Input
from lake.contracts.error_rate import COUNTS, RATE
from lake.contracts.page_views import APPLICATION, PATH
from lake.contracts.requests import VANTAGES

CONTRACT = Contract(
    name="content_performance",
    version=1,
    grain="one page of an application that was viewed, or of which somebody said something",
    key=("application", "path"),
    inputs=(Input("page_views"), Input("page_popularity"), Input("page_feedback"), Input("error_breakdown")),
    columns=(
        APPLICATION,
        PATH,
        Column("views", pa.int64(), "views", "How often it was viewed", minimum=0),
        Column("rank_14_days", pa.int64(), "place", "By the views of 14 days; NULL if it has none", nullable=True),
        Column("useful", pa.int64(), "answers", "How many said that it was useful", minimum=0),
        Column("not_useful", pa.int64(), "answers", "How many said that it was not", minimum=0),
        Column(
            "path_template",
            pa.string(),
            "URL path",
            "path_template(path): pages that differ only in numbers and ids share their requests",
        ),
        Column(
            "vantage",
            pa.string(),
            "name",
            "Where those were seen: the vantage next to the user that the application has; NULL without any",
            nullable=True,
            values=VANTAGES,
        ),
        *(each for each in COUNTS if each.name in {"valid_requests", "server_error_requests"}),
        *RATE,
    ),
)

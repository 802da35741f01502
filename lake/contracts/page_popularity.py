"""Which pages are viewed most over two weeks, for search engines to rank by."""

import pyarrow as pa

from lake.contract import Column, Contract, Input
from lake.contracts.page_views import APPLICATION, PATH

CONTRACT = Contract(
    name="page_popularity",
    version=1,
    grain="one page of an application that was viewed in the 14 days that end with the day",
    key=("application", "path"),
    inputs=(Input("page_views", days=14),),
    columns=(
        APPLICATION,
        PATH,
        Column("views_14_days", pa.int64(), "views", "How often it was viewed in those days", minimum=1),
        Column(
            "share_14_days", pa.float64(), "share, 0 to 1", "Of all views of the application", minimum=0, maximum=1
        ),
        Column(
            "rank_14_days",
            pa.int64(),
            "place",
            "1 for the page with the most views; equals share a place",
            minimum=1,
        ),
    ),
)

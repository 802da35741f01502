"""What people say of pages: how many found one useful, and how many did not."""

import pyarrow as pa

from lake.contract import Column, Contract
from lake.contracts.page_views import APPLICATION, PATH

CONTRACT = Contract(
    name="page_feedback",
    version=1,
    grain="one page of an application",
    key=("application", "path"),
    per_source=True,
    columns=(
        APPLICATION,
        PATH,
        Column("useful", pa.int64(), "answers", "How many said that it was useful", minimum=0),
        Column("not_useful", pa.int64(), "answers", "How many said that it was not", minimum=0),
    ),
)

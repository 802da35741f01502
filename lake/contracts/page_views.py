"""How often each page was viewed, as web analytics tell it day by day."""

import pyarrow as pa

from lake.contract import Column, Contract
from lake.contracts.requests import APPLICATION as OF_REQUESTS

APPLICATION = Column(
    OF_REQUESTS.name,
    OF_REQUESTS.type,
    OF_REQUESTS.unit,
    "Whose page it is: what the error rates call it, so that the two can be joined",
    pattern=OF_REQUESTS.pattern,
)
PATH = Column(
    "path",
    pa.string(),
    "URL path",
    "The page, as paths of requests are kept",
    pattern=r"/[!-~]*",
    is_url_path=True,
)

CONTRACT = Contract(
    name="page_views",
    version=1,
    grain="one page of an application",
    key=("application", "path"),
    per_source=True,
    columns=(
        APPLICATION,
        PATH,
        Column("views", pa.int64(), "views", "How often it was viewed", minimum=0),
        Column(
            "visitors",
            pa.int64(),
            "visitors",
            "How many visitors viewed it; NULL if not told",
            nullable=True,
            minimum=0,
        ),
    ),
)

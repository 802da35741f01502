"""What was tagged and untagged from one day to the next."""

import pyarrow as pa

from lake.contract import Column, Contract, Input

CONTRACT = Contract(
    name="taxon_changes",
    version=1,
    grain="one item of content that was tagged to a taxon, or is no longer",
    key=("content_id", "taxon"),
    inputs=(Input("content_items", days=2),),
    columns=(
        Column("content_id", pa.string(), "name", "Which item"),
        Column("path", pa.string(), "URL path", "Where it is published; where it was, if it is there no more"),
        Column("taxon", pa.string(), "name", "What it was tagged to"),
        Column(
            "change", pa.string(), "name", "What became of that since the day before", values=("added", "removed")
        ),
    ),
)

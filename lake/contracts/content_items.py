"""What a site publishes, as its nightly export has it: each item, and what it is tagged to."""

import pyarrow as pa

from lake.contract import Column, Contract

CONTRACT = Contract(
    name="content_items",
    version=1,
    grain="one item of content, as it was at the end of the day",
    key=("content_id",),
    per_source=True,
    columns=(
        Column(
            "content_id", pa.string(), "name", "Which item it is, whatever its path", pattern="[!-~]+", varied=True
        ),
        Column(
            "path",
            pa.string(),
            "URL path",
            "Where it is published",
            pattern=r"/[!-~]*",
            varied=True,
            is_url_path=True,
        ),
        Column(
            "taxons",
            pa.string(),
            "JSON",
            "What it is tagged to: an array of texts",
            pattern=r"\[.*\]",
            nullable=True,
        ),
    ),
)

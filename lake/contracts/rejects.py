"""One row a raw line that is no request: nothing is dropped silently."""

import pyarrow as pa

from lake.contract import Column, Contract

REASONS = ("blank", "shape", "time", "status", "bytes", "too_long", "wrong_day", "duration", "upstream")

CONTRACT = Contract(
    name="rejects",
    version=1,
    grain="one rejected line, in the order of the raw files",
    key=("file", "line_number"),
    per_source=True,
    made_with="requests",
    columns=(
        Column("file", pa.string(), "path or URL", "The raw file, as the pattern in luigi.cfg names it"),
        Column("line_number", pa.int64(), "1", "Line in that file, decompressed, from 1", minimum=1),
        Column(
            "reason",
            pa.string(),
            "name",
            "blank; shape: not the format's fields; time, status, bytes, duration, upstream: that field holds no "
            "such value; too_long: over 1 MiB; wrong_day: of a day that the file may not hold, see covers",
            values=REASONS,
        ),
        Column(
            "masked_line",
            pa.string(),
            "text",
            "The line's first 500 bytes with every letter an x and every digit a 9, except for a whole "
            "timestamp where its format has one; other than printable ASCII is '?'",
            pattern=r"[ -~]*",
            varied=True,
        ),
    ),
)

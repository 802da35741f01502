"""One row a raw line that is no request, or a record that is no row: nothing is dropped silently."""

import pyarrow as pa

from lake.contract import RAW, Column, Contract

OF_LOGS = ("blank", "shape", "time", "status", "bytes", "too_long", "wrong_day", "duration", "upstream")
OF_RECORDS = ("type", "missing", "value", "rule", "key")
REASONS = (*OF_LOGS, *OF_RECORDS)

CONTRACT = Contract(
    name="rejects",
    version=1,
    grain="one rejected line, in the order of the raw files",
    key=("file", "line_number"),
    per_source=True,
    made_with=RAW,
    columns=(
        Column("file", pa.string(), "path or URL", "The raw file, as the pattern in luigi.cfg names it"),
        Column("line_number", pa.int64(), "1", "Line in that file, decompressed, from 1", minimum=1),
        Column(
            "reason",
            pa.string(),
            "name",
            "blank; shape: not its fields; time, status, bytes, duration, upstream, type: a field holds no such "
            "value; too_long: over 1 MiB; wrong_day: see covers; missing: a field is; value: a forbidden one; "
            "rule: it breaks one; key: an earlier one has it",
            values=REASONS,
        ),
        Column(
            "masked_line",
            pa.string(),
            "text",
            "The line's first 500 bytes: letters are x, digits 9, other than printable ASCII '?'; as it is only "
            "a whole time in its place, or what a field of a record holds that its column allows, unless text or "
            "personal",
            pattern=r"[ -~]*",
            varied=True,
        ),
    ),
)

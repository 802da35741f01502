"""Rows of a dataset as a pandas frame."""

import pandas as pd
import pyarrow as pa

from lake.contract import Contract

NULLABLE = {
    pa.int16(): pd.Int16Dtype(),
    pa.int32(): pd.Int32Dtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
}
"""Types in which a NULL stays one; numpy's own have no room for it."""


def frame(rows: pa.Table, contract: Contract) -> pd.DataFrame:
    """Return rows as a frame whose index is `dt`, with pandas' nullable types where NULL may stand."""
    found = rows.to_pandas(date_as_object=False)
    for column in contract.stored:
        if column.nullable and column.type in NULLABLE:
            found[column.name] = rows[column.name].to_pandas(types_mapper=NULLABLE.get)
    return found.set_index("dt")

"""What the footers of files say, for a function of DuckDB's."""

import pyarrow as pa

from lake.lake import Lake, open_store
from lake.memory.arrays import array
from lake.partition import Partition


def footers_of(roots: pa.Array, endpoints: pa.Array, files: pa.Array) -> pa.Array:
    """Return the text of the footer of each of some files of a lake.

    Args:
        roots: The lake's root, for each.
        endpoints: Where its bucket is asked for, None for where buckets are.
        files: Their places, which begin with the root.

    Raises:
        LakeError: One is not published, or can't be read.
    """
    lake = Lake(open_store(roots[0].as_py(), endpoints[0].as_py()))
    found = map(Partition.parse, (file.removeprefix(f"{lake.root}/") for file in files.to_pylist()))
    return array([each.provenance.to_json() for each in lake.footers([*filter(None, found)])], pa.string())

"""Start-up without pandas: of a small day's time, importing it would be a fifth."""

import sys
from importlib.abc import MetaPathFinder

import pyarrow as pa

PANDAS = "pandas"


class _Absent(MetaPathFinder):
    """Finds that there is no pandas."""

    def find_spec(self, name: str, *_: object) -> None:
        """Refuse pandas, and leave all else to the other finders."""
        if name == PANDAS:
            raise ModuleNotFoundError(name=name)


def until_asked_for() -> None:
    """Let pyarrow look for pandas in vain.

    It does so when the first array is made, to know a pandas column if it is given one. What needs pandas, such as
    Table.to_pandas, imports it all the same.
    """
    if PANDAS in sys.modules:
        return
    absent = _Absent()
    sys.meta_path.insert(0, absent)
    try:
        pa.array([])
    finally:
        sys.meta_path.remove(absent)

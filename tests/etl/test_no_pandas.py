"""Start-up without pandas, and pandas for whoever asks."""

import subprocess
import sys

IS_THERE = "import sys; print('pandas' in sys.modules)"


def _said(code: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.split()


def test_an_extraction_does_without() -> None:
    """Arrays are made, and read as NumPy's, without it."""
    making = "import etl.extract; import pyarrow as pa; pa.array([1]).to_numpy(); pa.table({'n': [1]})"
    assert _said(f"{making}; {IS_THERE}") == ["False"]


def test_whoever_asks_gets_it() -> None:
    """Tables become data frames, and pyarrow then knows pandas' columns, in which NaN is NULL."""
    asking = "import etl.extract; import pyarrow as pa; frame = pa.table({'n': [1.5, None]}).to_pandas()"
    assert _said(f"{asking}; print(pa.array(frame['n']).null_count); {IS_THERE}") == ["1", "True"]


def test_who_has_it_keeps_it() -> None:
    """Where it is imported already, pyarrow knows it from the first."""
    having = "import pandas as pd; import etl.extract; import pyarrow as pa"
    assert _said(f"{having}; print(pa.array(pd.Series([None, 1.5])).null_count)") == ["1"]

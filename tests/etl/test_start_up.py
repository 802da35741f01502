"""Pandas is for whoever asks: extraction neither imports it nor changes what pyarrow makes of it."""

import subprocess
import sys

import pytest

EXTRACTION = """
import sys
from datetime import date
from pathlib import Path
from etl.steps.extract import extract_day
from etl.sources.sections import read_sources
from lake import config
from lake.lake import Lake
found = config.read(Path("luigi.cfg").absolute())
extract_day(Lake.of(found), read_sources(found)[0], date(2015, 5, 17))
"""
CONFIGURATION = """
[lake]
root = lake
[source.web]
format = combined
files = access.log
application = shop
vantage = edge
since = 2015-05-17
until = 2015-05-18
max_reject_rate = 0.9
health_check_paths = /health*
synthetic_user_agents = probe
"""
REQUESTS = ("GET /a HTTP/1.1", "GET /%5Ba?x=1 HTTP/1.1", "GET /health HTTP/1.1", "-", r"\x16\x03")


def _said(code, folder=None):
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=folder)
    return done.stdout.split()


@pytest.fixture
def day(tmp_path, log_line):
    """A folder with luigi.cfg and a day of good, odd and malformed lines, which can be made very many."""
    (tmp_path / "luigi.cfg").write_text(CONFIGURATION)

    def make(times=1):
        lines = [log_line("17/May/2015:10:05:03 +0000", request=each) for each in REQUESTS]
        (tmp_path / "access.log").write_bytes(b"".join([*lines, b"no log\n"]) * times)
        return tmp_path

    return make


@pytest.mark.parametrize("times", [1, 10_000], ids=["plain parser", "kernel"])
def test_extraction_does_without(day, times):
    """By either parser, with rejects of both kinds and paths that are cleaned."""
    assert _said(
        f"{EXTRACTION}print('pandas' in sys.modules, 'etl.lines.compiled' in sys.modules)", day(times)
    ) == [
        "False",
        str(times > 1),
    ]


def test_a_day_without_rejects_does_without(day, log_line):
    """An empty file of them is written."""
    folder = day()
    (folder / "access.log").write_bytes(log_line("17/May/2015:10:05:03 +0000"))
    assert _said(f"{EXTRACTION}print('pandas' in sys.modules)", folder) == ["False"]


READING = """
import numpy as np, pandas as pd, pyarrow as pa
values = pd.Series([None, 1.5])
print(pa.array(values).null_count, pa.array(values.to_numpy(), from_pandas=True).null_count)
print(pa.array([pd.NaT, pd.NA, float("nan"), None], pa.float64(), from_pandas=True).null_count)
print(pa.table({"n": values}).to_pandas()["n"].isna().sum(), pa.Table.from_pandas(values.to_frame())[0].null_count)
"""


def test_pyarrow_reads_pandas_as_elsewhere(day):
    """In a process in which an extraction has run, NaN and NaT of pandas are NULL, as in one that has run none."""
    assert _said(EXTRACTION + READING, day()) == _said(READING) == ["1", "1", "4", "1", "1"]

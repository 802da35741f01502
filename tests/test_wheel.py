"""The wheel is whole: what it holds, and what it does where nothing else is. README's commands: test_pages."""

import subprocess
import zipfile

import pytest
from wheels import PACKAGES, REPOSITORY

pytestmark = pytest.mark.slow
RUN = ("backfill", "run", "--of", "ErrorRateDaily", "--stop", "2015-05-18")
LINE = '192.0.2.1 - - [17/May/2015:{hour:02}:00:00 +0000] "GET /a/path HTTP/1.1" 200 10 "-" "curl/8.5.0 (name)"\n'
LINES_AN_HOUR = 2000  # so many that the kernel is worth loading


def test_it_holds_all_that_is_in_the_packages(wheel):
    """Code, SQL, what servers are set up with; no test, and nothing that lay about."""
    listed = ["git", "ls-files", *PACKAGES]
    tracked = subprocess.run(listed, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.split()
    held = [name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name]
    assert sorted(held) == sorted(tracked)


def test_without_numba_it_says_once_what_that_costs(a_project, bare):
    """Where there is no wheel of numba: the same bytes, a warning, and how to have it."""
    text = "".join(LINE.format(hour=hour) * LINES_AN_HOUR for hour in range(24))
    (a_project.folder / "logs/2015-05-17.log").write_text(text)
    done = a_project.anew().run(*RUN, **bare.variables)
    assert (done.returncode, done.stderr.count("without its compiled kernel")) == (0, 1), done.stderr
    assert "(numba is not installed)" in done.stderr
    assert "pip install 'error-rate-lake[fast]'" in done.stderr
    (plain,) = (a_project.folder / "lake/requests").rglob("*.parquet")
    a_project.configure(lake={"root": "other"})
    done = a_project.run(*RUN)
    assert (done.returncode, done.stderr) == (0, "")
    (compiled,) = (a_project.folder / "other/requests").rglob("*.parquet")
    assert compiled.read_bytes() == plain.read_bytes()

"""What a library warns of is a line, once: cron mails whatever a command writes."""

import pytest

WARNS = """
import warnings

def complain():
    warnings.warn("old is\\n  new", FutureWarning)
"""
PATCHED = """
import duckdb, somelib

def noisy(made):
    def call(*given, **named):
        somelib.complain()
        return made(*given, **named)
    return call

duckdb.connect = noisy(duckdb.connect)
"""
SAID = "warning: old is new, from somelib\n"


@pytest.fixture
def noisy(a_project, monkeypatch):
    """A project where whoever connects to DuckDB is warned, by code of its own."""
    folder = a_project.folder / "noisy"
    folder.mkdir()
    (folder / "somelib.py").write_text(WARNS, encoding="utf-8")
    (folder / "sitecustomize.py").write_text(PATCHED, encoding="utf-8")
    made = a_project.anew()
    made.environment["PYTHONPATH"] = str(folder)
    return made


def test_a_warning_of_a_library_is_a_line_once(noisy):
    """Of two workers and all their days, and of each command that asks; exit codes and answers are as ever."""
    built = noisy.run(
        *("luigi", "RangeDailyBase", "--of", "ErrorRateDaily", "--start", "2015-05-17", "--workers", "2")
    )
    assert (built.returncode, built.stderr) == (0, SAID)
    assert "4 built" in built.stdout
    asked = noisy.run("lake", "sql", "--csv", "select count(*) as days from error_rate")
    assert (asked.returncode, asked.stdout, asked.stderr) == (0, "days\n4\n", SAID)


def test_python_s_own_switch_still_decides(noisy):
    """`PYTHONWARNINGS=ignore` hides it."""
    noisy.environment["PYTHONWARNINGS"] = "ignore"
    done = noisy.run("backfill", "run", "--of", "ErrorRateDaily", "--start", "2015-05-17")
    assert (done.returncode, done.stderr) == (0, "")


def test_nightly_is_silent(a_project):
    """With the libraries that are installed here, cron has nothing to mail."""
    done = a_project.anew().run(
        "backfill", "nightly", "--of", "ErrorRateDaily", "StatusMixDaily", "--days", "9999"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

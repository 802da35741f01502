"""What the documentation shows of Spark works as it is printed: `make test-spark`."""

import re
import sys

import pytest
from pages import commands, example

PAGE = "docs/how-to/spark.md"
pytestmark = pytest.mark.spark


@pytest.fixture
def with_spark(spark, a_project):
    """Return a project whose commands are processes of their own."""
    return a_project.anew()


def test_a_range_is_built_and_read(with_spark):
    """The command prints what is shown; Spark then reads the days by `format("lake")`."""
    ((command, shown),) = commands(example(PAGE, "spark run"))
    done = with_spark.run(*command.split())
    assert (done.returncode, done.stderr, done.stdout) == (0, "", shown)
    program = example("docs/how-to/engines.md", "format lake")
    done = with_spark.run(sys.executable, "-c", program, SPARK_LOCAL_IP="127.0.0.1")
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^\|(2015-05-\d\d)\| +shop\|", done.stdout, re.MULTILINE) == ["2015-05-18"]


def test_it_is_submitted_from_luigi(with_spark):
    """The page's task builds days by spark-submit; once they are there, it submits nothing."""
    for name in ("days_on_spark.py", "on_spark.py"):
        (with_spark.folder / name).write_text(example(PAGE, name), encoding="utf-8")
    ((command, _),) = commands(example(PAGE, "spark submit"))
    environment = {"SPARK_LOCAL_IP": "127.0.0.1", "PYTHONPATH": "."}
    words = command.removeprefix("PYTHONPATH=. ").split()
    done = with_spark.run(*words, **environment)
    assert done.returncode == 0, done.stderr
    there = {key.split("/")[2] for key in with_spark.published() if key.startswith("error_rate/")}
    assert there == {"dt=2015-05-19", "dt=2015-05-20"}
    broken = with_spark.folder / "days_on_spark.py"
    broken.write_text("raise SystemExit('submitted')\n")
    assert with_spark.run(*words, **environment).returncode == 0
    more = [word.replace("2015-05-19", "2015-05-17") for word in words]
    failed = with_spark.run(*more, **environment)
    assert failed.returncode == 30
    assert "submitted" in failed.stderr

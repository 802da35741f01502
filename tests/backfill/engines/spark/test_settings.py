"""The section `[spark]` of luigi.cfg."""

from pathlib import Path

import pytest
from pages import example

from backfill.engines.spark.settings import LUIGIS, Settings
from lake.config import Config
from lake.errors import ConfigError


def of(**values):
    """Return the settings of a section."""
    return Settings.of(Config(Path("/x/luigi.cfg"), {"spark": values}))


def test_the_page_shows_what_is_read(tmp_path):
    """Its section has a master, and options whose names keep their case."""
    from lake import config

    path = tmp_path / "luigi.cfg"
    path.write_text(example("docs/how-to/spark.md", "spark.cfg"), encoding="utf-8")
    found = Settings.of(config.read(path))
    assert (found.master, found.python) == ("spark://127.0.0.1:7077", None)
    assert found.options["spark.executorEnv.AWS_PROFILE"] == "lake"


def test_without_a_section_all_is_spark_s_own():
    """And so it is with an empty one."""
    assert Settings.of(Config(Path("luigi.cfg"), {})) == Settings() == of()


def test_luigi_s_own_keys_may_stand_there():
    """Those of luigi.contrib.spark are left alone."""
    assert of(master="local[3]", **dict.fromkeys(LUIGIS, "x")) == Settings("local[3]")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"mastr": "local"}, r"\[spark\]: unknown key 'mastr'.* Did you mean 'master'\?"),
        ({"options": "executor.memory = 1g"}, "executor.memory: expected a line `NAME = VALUE`"),
        ({"options": "\nspark.a = 1\nspark.secret secret"}, "options: spark.secret secret: expected"),
    ],
)
def test_what_means_nothing_is_refused(values, said):
    """With what was expected."""
    with pytest.raises(ConfigError, match=said):
        of(**values)


def test_a_value_is_not_repeated():
    """It may be a secret."""
    with pytest.raises(ConfigError) as caught:
        of(options="authenticate.secret = hunter2")
    assert "hunter2" not in str(caught.value)

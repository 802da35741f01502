"""How backfills behave, by luigi.cfg."""

import pytest

from backfill.settings import Settings, settings
from lake.errors import ConfigError


def test_settings_are_those_of_luigi_cfg(in_project):
    """Or the defaults, where it has none."""
    assert settings() == Settings(max_attempts=3)
    path = in_project.folder / "luigi.cfg"
    path.write_text(path.read_text() + "[backfill]\nmax_attempts = 0\n")
    assert settings() == Settings(max_attempts=0)


@pytest.mark.parametrize(
    "text",
    [
        "max_attempts = -1",
        "max_attempts = often",
        "max_attempt = 3",
        pytest.param("max_attempts = " + "9" * 5000, id="thousands of digits"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused(in_project, text):
    """The message names the file, the section and the key."""
    path = in_project.folder / "luigi.cfg"
    path.write_text(path.read_text() + f"[backfill]\n{text}\n")
    with pytest.raises(ConfigError, match=rf"luigi\.cfg, \[backfill\]: .*{text.split(' ', 1)[0]}"):
        settings()

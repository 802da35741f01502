"""The template of the commands under test: a fork of it does what a process of its own does."""

import pytest


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("backfill", "status", "--of", "ErrorRateDaily"), 1),
        (("lake", "sql", "select 42 as answer"), 3),
        (("luigi", "ErrorRateDaily", "--date", "1999-01-01"), 35),
    ],
)
def test_a_fork_is_as_a_process_of_its_own(a_project, command, code):
    """It says the same on the same streams, and exits with the same code; the parent lives on."""
    by_fork, anew = a_project.run(*command), a_project.anew().run(*command)
    assert by_fork.returncode == anew.returncode == code
    assert (by_fork.stdout, by_fork.stderr) == (anew.stdout, anew.stderr)
    assert by_fork.stdout + by_fork.stderr


def test_nothing_of_one_command_is_left_to_the_next(a_project, make_project):
    """Neither its folder and luigi.cfg, nor its environment, nor what it said."""
    assert a_project.run("backfill", "run", "--of", "ErrorRateDaily", "--stop", "2015-05-18").returncode == 0
    other = make_project("other")
    other.configure(elsewhere=other.source | {"files": "none/{YYYY}{MM}{DD}"})
    said = other.run("backfill", "plan", "--of", "ErrorRateDaily", "--stop", "2015-05-18").stdout
    assert "source elsewhere: there is no folder" in said
    assert "built" not in said
    assert other.published() == {}

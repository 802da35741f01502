"""What a command finds around it: modules of the same names, another parser, a configuration it can't read."""

import pytest

RANGE = ("RangeDailyBase", "--of", "ErrorRateDaily", "--start", "2015-05-17")
COMMANDS = [("luigi", *RANGE), ("backfill", "run", *RANGE[1:3])]


@pytest.fixture
def with_names_of_ours(a_project):
    """Return the project, its folder having modules of somebody else's that are called as some of ours."""
    (a_project.folder / "tasks.py").write_text("import luigi\n")
    (a_project.folder / "etl").mkdir()
    (a_project.folder / "etl/__init__.py").touch()
    return a_project.anew()


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_find_their_own_modules(with_names_of_ours, command):
    """Whatever lies in the current folder."""
    done = with_names_of_ours.run(*command)
    assert done.returncode == 0, done.stderr
    assert "4 built" in done.stdout


def test_modules_of_the_same_name_are_named_with_the_way_out(with_names_of_ours):
    """Python's own -m looks into the current folder first: that is said, and what is advised works."""
    command = ("python", "-m", "luigi", "--module", "backfill", *RANGE)
    done = with_names_of_ours.run(*command)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "etl has the name of a package of error-rate-lake" in done.stderr
    assert "run `luigi`, without PYTHONPATH; or set PYTHONSAFEPATH=1" in done.stderr
    assert with_names_of_ours.run("luigi", *RANGE, PYTHONPATH=".").returncode == 2
    done = with_names_of_ours.run(*command, PYTHONSAFEPATH="1")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_another_parser_of_luigi_s_is_refused(a_project, command):
    """In one line that names the variable; nothing is built by another reading of the file."""
    done = a_project.anew().run(*command, LUIGI_CONFIG_PARSER="toml")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"{command[0]}: LUIGI_CONFIG_PARSER = toml: luigi.cfg is an INI file, and no other is read here. Take the "
        "variable out of the environment.\n"
    )
    assert a_project.anew().run(*command, LUIGI_CONFIG_PARSER="ini").returncode == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_a_configuration_that_may_not_be_read_is_named(a_project, ordinary, command):
    """With what the system says, and what to look at: there is no line to fix."""
    path = a_project.folder / "luigi.cfg"
    path.chmod(0)
    done = a_project.anew().run(*ordinary, *command)
    assert done.returncode in {2, 40}
    assert f"Can't read the configuration {path}: Permission denied. Check the file and its per" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", COMMANDS)
def test_a_configuration_that_is_no_text_is_named(a_project, command):
    """By its path, whichever of the files it is that Luigi reads."""
    path = a_project.folder / "luigi.cfg"
    good = path.read_bytes()
    path.write_bytes(b"\xff\xfe" + good)
    done = a_project.anew().run(*command)
    assert done.returncode == 2
    assert "luigi.cfg: 'utf-8' codec can't decode byte 0xff" in done.stderr
    assert "save the file as UTF-8" in done.stderr
    path.write_bytes(good)
    (a_project.folder / "other.cfg").write_bytes(b"[core]\n\xff")
    done = a_project.anew().run(*command, LUIGI_CONFIG_PATH="other.cfg")
    assert done.returncode == 2
    assert "other.cfg: 'utf-8' codec" in done.stderr

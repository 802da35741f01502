"""What servers are given: read by the tools that will read it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from backfill import cli

DEPLOY = Path(cli.__file__).parent / "deploy"
INSTALLED = "/srv/error-rate-lake"
FIELD = r"(?:\*|[0-9]+(?:-[0-9]+)?)(?:/[0-9]+)?(?:,[0-9]+(?:-[0-9]+)?)*"
COMMANDS = {
    "crontab": r"(?m)^(?:[0-9*/,-]+ ){5} *(\S.*)$",
    "error-rate-lake.service": r"(?m)^ExecStart=(.*)$",
}


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_run_as_they_stand(name, a_project):
    """In a project that lies elsewhere: the same words, the same environment."""
    text = (DEPLOY / name).read_text()
    (command,) = re.findall(COMMANDS[name], text)
    assert command.startswith(f"{INSTALLED}/.venv/bin/backfill nightly ")
    assert f"LUIGI_CONFIG_PATH={INSTALLED}/luigi.cfg" in text
    here = command.removeprefix(f"{INSTALLED}/.venv/bin/").split()
    done = a_project.run(*here, LUIGI_CONFIG_PATH=str(a_project.folder / "luigi.cfg"))
    assert (done.returncode, done.stderr) == (0, "")
    assert len([key for key in a_project.published() if key.startswith("error_rate")]) == 4


def test_crontab_has_settings_and_one_line():
    """Five fields and a command; cron gives a `%` a meaning of its own."""
    lines = [line for line in (DEPLOY / "crontab").read_text().splitlines() if line and line[0] != "#"]
    *settings, job = lines
    assert all(re.fullmatch(r"[A-Z_]+=\S+", line) for line in settings)
    assert re.fullmatch(rf"(?:{FIELD} ){{5}} *\S.*", job)
    assert "%" not in job


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not here")
def test_systemd_takes_the_units(tmp_path):
    """It finds nothing to say of them, where the command and the user are there."""
    for name in ("error-rate-lake.service", "error-rate-lake.timer"):
        text = (DEPLOY / name).read_text().replace(f"{INSTALLED}/.venv/bin/backfill", "/bin/true")
        (tmp_path / name).write_text(text.replace("User=error-rate-lake", "User=root"))
    units = [str(path) for path in sorted(tmp_path.iterdir())]
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if "error-rate-lake" in line]
    assert said == [], done.stderr
    done = subprocess.run(
        ["systemd-analyze", "calendar", "*-*-* 09:30:00 UTC"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0

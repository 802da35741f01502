"""What servers are given: read by the tools that will read it, and run as it stands."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from pages import example
from programs import ask, needs, tool
from s3_servers import free_ports

from backfill import cli
from backfill.check import Status

DEPLOY = Path(cli.__file__).parent / "deploy"
INSTALLED = "/srv/error-rate-lake"
TEXTFILES = "/var/lib/prometheus/node-exporter"
FIELD = r"(?:\*|[0-9]+(?:-[0-9]+)?)(?:/[0-9]+)?(?:,[0-9]+(?:-[0-9]+)?)*"
JOB = rf"(?m)^(?:{FIELD} ){{5}} *(\S.*)$"
SKIPPED_JOB = JOB.replace("^", "^# ")
EXEC_START = r"(?m)^ExecStart=(.*)$"
NIGHTLY = {"crontab": JOB, "error-rate-lake.service": EXEC_START}
METRICS = {"crontab": SKIPPED_JOB, "error-rate-lake-check.service": EXEC_START}
DELIVERING = {"crontab": SKIPPED_JOB, "deliver.conf": EXEC_START}
UNITS = sorted(path.name for path in DEPLOY.glob("error-rate-lake*"))
JENKINS = Path(__file__).with_name("jenkins.groovy")
NOT_THERE, NOT_RUN = "Some day is not there: the log says why.", "nightly could not be run: exit code 2"
LATE, CRITICAL = "WARNING: days are late or incomplete.", "CRITICAL: days are late."
STATES = pytest.mark.parametrize(
    ("severity", "warning", "critical"),
    [(Status.OK, 5, 6), (Status.WARNING, 1, 5), (Status.CRITICAL, 1, 2), (Status.UNKNOWN, 1, 2)],
)
NAGIOS = """\
nagios_user={user}
nagios_group={group}
log_file={folder}/nagios.log
check_result_path={folder}
cfg_file={folder}/objects.cfg
cfg_file={folder}/error-rate-lake.cfg
illegal_macro_output_chars=`~$&|'"<>
"""
NAGIOS_OBJECTS = """\
define timeperiod {
    timeperiod_name  always
    alias            always
    monday           00:00-24:00
}
define command {
    command_name  tell
    command_line  /bin/true
}
define contact {
    contact_name                   operator
    host_notification_commands     tell
    service_notification_commands  tell
    host_notification_period       always
    service_notification_period    always
}
define host {
    host_name            localhost
    address              127.0.0.1
    max_check_attempts   1
    check_period         always
    notification_period  always
    contacts             operator
}
define service {
    name                   generic-service
    register               0
    check_period           always
    notification_period    always
    notification_interval  60
    contacts               operator
}
"""
ICINGA = """\
include <itl>
include "error-rate-lake.conf"
object Host "lake" {{
  check_command = "dummy"
  vars = {variables}
}}
object Host "other" {{
  check_command = "dummy"
}}
"""


@pytest.fixture
def deployed(a_project):
    """Return a function that gives a file as for a project that lies elsewhere, and one that runs a command."""
    # away from luigi.cfg, so that it's found by what the file says
    elsewhere = replace(a_project, folder=a_project.folder.parent)

    def text(name):
        found = (DEPLOY / name).read_text().replace(f"{INSTALLED}/.venv/bin/", f"{Path(sys.executable).parent}/")
        return found.replace(INSTALLED, str(a_project.folder)).replace(TEXTFILES, str(a_project.folder))

    return text, elsewhere.run


def configuration(text):
    """Return the environment that a crontab or a unit gives its commands."""
    (value,) = re.findall(r"(?m)^(?:Environment=)?LUIGI_CONFIG_PATH=(\S+)$", text)
    return {"LUIGI_CONFIG_PATH": value}


@pytest.mark.parametrize("name", NIGHTLY)
def test_commands_run_as_they_stand(name, deployed, a_project):
    """In a project that lies elsewhere: the same words, the same environment."""
    text, run = deployed
    (command,) = re.findall(NIGHTLY[name], text(name))
    done = run(*shlex.split(command), **configuration(text(name)))
    assert (done.returncode, done.stderr) == (0, "")
    assert len([key for key in a_project.published() if key.startswith("error_rate")]) == 4


@pytest.mark.parametrize("name", DELIVERING)
def test_deliveries_run_as_they_stand(name, deployed, a_project):
    """The nightly run brings its days to a target, which its check then finds there."""
    text, run = deployed
    with (a_project.folder / "luigi.cfg").open("a", encoding="utf-8") as settings:
        settings.write("\n[deliver.figures]\nto = file://figures.csv\ndatasets = error_rate\n")
    nightly, *checks = (each for each in re.findall(DELIVERING[name], text(name)) if "--deliver" in each)
    done = run(*shlex.split(nightly), **configuration(text("crontab")))
    assert (done.returncode, done.stderr) == (0, "")
    assert len((a_project.folder / "figures.csv").read_text().splitlines()) == 5
    for check in checks:
        done = run(*shlex.split(check), **configuration(text("crontab")))
        assert (done.returncode, done.stdout, done.stderr) == (Status.OK, "", "")
        metrics = (a_project.folder / "error_rate_lake_figures.prom").read_text()
        assert 'error_rate_lake_late_days{task="DeliveredDaily figures"} 0\n' in metrics
    assert len(checks) == (name == "crontab")


@pytest.mark.parametrize("name", METRICS)
def test_metrics_are_written_for_the_rules(name, deployed, a_project):
    """Each metric that a rule asks for is among them, and so is the task that it names."""
    text, run = deployed
    (command,) = (each for each in re.findall(METRICS[name], text(name)) if "--deliver" not in each)
    done = run(*shlex.split(command), **configuration(text(name)))
    assert (done.returncode, done.stdout, done.stderr) == (Status.CRITICAL, "", "")
    metrics = (a_project.folder / "error_rate_lake.prom").read_text()
    assert 'error_rate_lake_late_days{task="ErrorRateDaily"} 4\n' in metrics
    rules = text("prometheus-rules.yml")
    asked = set(re.findall(r"error_rate_lake_\w+", rules))
    assert len(asked) >= 4
    assert asked <= set(re.findall(r"(?m)^# TYPE (\w+) gauge$", metrics))
    assert set(re.findall(r'task="\w+"', rules)) <= set(re.findall(r'task="\w+"', metrics))


@needs("promtool")
def test_prometheus_takes_the_metrics(a_project):
    """Its linter has nothing to say but that a duration is best in seconds; ours are counts of days."""
    metrics = a_project.run("backfill", "check", "--of", "ErrorRateDaily", "--format", "prometheus").stdout
    done = ask("promtool", "check", "metrics", input=metrics)
    counts = [
        f"error_rate_lake_{name}"
        for name in (
            "days",
            "incomplete_days",
            "late_days",
            "older_gap_days",
            "source_incomplete_days",
            "source_late_days",
        )
    ]
    said = [f'{name} use base unit "seconds" instead of "days"' for name in counts]
    assert (done.stdout, sorted(done.stderr.splitlines())) == ("", said)


def test_crontab_has_settings_and_one_line():
    """Five fields and a command; cron gives a `%` a meaning of its own. Other lines are there to be chosen."""
    text = (DEPLOY / "crontab").read_text()
    lines = [line for line in text.splitlines() if line and line[0] != "#"]
    *settings, job = lines
    assert all(re.fullmatch(r"[A-Z_]+=\S+", line) for line in settings)
    assert re.fullmatch(JOB, job)
    assert len(re.findall(SKIPPED_JOB, text)) == 3
    assert "%" not in text


@needs("crontab")
def test_cron_takes_the_crontab(tmp_path):
    """With each line, and not with an hour that is none; nothing is installed."""
    if "dry run" not in ask("crontab", "-h").stderr:
        pytest.skip("this crontab, which is not Debian's, can't check a file without installing it")
    text = (DEPLOY / "crontab").read_text()
    chosen = re.sub(SKIPPED_JOB, lambda line: line[0].removeprefix("# "), text)
    assert len(re.findall(JOB, chosen)) == 4
    codes = []
    for each in (text, chosen, text.replace("30 9 ", "30 24 ")):
        (tmp_path / "crontab").write_text(each)
        codes.append(ask("crontab", "-n", tmp_path / "crontab").returncode)
    assert codes == [0, 0, 1]


@needs("systemd-analyze")
def test_systemd_takes_the_units(tmp_path):
    """It finds nothing to say of them, where the command and the user are there; each timer has its service."""
    assert len(UNITS) == 4
    for name in UNITS:
        text = (DEPLOY / name).read_text().replace(f"{INSTALLED}/.venv/bin/backfill", "/bin/true")
        (tmp_path / name).write_text(text.replace("User=error-rate-lake", "User=root"))
    added = tmp_path / "error-rate-lake.service.d"
    added.mkdir()
    (added / "deliver.conf").write_text(
        (DEPLOY / "deliver.conf").read_text().replace(f"{INSTALLED}/.venv/bin/backfill", "/bin/true")
    )
    done = ask("systemd-analyze", "verify", *sorted(tmp_path.glob("error-rate-lake*[er]")))
    said = [line for line in done.stderr.splitlines() if "error-rate-lake" in line]
    assert said == [], done.stderr
    for name in UNITS:
        for when in re.findall(r"(?m)^OnCalendar=(.*)$", (DEPLOY / name).read_text()):
            assert ask("systemd-analyze", "calendar", when).returncode == 0


def test_late_days_are_no_failure_of_the_unit():
    """They are for the alert rules to tell of; an unknown state is one."""
    text = (DEPLOY / "error-rate-lake-check.service").read_text()
    (codes,) = re.findall(r"(?m)^SuccessExitStatus=(.*)$", text)
    assert [Status(int(code)) for code in codes.split()] == [Status.WARNING, Status.CRITICAL]


@pytest.mark.slow
@needs("groovy")
def test_jenkins_sees_what_there_is(make_project):
    """Late days make a build unstable; critical ones, and a lake that can't be looked at, make it fail."""
    folders = {}
    for name, missing in {"well": (), "late": ("18",), "critical": ("18", "19"), "broken": ()}.items():
        project = make_project(name)
        project.write_logs()
        for day in missing:
            (project.folder / f"logs/2015-05-{day}.log").unlink()
        text = (DEPLOY / "Jenkinsfile").read_text().replace(f"{INSTALLED}/.venv/bin/", "")
        (project.folder / "Jenkinsfile").write_text(text.replace(INSTALLED, str(project.folder)))
        folders[name] = str(project.folder)
    (project.folder / "luigi.cfg").unlink()
    done = project.run("groovy", str(JENKINS), *folders.values())
    assert done.returncode == 0, done.stdout + done.stderr
    found = dict(zip(folders, json.loads(done.stdout.splitlines()[-1]), strict=True))
    assert {name: (each["result"], each["said"]) for name, each in found.items()} == {
        "well": ("SUCCESS", []),
        "late": ("UNSTABLE", [NOT_THERE, LATE]),
        "critical": ("FAILURE", [NOT_THERE, CRITICAL]),
        "broken": ("FAILURE", [NOT_RUN]),
    }
    assert {name: each["tests"] for name, each in found.items()} == {
        "well": {"passed": 4, "failed": 0, "skipped": 0},
        "late": {"passed": 3, "failed": 1, "skipped": 0},
        "critical": {"passed": 2, "failed": 2, "skipped": 0},
        "broken": {},
    }
    assert {name for name, each in found.items() if each["ran"] == ["Nightly", "Check"]} == {*folders} - {"broken"}


@contextmanager
def serving(name, *arguments) -> Iterator[str]:
    """Run a server of Prometheus' on this machine only, and yield its URL."""
    address = f"127.0.0.1:{next(free_ports())}"
    command = [tool(name), f"--web.listen-address={address}", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 30
        while not answers(f"http://{address}/metrics"):
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield f"http://{address}"
    finally:
        process.kill()
        process.communicate()


def answers(url):
    """Return what is at a URL, None if nobody answers."""
    try:
        with urlopen(url, timeout=30) as answer:  # noqa: S310 - ours
            return answer.read().decode()
    except OSError:
        return None


def series(metrics, *left_out):
    """Return our series of metrics with their values, without some labels; numbers however written."""
    found = {}
    for name, labels, value in re.findall(r"(?m)^(error_rate_lake_\w+)\{(.*)\} (\S+)$", metrics):
        kept = [each for each in re.findall(r'(\w+)="([^"]*)"', labels) if each[0] not in left_out]
        found[name, *sorted(kept)] = float(value)
    return found


@pytest.mark.slow
@needs("prometheus-node-exporter")
def test_node_exporter_serves_the_metrics(deployed, a_project):
    """As the crontab's command has written them, and with no error of its own."""
    text, run = deployed
    (command,) = (each for each in re.findall(SKIPPED_JOB, text("crontab")) if "check --of" in each)
    run(*shlex.split(command), **configuration(text("crontab")))
    only = ("--collector.disable-defaults", "--collector.textfile")
    folder = f"--collector.textfile.directory={a_project.folder}"
    with serving("prometheus-node-exporter", *only, folder) as url:
        served = answers(f"{url}/metrics")
    written = series((a_project.folder / "error_rate_lake.prom").read_text())
    assert len(written) > 20
    assert series(served) == written
    assert "\nnode_textfile_scrape_error 0\n" in served


@pytest.mark.slow
@needs("curl")
@needs("prometheus-pushgateway")
def test_pushgateway_takes_the_metrics(a_project):
    """As the documentation pushes them; of a lake that can't be looked at, nothing is left but that."""
    line = example("docs/how-to/deploy.md", "pushed").strip().removeprefix("$ ")
    with serving("prometheus-pushgateway") as url:
        assert "http://127.0.0.1:9091" in line
        pushing = ("sh", "-ec", line.replace("http://127.0.0.1:9091", url))
        done = a_project.run(*pushing)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        served = series(answers(f"{url}/metrics"), "job", "instance")
        late = ("error_rate_lake_late_days", ("task", "ErrorRateDaily"))
        assert (len(served) > 20, served[late]) == (True, 4)
        (a_project.folder / "luigi.cfg").unlink()
        assert a_project.run(*pushing).returncode == 0
        served = series(answers(f"{url}/metrics"), "job", "instance")
        assert served == {("error_rate_lake_check_succeeded", ("task", "ErrorRateDaily")): 0}


@needs("promtool")
def test_prometheus_takes_the_rules():
    """Each is one of its language, and fires when test_deploy_rules.yml says so, and not before."""
    rules, cases = DEPLOY / "prometheus-rules.yml", Path(__file__).with_name("test_deploy_rules.yml")
    for done in (ask("promtool", "check", "rules", rules), ask("promtool", "test", "rules", cases)):
        assert done.returncode == 0, done.stdout + done.stderr
    alerts = re.findall(r"- alert: (\w+)", rules.read_text())
    firing = re.findall(r"- alertname: (\w+)\n *eval_time: \w+\n *exp_alerts:\n", cases.read_text())
    quiet = re.findall(r"- \{alertname: (\w+), eval_time", cases.read_text())
    assert sorted(alerts) == sorted(firing)
    assert set(alerts) == set(quiet)


def is_plugin_output(done, severity, warning, critical):
    """Assert that a command said and did what a plugin of Nagios does: a line, figures, an exit code."""
    says = rf"0 days there, 4 late, .*[^|] \| late=4;{warning};{critical};0 there=0;;;0( \w+=[\d;]+)*"
    if severity is Status.UNKNOWN:
        says = r"No configuration at /nowhere/luigi\.cfg\. [^|]*"
    assert re.fullmatch(rf"ErrorRateDaily {severity.name}: {says}\n", done.stdout), done.stdout
    assert done.returncode == severity


@pytest.mark.slow
@STATES
def test_nagios_runs_a_plugin(severity, warning, critical, deployed, a_project):
    """With the arguments of the service in the places of the command, each state is told."""
    text, run = deployed
    objects = text("nagios.cfg").replace("!1!2\n", f"!{warning}!{critical}\n")
    if severity is Status.UNKNOWN:
        objects = objects.replace(f"{a_project.folder}/luigi.cfg", "/nowhere/luigi.cfg")
    (command,) = re.findall(r"(?m)^ *command_line +(.*)$", objects)
    (check,) = re.findall(r"(?m)^ *check_command +(.*)$", objects)
    for n, argument in enumerate(check.split("!")[1:], start=1):
        assert f"$ARG{n}$" in command
        command = command.replace(f"$ARG{n}$", argument)
    # Nagios needs no shell for it, which would find these
    assert not set(command) & set("$`!;&|<>(){}*?'\"\\")
    is_plugin_output(run(*command.split()), severity, warning, critical)


@needs("nagios4")
def test_nagios_takes_its_configuration(tmp_path):
    """It finds a service, and nothing to say of it."""
    shutil.copy(DEPLOY / "nagios.cfg", tmp_path / "error-rate-lake.cfg")
    (tmp_path / "objects.cfg").write_text(NAGIOS_OBJECTS)
    (tmp_path / "nagios.cfg").write_text(
        NAGIOS.format(folder=tmp_path, user=tmp_path.owner(), group=tmp_path.group())
    )
    done = ask("nagios4", "-v", tmp_path / "nagios.cfg")
    assert done.returncode == 0, done.stdout
    for said in ("Checked 1 services.", "Checked 2 commands.", r"Total Warnings: 0", r"Total Errors:   0"):
        assert said in done.stdout, done.stdout


@pytest.mark.slow
@needs("icinga2")
@STATES
def test_icinga_runs_a_plugin(severity, warning, critical, deployed, tmp_path):
    """It takes its configuration, has a service for one host of two, and runs it with the host's own settings."""
    text, run = deployed
    own = {"warning": warning, "critical": critical}
    if severity is Status.UNKNOWN:
        own["config"] = "/nowhere/luigi.cfg"
    variables = {"error_rate_lake": True} | {f"error_rate_lake_{name}": value for name, value in own.items()}
    objects = icinga_objects(tmp_path / "icinga", text("icinga2.conf"), variables)
    assert [name for kind, name in objects if kind == "Service"] == ["lake!error-rates"]
    service = objects["Service", "lake!error-rates"]
    words, environment = icinga_runs(objects["CheckCommand", service["check_command"]], variables)
    is_plugin_output(run(*words, **environment), severity, warning, critical)


def icinga_objects(folder, text, variables) -> dict[tuple[str, str], dict[str, Any]]:
    """Return what Icinga makes of a configuration, by type and name."""
    folder.mkdir()
    (folder / "error-rate-lake.conf").write_text(text)
    literal = json.dumps(variables).replace('": ', '" = ')
    (folder / "icinga2.conf").write_text(ICINGA.format(variables=literal))
    places = ("ConfigDir", "DataDir", "CacheDir", "LogDir", "InitRunDir", "SpoolDir")
    defined = [word for place in places for word in ("-D", f"{place}={folder}")]
    # later ones write what `object list` reads only if they are told to
    dump = [word for word in ("--dump-objects",) if word in ask("icinga2", "daemon", "--help").stdout]
    defined += ["-D", f"RunAsUser={folder.owner()}", "-D", f"RunAsGroup={folder.group()}"]
    done = ask("icinga2", "daemon", "-C", "-c", folder / "icinga2.conf", *defined, *dump)
    assert done.returncode == 0, done.stdout
    assert "warning/" not in done.stdout
    dumped = netstrings((folder / "icinga2.debug").read_bytes())
    return {(each["type"], each["properties"]["__name"]): each["properties"] for each in map(json.loads, dumped)}


def netstrings(data: bytes) -> Iterator[bytes]:
    """Yield what stands in netstrings, `<length>:<bytes>,`."""
    while data:
        length, _, rest = data.partition(b":")
        yield rest[: int(length)]
        data = rest[int(length) + 1 :]


def icinga_runs(command, variables) -> tuple[list[str], dict[str, str]]:
    """Return the words and the environment of a check: an argument without a value is left out."""
    known = {f"${name}$": str(value) for name, value in (command["vars"] | variables).items()}
    arguments = [(option, known[macro]) for option, macro in command["arguments"].items() if macro in known]
    assert {option for option, _ in arguments} == {"--of", "--days", "--warning", "--critical"}
    words = [*command["command"], *(word for pair in arguments for word in pair)]
    return words, {name: known[macro] for name, macro in command["env"].items()}

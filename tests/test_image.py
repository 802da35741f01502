"""The container image: what is in it, what it does under restrictions, and how it ends: `make test-image`."""

import json
import re
import shutil
import signal
import subprocess
import tomllib
from pathlib import Path

import containers
import pytest
from conftest import Project
from containers import (
    MONTH,
    RESTRICTED,
    USER,
    exit_code,
    files_of,
    mounted,
    played,
    pod_of,
    podman,
    run,
    started,
    until,
)
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pages import REPOSITORY, read

pytestmark = pytest.mark.image
MEGABYTES = 700
EXTRAS = ("excel", "fast", "mongodb", "postgres", "spreadsheet")
TWELVE_DAYS = (*MONTH[:-1], "2026-09-13")
WITHOUT_NUMBA = """
import sys
sys.modules["numba"] = None     # whoever compiles fails
from etl.kernel import machine_code
assert callable(machine_code.kernel())
"""
PACKAGES = """
import json
from importlib.metadata import distributions
print(json.dumps({each.name: [each.version, each.requires or []] for each in distributions()}))
"""
KUBERNETES = REPOSITORY / "backfill/deploy/kubernetes"


@pytest.fixture
def a_month(sample_project: Project, month_of_logs: Path) -> Project:
    """Return the project of the sample logs."""
    shutil.copytree(month_of_logs, sample_project.folder / "var/logs")
    return sample_project


def published(project: Project) -> dict[str, bytes]:
    """Return the files of a sample project's lake by key."""
    return files_of(project.folder / "var/lake")


def test_it_is_small_and_says_what_it_is(built):
    """Its size, its user, which is not root and has a number, and OCI's labels; nothing but what they say."""
    assert built["Size"] <= MEGABYTES * 1_000_000
    (said,) = re.findall(r"^The image has (\d+) MB:$", read("docs/how-to/containers.md"), re.MULTILINE)
    assert built["Size"] / 1_000_000 == pytest.approx(int(said), rel=0.03)
    settings = built["Config"]
    assert settings["User"] == f"{USER}:{USER}"
    assert settings["WorkingDir"] == "/project"
    assert "Healthcheck" not in settings
    told = {name.rpartition(".")[2]: text for name, text in settings["Labels"].items() if "opencontainers" in name}
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert told == {
        "title": project["name"],
        "description": project["description"],
        "licenses": project["license"],
        "version": project["version"],
        "revision": head.stdout.strip(),
        "name": "docker.io/library/debian:trixie-slim",
    }
    history = podman("history", "--no-trunc", "--format", "{{.CreatedBy}}", containers.IMAGE)
    assert "http" not in f"{history}{settings}"  # no address of an index


def test_its_packages_are_those_of_the_lock_and_all_are_needed(built):
    """Each is asked for by the project or by another, in a version that is locked; nothing that builds is."""
    done = run(RESTRICTED, "python", "-P", "-c", PACKAGES)
    found = {canonicalize_name(name): rest for name, rest in json.loads(done.stdout).items()}
    lock = (REPOSITORY / "requirements-image.lock").read_text(encoding="utf-8")
    of_container = {"python_full_version": "3.13.5", "python_version": "3.13", "sys_platform": "linux"}
    locked = {
        canonicalize_name(each.name): str(each.specifier).removeprefix("==")
        for each in (Requirement(line.rstrip("\\ ")) for line in lock.splitlines() if line[:1].isalnum())
        if not each.marker or each.marker.evaluate(of_container)
    }
    wanted, seen = [("error-rate-lake", frozenset(EXTRAS))], set()
    while wanted:
        name, extras = wanted.pop()
        seen.add(name)
        for each in map(Requirement, found[name][1]):
            markers = [{**of_container, "extra": extra} for extra in ("", *extras)]
            following = (canonicalize_name(each.name), frozenset(each.extras))
            if (not each.marker or any(map(each.marker.evaluate, markers))) and following[0] not in seen:
                wanted.append(following)
    assert seen == set(found)
    assert {name: version for name, (version, _) in found.items() if name != "error-rate-lake"} == {
        name: locked[name] for name in seen - {"error-rate-lake"}
    }


def test_all_modules_can_be_imported(built):
    """What was taken out of libraries is missed by none of ours, but for what needs an extra that isn't there."""
    program = """
import pkgutil
from importlib import import_module
missing = set()
for package in ("lake", "etl", "tasks", "backfill"):
    for module in pkgutil.walk_packages(import_module(package).__path__, f"{package}."):
        if not module.name.endswith("__main__"):
            try:
                import_module(module.name)
            except Exception as error:
                cause = error.__cause__ or error
                if not isinstance(cause, ModuleNotFoundError):
                    raise
                missing.add(cause.name)
import adbc_driver_postgresql.dbapi, openpyxl, pandas, pyarrow.dataset, pymongo, xlsxwriter
assert pandas.DataFrame({"a": [1]}).to_parquet() and pandas.api.types
print(sorted(missing))
"""
    done = run(RESTRICTED, "python", "-P", "-W", "error::ImportWarning", "-c", program)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "['google', 'jinja2', 'markupsafe', 'vl_convert']\n"
    done = run(RESTRICTED, "lake", "report")
    assert (done.returncode, "error-rate-lake[report]" in done.stderr) == (2, True), done.stderr


def test_the_kernel_is_in_it(built):
    """It is loaded by a user that may write nowhere, without what would compile it."""
    for options in ((), ("--user", "4711:4711")):
        done = run((*RESTRICTED, "--network", "none", *options), "python", "-P", "-c", WITHOUT_NUMBA)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_one_that_is_stopped_leaves_nothing_half_done(a_month, built_outside, how):
    """By `podman stop` it exits 143, and all that is published is whole; the next run builds the rest."""
    lake = a_month.folder / "var/lake"
    options = mounted(a_month.folder, "var/lake")
    with started(f"{how}-{a_month.folder.parent.name}", options, *TWELVE_DAYS) as name:
        until(lambda: list(lake.glob("error_rate/v1/*/*/*.parquet")))
        podman(how, *(("--time", "60") if how == "stop" else ()), name)
        assert exit_code(name) == 128 + (signal.SIGTERM if how == "stop" else signal.SIGKILL)
    halfway = published(a_month)
    days = sum(key.startswith("error_rate/") for key in halfway)
    assert 0 < days < 12
    assert halfway.items() <= built_outside.items()
    if how == "stop":  # of one that was killed, verify may name what was begun, until the next run
        done = run(options, "lake", "verify")
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
    done = run(options, *TWELVE_DAYS, "--workers", "2")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{12 - days} built, {days} already there" in done.stdout
    assert published(a_month) == {
        key: content for key, content in built_outside.items() if key.split("/")[2] < "dt=2026-09-13"
    }
    done = run(options, "lake", "verify")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_any_process_ends_at_once_when_it_is_stopped(built):
    """PID 1 passes SIGTERM on, also to what has no handler of its own."""
    with started("sleeper", RESTRICTED, "sleep", "300") as name:
        podman("stop", "--time", "60", name)
        assert exit_code(name) == 128 + signal.SIGTERM


def test_a_user_of_another_number_needs_no_entry(a_project, built):
    """As Kubernetes and `--user` have them: it publishes, and what asks for its name has one."""
    folder = a_project.folder / "lake"
    options = mounted(a_project.folder)
    shutil.chown(folder, 4711, 4711)
    days = ("--start", "2015-05-17", "--stop", "2015-05-19")
    user = ("--user", "4711:4711", "--passwd=false")
    done = run((*options, *user), "backfill", "run", "--of", "ErrorRateDaily", *days)
    assert (done.returncode, done.stderr) == (0, "")
    done = run(
        (*options, *user), "python", "-P", "-c", "from lake.provenance import requester; print(requester())"
    )
    assert done.stdout.startswith("lake@")


def test_the_nightly_job_of_kubernetes_builds_what_is_missing(a_project, built, tmp_path):
    """Played by podman as a pod: it exits 0, and the lake is that of the same command outside."""
    logs, lake = a_project.folder / "logs", a_project.folder / "lake"
    source = {**a_project.source, "files": "{YYYY}-{MM}-{DD}.log"}
    a_project.configure(lake={"root": "/lake"}, web={**source, "root": "/logs"})
    told = (a_project.folder / "luigi.cfg").read_text(encoding="utf-8")
    mounted(a_project.folder)
    text = pod_of(
        [KUBERNETES / "settings.yaml", KUBERNETES / "nightly.yaml"],
        "CronJob",
        {"error-rate-lake": lake, "raw-logs": logs},
        **{"luigi.cfg": told},
    )
    with played(tmp_path, text) as (name,):
        assert exit_code(name) == 0, podman("logs", name)
    inside = a_project.published()
    lake.rename(a_project.folder / "inside")
    a_project.configure(lake={"root": "lake"}, web={**source, "root": "logs"})
    done = a_project.run("backfill", "nightly", "--of", "ErrorRateDaily")
    assert done.returncode == 0, done.stderr
    assert a_project.published() == inside != {}

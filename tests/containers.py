"""Containers of the image that `.ci/image` has built: `make test-image`."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pages import REPOSITORY

IMAGE = "localhost/error-rate-lake"
USER = 10001
RESTRICTED = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "all", "--security-opt", "no-new-privileges")  # noqa: S108 - the container's
SECONDS = 120
MONTH = ("backfill", "run", "--of", "ErrorRateDaily", "--start", "2026-09-01", "--stop", "2026-10-01")


def until(is_so: Callable[[], Any], seconds: int = SECONDS) -> Any:
    """Wait until something is there, and return it."""
    deadline = time.monotonic() + seconds
    while not (found := is_so()):
        assert time.monotonic() < deadline, is_so
        time.sleep(0.05)
    return found


def podman(*arguments: str | Path, code: int | None = 0) -> str:
    """Run podman and return what it printed; unless it is asked for any, its exit code is asserted."""
    done = subprocess.run(
        ["podman", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
        stdin=subprocess.DEVNULL,
    )
    assert code is None or done.returncode == code, (arguments, done.stdout, done.stderr)
    return done.stdout


def mounted(folder: Path, lake: str = "lake") -> tuple[str, ...]:
    """Return a container's options that mount a project read-only, and its lake, which the image's user owns."""
    there = folder / lake
    there.mkdir(parents=True, exist_ok=True)
    for each in (there, *there.rglob("*")):
        os.chown(each, USER, USER)
    return (*RESTRICTED, "--volume", f"{folder}:/project:ro", "--volume", f"{there}:/project/{lake}")


def run(options: tuple[str, ...], *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a container."""
    return subprocess.run(
        ["podman", "run", "--rm", *options, IMAGE, *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
        stdin=subprocess.DEVNULL,
    )


@contextmanager
def started(name: str, options: tuple[str, ...], *command: str) -> Iterator[str]:
    """Begin a command in a container of a name, and remove it afterwards."""
    podman("run", "--detach", "--name", name, *options, IMAGE, *command)
    try:
        yield name
    finally:
        podman("rm", "--force", "--time", "0", name, code=None)


def exit_code(name: str) -> int:
    """Wait for the end of a container, and return its exit code."""
    return int(podman("wait", name))


def image() -> dict[str, Any]:
    """Return what podman knows of the image."""
    (found,) = json.loads(podman("image", "inspect", IMAGE))
    return found


def pod_of(manifests: list[Path], kind: str, claims: dict[str, Path], **changed: str) -> str:
    """Return manifests of Kubernetes as podman plays them: the pod of a Job or CronJob, and each ConfigMap.

    Args:
        manifests: The files.
        kind: Job or CronJob; there is one of it.
        claims: Which folder is mounted for each claim of a volume.
        changed: Keys of the settings in a ConfigMap, and their new values.
    """
    import yaml

    documents = [each for path in manifests for each in yaml.safe_load_all(path.read_text(encoding="utf-8"))]
    (found,) = (each for each in documents if each["kind"] == kind)
    spec = found["spec"]["jobTemplate"]["spec"] if kind == "CronJob" else found["spec"]
    pod = spec["template"]["spec"]
    for volume in pod.get("volumes", ()):
        claim = volume.pop("persistentVolumeClaim", None)
        if claim:
            volume["hostPath"] = {"path": str(claims[claim["claimName"]]), "type": "Directory"}
    for container in pod["containers"]:
        assert re.fullmatch(r"(localhost/)?error-rate-lake(:[\d.]+)?", container["image"])
        container |= {"image": f"{IMAGE}:latest", "imagePullPolicy": "Never"}
    settings = [each for each in documents if each["kind"] == "ConfigMap"]
    for each in settings:
        each["data"] |= {name: text for name, text in changed.items() if name in each["data"]}
    name = {"name": found["metadata"]["name"]}
    pod["hostNetwork"] = True
    return yaml.safe_dump_all([*settings, {"apiVersion": "v1", "kind": "Pod", "metadata": name, "spec": pod}])


@contextmanager
def played(folder: Path, text: str) -> Iterator[list[str]]:
    """Have podman play manifests; yields the names of the pod's containers, and removes all afterwards."""
    path = folder / "pod.yaml"
    path.write_text(text, encoding="utf-8")
    (pod,) = re.findall(r"^Pod:\s+(\w+)", _in_groups("play", path), re.MULTILINE)
    try:
        names = podman("ps", "--all", "--filter", f"pod={pod}", "--format", "{{.Names}} {{.IsInfra}}")
        yield [line.split()[0] for line in names.splitlines() if line.endswith("false")]
    finally:
        _in_groups("down", path)


def _in_groups(*words: str | Path) -> str:
    """Run `podman kube` and return what it printed: pods need control groups; other containers do not."""
    settings = Path(os.environ["CONTAINERS_CONF"]).with_name("pods.conf")
    script = f'umount /sys/fs/cgroup; CONTAINERS_CONF="{settings}" exec podman kube "$@"'
    command = ["unshare", "--mount", "sh", "-ec", script, "sh", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert done.returncode == 0, (done.stdout, done.stderr)
    return done.stdout


@pytest.fixture(scope="session")
def built() -> dict[str, Any]:
    """Return what is known of the image; skip where it was not built."""
    if "IMAGE_TESTS" not in os.environ:
        pytest.skip("There is no image here: make test-image")
    assert shutil.which("podman")
    return image()


@pytest.fixture(scope="session")
def month_of_logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the sample logs."""
    folder = tmp_path_factory.mktemp("sample") / "var/logs"
    subprocess.run([sys.executable, REPOSITORY / "tests/tools/sample.py", folder], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def built_outside(built: dict[str, Any], month_of_logs: Path) -> dict[str, bytes]:
    """Return the files of a lake of that month, built without a container, by key."""
    folder = month_of_logs.parent.parent
    shutil.copy(REPOSITORY / "luigi.cfg", folder)
    command = [Path(sys.executable).with_name(MONTH[0]), *MONTH[1:]]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return files_of(folder / "var/lake")


def files_of(lake: Path) -> dict[str, bytes]:
    """Return a lake's files by key."""
    return {str(path.relative_to(lake)): path.read_bytes() for path in sorted(lake.rglob("*.parquet"))}

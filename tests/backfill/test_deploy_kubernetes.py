"""What a Kubernetes cluster is given: taken by its schemas, and each container's command run as it stands."""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import yaml
from conftest import Project
from programs import ask, needs
from s3_servers import free_ports

from backfill import cli
from lake.exit_codes import OWN, STOPPED

FOLDER = Path(cli.__file__).parent / "deploy/kubernetes"
KUSTOMIZATION = "kustomization.yaml"
FILES = sorted(path.name for path in FOLDER.glob("*.yaml") if path.name != KUSTOMIZATION)
OBJECTS = {
    (each["kind"], each["metadata"]["name"]): each
    for name in FILES
    for each in yaml.safe_load_all((FOLDER / name).read_text())
}
CONFIG_MAP = OBJECTS["ConfigMap", "error-rate-lake-settings"]
NIGHTLY = OBJECTS["CronJob", "error-rate-lake-nightly"]["spec"]["jobTemplate"]["spec"]
BACKFILL = OBJECTS["Job", "error-rate-lake-backfill"]["spec"]
LUIGID = OBJECTS["Deployment", "luigid"]["spec"]
JOBS = pytest.mark.parametrize("job", [NIGHTLY, BACKFILL], ids=["nightly", "backfill"])
PODS = pytest.mark.parametrize(
    "template", [each["template"] for each in (NIGHTLY, BACKFILL, LUIGID)], ids=["nightly", "backfill", "luigid"]
)
SECONDS = 30


@dataclass(frozen=True)
class Pod:
    """A pod's only container, whose volumes are folders of a project.

    Attributes:
        container: As the file has it.
        project: The project: its lake and its logs are what is mounted.
    """

    container: dict[str, Any]
    project: Project

    def placed(self, text: str) -> str:
        """Return a text with the folders of this machine in place of the container's."""
        places = {each["mountPath"]: each["name"] for each in self.container["volumeMounts"]}
        paths = rf"(?<![\w/])({'|'.join(places)})(?!\w)"
        return re.sub(paths, lambda path: str(self.project.folder / places[path[1]]), text)

    def command(self, **given: str) -> tuple[list[str], dict[str, str]]:
        """Return the words and the environment that the container is started with; `given` is the controller's."""
        environment = {each["name"]: each["value"] for each in self.container["env"]} | given
        words = [
            re.sub(r"\$\((\w+)\)", lambda name: environment.get(name[1], name[0]), each)
            for each in self.container["args"]
        ]
        return [self.placed(each) for each in words], {k: self.placed(v) for k, v in environment.items()}

    def run(self, **given: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        words, environment = self.command(**given)
        return self.project.run(*words, **environment)


@pytest.fixture
def pod(make_project):
    """Return a function that makes the pod of a template, in a project with so many days of logs."""

    def make(template: dict[str, Any], days: int = 4, name: str = "project") -> Pod:
        project = make_project(name)
        project.write_logs(days)
        (project.folder / "luigi.cfg").unlink()
        for path in (project.folder / "logs").iterdir():
            path.rename(path.with_name(f"access-{path.name}"))
        (container,) = template["spec"]["containers"]
        made = Pod(container, project)
        (project.folder / "settings").mkdir()
        for key, text in CONFIG_MAP["data"].items():
            until = date(2015, 5, 17) + timedelta(days=days)
            (project.folder / "settings" / key).write_text(f"{made.placed(text)}until = {until}\n")
        return made

    return make


def becomes_of(job: dict[str, Any], code: int) -> str:
    """Return what a Job does about a container's exit code: the first rule that names it, else another try."""
    (container,) = job["template"]["spec"]["containers"]
    for rule in job["podFailurePolicy"]["rules"]:
        codes = rule.get("onExitCodes")
        if codes and codes["containerName"] == container["name"] and code in codes["values"]:
            assert codes["operator"] == "In"
            return rule["action"]
    return "another try"


@pytest.mark.slow
@needs("kubernetes-validate")
@pytest.mark.parametrize("version", ["1.33.0", "1.37.0"])
def test_kubernetes_takes_the_files(version, tmp_path):
    """By its own schemas, and without a field that they don't have: one with a slip of the pen is refused."""
    strictly = ("kubernetes-validate", "--strict", "--kubernetes-version", version)
    done = ask(*strictly, *(FOLDER / name for name in FILES))
    assert (done.returncode, done.stdout.count("passed")) == (0, len(OBJECTS)), done.stdout + done.stderr
    for name in FILES:
        text = (FOLDER / name).read_text()
        wrong = re.sub(r"(?m)^(  )(accessModes|jobTemplate|completions|replicas|data|name):", r"\1x\2:", text)
        assert wrong != text
        (tmp_path / name).write_text(wrong)
        assert ask(*strictly, tmp_path / name).returncode == 1, name


def test_kustomization_has_the_files():
    """All but those that are applied by hand: a backfill, and a scheduler that not everybody needs."""
    found = yaml.safe_load((FOLDER / KUSTOMIZATION).read_text())
    assert (found["apiVersion"], found["kind"]) == ("kustomize.config.k8s.io/v1beta1", "Kustomization")
    assert sorted(found["resources"]) == sorted({*FILES} - {"backfill.yaml", "luigid.yaml"})


@PODS
def test_pods_may_do_little(template):
    """They fulfil the restricted Pod Security Standard, and write only to volumes; each volume is there."""
    spec = template["spec"]
    (container,) = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert "memory" in container["resources"]["limits"]
    assert {each["name"] for each in container["volumeMounts"]} == {each["name"] for each in spec["volumes"]}
    for volume in spec["volumes"]:
        if claim := volume.get("persistentVolumeClaim"):
            assert ("PersistentVolumeClaim", claim["claimName"]) in OBJECTS
        elif config := volume.get("configMap"):
            assert ("ConfigMap", config["name"]) in OBJECTS
        else:
            assert volume["emptyDir"] == {}
    assert [key for key in OBJECTS if key[0] == "Secret"] == []


def test_podman_can_play_the_pods():
    """It makes a volume of each claim and of each ConfigMap, by their names: no two have the same."""
    names = [name for kind, name in OBJECTS if kind in {"ConfigMap", "PersistentVolumeClaim"}]
    assert len({*names}) == len(names) == 3


def test_the_night_runs_as_it_stands(pod):
    """Its days are there, with the luigi.cfg of the ConfigMap."""
    night = pod(NIGHTLY["template"])
    done = night.run()
    assert (done.returncode, done.stderr) == (0, "")
    assert "4 built, 0 already there" in done.stdout
    assert len([key for key in night.project.published() if key.startswith("error_rate/")]) == 4


@pytest.mark.slow
def test_parts_of_the_backfill_are_the_range(pod):
    """One pod after the other by its index: all is there then, byte for byte as one run makes it."""
    words, _ = pod(BACKFILL["template"], 0).command(JOB_COMPLETION_INDEX="0")
    days = {word.partition("=")[0]: word.partition("=")[2] for word in words}
    start, stop = (date.fromisoformat(days[each]) for each in ("--start", "--stop"))
    count = BACKFILL["completions"]
    assert (BACKFILL["completionMode"], days["--part"]) == ("Indexed", f"0/{count}")
    assert BACKFILL["parallelism"] <= count
    job = pod(BACKFILL["template"], (stop - start).days, "job")
    for index in range(count):
        done = job.run(JOB_COMPLETION_INDEX=str(index))
        assert (done.returncode, done.stderr) == (0, "")
        assert f"{(stop - start).days // count} built, 0 already there" in done.stdout
    alone = pod(BACKFILL["template"], (stop - start).days, "alone")
    words, environment = alone.command()
    assert alone.project.run(*(w for w in words if "--part" not in w), **environment).returncode == 0
    published = job.project.published()
    assert len([key for key in published if key.startswith("error_rate/")]) == (stop - start).days
    assert published == alone.project.published()


@JOBS
def test_each_exit_code_has_its_consequence(job):
    """A day that can't be built is not tried again, and stops no other part; a lake that doesn't answer is."""
    ours = "FailIndex" if "completionMode" in job else "FailJob"
    found = {code: becomes_of(job, code) for code in (1, 2, 3, *STOPPED)}
    assert found == {1: ours, 2: "FailJob", 3: "another try"} | dict.fromkeys(STOPPED, "another try")
    assert {*OWN["backfill run"], *OWN["backfill nightly"]} <= {0, *found}
    assert job["template"]["spec"]["restartPolicy"] == "Never"
    assert [rule["action"] for rule in job["podFailurePolicy"]["rules"] if "onPodConditions" in rule] == ["Ignore"]
    assert ("backoffLimitPerIndex" if "completionMode" in job else "backoffLimit") in job


@JOBS
def test_exit_codes_are_what_the_policies_take_them_for(job, pod):
    """Of a raw log that is not there, a luigi.cfg that is wrong, and a lake that can't be read."""
    made = pod(job["template"], 16)
    project, index = made.project, {"JOB_COMPLETION_INDEX": "7"}
    settings = project.folder / "settings/luigi.cfg"
    text = settings.read_text()
    (project.folder / "logs/access-2015-06-01.log").unlink()
    assert made.run(**index).returncode == 1
    settings.write_text(text.replace("combined", "nonesuch"))
    assert made.run(**index).returncode == 2
    (project.folder / "file").touch()
    settings.write_text(text.replace(f"{project.folder}/lake", f"{project.folder}/file"))
    assert made.run(**index).returncode == 3


@pytest.fixture
def luigid(pod) -> Iterator[tuple[Pod, str]]:
    """Run the scheduler's container on this machine only, and yield it with its URL."""
    made = pod(LUIGID["template"], 0)
    (made.project.folder / "state").mkdir()
    port = str(next(free_ports()))
    words = [made.placed(each) for each in made.container["args"]]
    own = [{"0.0.0.0": "127.0.0.1", "8082": port}.get(each, each) for each in words]  # noqa: S104 - what it isn't
    assert own != words
    process = subprocess.Popen(
        own,
        cwd=made.project.folder,
        env=made.project.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield made, f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_the_scheduler_answers_its_probes(luigid):
    """At the path and the port that Kubernetes asks; the Service leads there, and lets workers in."""
    made, url = luigid
    probes = [made.container[f"{each}Probe"]["httpGet"] for each in ("startup", "readiness", "liveness")]
    assert {each["port"] for each in probes} == {port["name"] for port in made.container["ports"]}
    deadline = time.monotonic() + SECONDS
    for path in {each["path"] for each in probes}:
        while True:
            try:
                with urlopen(url + path, timeout=SECONDS) as answer:  # noqa: S310
                    assert json.load(answer) == {"response": {"enabled": True}}
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.05)


def test_workers_find_the_scheduler():
    """By the Service's name and port, through its network policy."""
    service, policy = OBJECTS["Service", "luigid"]["spec"], OBJECTS["NetworkPolicy", "luigid"]["spec"]
    (container,) = LUIGID["template"]["spec"]["containers"]
    (port,) = service["ports"]
    labels = LUIGID["template"]["metadata"]["labels"]
    assert (
        service["selector"] == policy["podSelector"]["matchLabels"] == labels == LUIGID["selector"]["matchLabels"]
    )
    assert port["targetPort"] == container["ports"][0]["name"] == policy["ingress"][0]["ports"][0]["port"]
    assert str(container["ports"][0]["containerPort"]) in container["args"]
    assert f"default-scheduler-url = http://luigid:{port['port']}\n" in (FOLDER / "luigid.yaml").read_text()
    allowed = policy["ingress"][0]["from"][0]["podSelector"]["matchLabels"]
    for job in (NIGHTLY, BACKFILL):
        assert allowed.items() <= job["template"]["metadata"]["labels"].items()

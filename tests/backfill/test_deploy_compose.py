"""What Compose is given: taken by its specification's schema, and each service's command run as it stands."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from programs import ask, needs
from s3_servers import KEYS, SeaweedFS, free_ports, partitions

from backfill import cli

FILE = Path(cli.__file__).parent / "deploy/container/compose.yaml"
SETTINGS = FILE.with_name("luigi.cfg")
SERVICES = yaml.safe_load(FILE.read_text())["services"]
PYTHON = Path(sys.executable).parent
DAYS = 6
SECONDS = 30


@pytest.mark.slow
@needs("check-jsonschema")
def test_compose_takes_the_file(tmp_path):
    """By the specification's own schema, and without a key that it doesn't have: a slip of the pen is refused."""
    schema = ("check-jsonschema", "--builtin-schema", "vendor.compose-spec")
    done = ask(*schema, FILE)
    assert done.returncode == 0, done.stdout
    for key in ("command", "stop_grace_period", "condition", "interval"):
        (tmp_path / "compose.yaml").write_text(re.sub(rf"(?m)^( +){key}:", r"\1x\g<0>", FILE.read_text(), count=1))
        assert ask(*schema, tmp_path / "compose.yaml").returncode == 1, key


@pytest.mark.parametrize("name", SERVICES)
def test_containers_may_do_little(name):
    """They write to volumes and to memory, gain no rights, and have no secret but from the environment."""
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    secrets = [value for key, value in service.get("environment", {}).items() if re.search("KEY|SECRET", key)]
    assert all(re.fullmatch(r"\$\{AWS_\w+:\?see \.env\}", each) for each in secrets)
    assert len(secrets) == (0 if name == "luigid" else 2)
    for port in service.get("ports", ()):
        assert port.startswith("127.0.0.1:")


def test_secrets_are_not_committed():
    """The file that the documentation has them written to is none of the repository, and so none of a wheel."""
    done = ask("git", "-C", FILE.parent, "check-ignore", FILE.with_name(".env"))
    assert (done.returncode, done.stdout.strip()) == (0, str(FILE.with_name(".env")))


def test_images_are_of_this_version():
    """Wherever a container is declared, for Compose and for Kubernetes."""
    texts = [path.read_text() for path in (FILE, *FILE.parent.parent.glob("kubernetes/*.yaml"))]
    images = [image for text in texts for image in re.findall(r"(?m)^ *image: (error-rate-lake.*)$", text)]
    assert len(images) == 4
    assert {*images} == {f"error-rate-lake:{version('error-rate-lake')}"}
    assert f"\nARG VERSION={version('error-rate-lake')}\n" in FILE.with_name("Dockerfile").read_text()


def test_luigi_cfg_is_of_these_services():
    """It names the scheduler and the S3 server by their names and ports, and the bucket that is made."""
    text = SETTINGS.read_text()
    assert set(re.findall(r"http://(\w+):", text)) == {"luigid", "s3"}
    assert re.search(r"(?m)^default-scheduler-url = http://luigid:8082$", text)
    assert SERVICES["luigid"]["command"][3:5] == ["--port", "8082"]
    assert re.search(r"(?m)^endpoint_url = http://s3:8333$", text)
    assert {"-s3.port=8333", "-bucket=lake"} <= set(SERVICES["s3"]["command"])
    assert re.search(r"(?m)^root = s3://lake/lake$", text)


@contextmanager
def scheduler(project) -> Iterator[int]:
    """Run the scheduler's command on this machine only, and yield its port."""
    port = next(free_ports())
    words = {"0.0.0.0": "127.0.0.1", "8082": str(port)}  # noqa: S104 - in its container
    words["/tmp/scheduler.state"] = str(project.folder / "scheduler.state")  # noqa: S108 - likewise
    command = [words.get(each, each) for each in SERVICES["luigid"]["command"]]
    assert len({*command} & {*words.values()}) == 3
    with (project.folder / "luigid.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=project.folder, env=project.environment, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        yield port
    finally:
        process.kill()
        process.wait()


def is_healthy(folder: Path, service: str, **places: str) -> bool:
    """Tell what a service's health check says, on this machine."""
    kind, *words = SERVICES[service]["healthcheck"]["test"]
    for inside, here in places.items():
        assert any(inside in each for each in words)
        words = [each.replace(inside, here) for each in words]
    if kind == "CMD-SHELL":
        words = ["sh", "-c", *words]
    environment = {"PATH": f"{PYTHON}:/usr/bin:/bin", "TMPDIR": str(folder)}
    return not subprocess.run(words, env=environment, capture_output=True, check=False, timeout=60).returncode


def until(condition) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.slow
def test_two_workers_share_the_backfill(a_project, tmp_path):
    """Through the scheduler, in the bucket of the S3 server; each service is healthy before, and only then."""
    a_project.write_logs(DAYS)
    for path in (a_project.folder / "logs").iterdir():
        path.rename(path.with_name(f"access-{path.name}"))
    assert not is_healthy(tmp_path, "luigid", **{"8082": str(next(free_ports()))})
    server = SeaweedFS(tmp_path / "s3", ["weed", *SERVICES["s3"]["command"]])
    try:
        master = "weed shell -master=127.0.0.1:{}.{}".format(
            *(server.ports[f"master.port{kind}"] for kind in ("", ".grpc"))
        )
        until(lambda: is_healthy(tmp_path, "s3", **{"weed shell": master}))
        with scheduler(a_project) as port:
            until(lambda: is_healthy(tmp_path, "luigid", **{"8082": str(port)}))
            text = (
                SETTINGS.read_text()
                .replace("http://s3:8333", server.url)
                .replace("luigid:8082", f"127.0.0.1:{port}")
            )
            text += f"until = {date(2015, 5, 17) + timedelta(days=DAYS)}\n"
            (a_project.folder / "luigi.cfg").write_text(text.replace("= /logs", f"= {a_project.folder}/logs"))
            worker = SERVICES["worker"]
            environment = {"LUIGI_CONFIG_PATH": str(a_project.folder / "luigi.cfg")}
            assert environment.keys() | KEYS.keys() == worker["environment"].keys()
            a_project.environment.update(KEYS | environment)
            workers = [a_project.start(*worker["command"]) for _ in range(worker["deploy"]["replicas"])]
            said = [each.communicate(timeout=120) for each in workers]
        assert [each.returncode for each in workers] == [0, 0], said
        keys = partitions(server.url, "s3://lake/lake")
    finally:
        server.stop()
    assert len(workers) == 2
    assert len([key for key in keys if key.startswith("error_rate/")]) == DAYS

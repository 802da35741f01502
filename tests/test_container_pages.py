"""What the documentation shows of containers works as it is printed: `make test-image`."""

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from containers import exit_code, files_of, mounted, podman, run, until
from pages import REPOSITORY, commands, example
from s3_servers import partitions

PAGE = "docs/how-to/containers.md"
pytestmark = pytest.mark.image


def lines(name):
    """Return the commands of a block, each in one line, with what is shown below it."""
    return list(commands(example(PAGE, name).replace("\\\n", "")))


def words(name):
    """Return the one command of a block."""
    ((line, _),) = lines(name)
    return line


@pytest.fixture
def port():
    """Return a port that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def service(port, built):
    """Return the address of podman's service, begun as the page says, with a socket of its own."""
    begun, exported, _ = (line for line, _ in lines("podman from luigi"))
    address = exported.partition("=")[2]
    assert f"{address} &" in begun
    own = Path(os.environ["XDG_RUNTIME_DIR"]) / f"{port}.sock"  # a short one, as sockets need
    process = subprocess.Popen(begun.replace(address, f"unix://{own}").removesuffix(" &").split())
    try:
        until(lambda: own.exists() or process.poll() is not None)
        yield f"unix://{own}"
    finally:
        process.terminate()
        process.wait()


def test_it_is_built_as_the_page_says(built):
    """The script that has built it says the same, and how this machine reaches its packages."""
    command = words("podman build")
    dockerfile = "backfill/deploy/container/Dockerfile"
    script = (REPOSITORY / ".ci/image").read_text(encoding="utf-8")
    assert f"DOCKERFILE={dockerfile}\n" in script
    assert command.endswith(f" -f {dockerfile} .")
    assert f"    {command.removesuffix(f' {dockerfile} .')} $DOCKERFILE " in script


def test_a_month_is_the_same_as_outside(make_project, built_outside):
    """Each command prints what is shown, and each partition has the same bytes as outside."""
    made = make_project("clone").anew()
    shutil.copy(REPOSITORY / "luigi.cfg", made.folder)
    (made.folder / "tests").symlink_to(REPOSITORY / "tests")
    for name in ("podman prepare", "podman run", "podman commands"):
        for line, shown in lines(name):
            done = made.run("sh", "-ec", line.removeprefix("sudo "))
            assert (done.returncode, done.stderr) == (0, ""), line
            assert done.stdout.startswith(shown.removesuffix("…\n"))
    assert "Nothing to do, nothing was rebuilt." in done.stdout
    assert files_of(made.folder / "var/lake") == built_outside


def test_credentials_come_from_the_environment(on_s3, built):
    """A lake on S3 is built by those of the shell, which no command has."""
    project = on_s3.anew()
    done = project.run("sh", "-ec", words("podman s3"))
    assert done.returncode == 0, done.stderr
    root = project.lake()["root"]
    inside = partitions(project.lake()["endpoint_url"], root)
    assert any(key.startswith("error_rate/") for key in inside)
    project.configure()
    assert project.run("backfill", "run", "--of", "ErrorRateDaily", "--start", "2015-05-17").returncode == 0
    assert project.published() == inside


def test_the_scheduler_is_shared(a_project, built, port):
    """A worker in a container builds by it, it is found healthy, and it ends when stopped; its state stays."""
    name, volume = f"luigid-{port}", f"state-{port}"
    begun = words("podman luigid").replace("8082", str(port)).replace("--name luigid", f"--name {name}")
    check = words("podman health").replace("8082", str(port)).replace("exec luigid", f"exec {name}")
    try:
        done = a_project.run("sh", "-ec", begun.replace("luigid:/var", f"{volume}:/var"))
        assert done.returncode == 0, done.stderr
        until(lambda: a_project.run("sh", "-ec", check).returncode == 0)
        with (a_project.folder / "luigi.cfg").open("a", encoding="utf-8") as file:
            file.write(f"[core]\nlocal_scheduler = false\ndefault-scheduler-url = http://127.0.0.1:{port}\n")
        done = run(mounted(a_project.folder), "backfill", "run", "--of", "ErrorRateDaily", "--start", "2015-05-17")
        assert (done.returncode, done.stderr) == (0, "")
        podman("stop", "--time", "60", name)
        assert exit_code(name) == 0
        assert a_project.run("sh", "-ec", check).returncode != 0
        done = run(("--volume", f"{volume}:/var/lib/luigi"), "test", "-s", "/var/lib/luigi/scheduler.state")
        assert done.returncode == 0
    finally:
        podman("rm", "--force", "--time", "0", name, code=None)
        podman("volume", "rm", "--force", volume, code=None)


def test_a_day_is_built_from_luigi(a_project, service):
    """The page's task builds the day by a container, the same as outside; if it can't, it fails."""
    project = a_project.anew()
    (project.folder / "day_in_container.py").write_text(example(PAGE, "day_in_container.py"), encoding="utf-8")
    _, _, (command, _) = lines("podman from luigi")
    mounted(project.folder)
    done = project.run("sh", "-ec", command, DOCKER_HOST=service)
    assert done.returncode == 0, done.stderr
    inside = project.published()
    assert {key.split("/")[2] for key in inside} == {"dt=2015-05-17"}
    assert podman("ps", "--all", "--quiet", "--filter", f"volume={project.folder}/lake") == ""
    (project.folder / "lake").rename(project.folder / "inside")
    days = ("--start", "2015-05-17", "--stop", "2015-05-18")
    assert project.run("backfill", "run", "--of", "ErrorRateDaily", *days).returncode == 0
    assert project.published() == inside
    shutil.rmtree(project.folder / "lake")
    mounted(project.folder)
    (project.folder / "logs/2015-05-17.log").unlink()
    done = project.run("sh", "-ec", command, DOCKER_HOST=service)
    assert done.returncode == 30
    assert "non-zero exit status 1" in done.stderr
    done = project.run("backfill", "status", "--of", "ErrorRateDaily", *days)
    assert "2015-05-17.log" in done.stdout

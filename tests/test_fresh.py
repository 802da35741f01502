"""`make test-fresh` and `make test-image`: what they say where they can't be, and that nothing is left of them."""

import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
USED = (
    *(
        "bash",
        "cat",
        "chmod",
        "dirname",
        "find",
        "mkdir",
        "mktemp",
        "mount",
        "rm",
        "sed",
        "setpriv",
        "setsid",
        "tee",
    ),
    "unshare",
)


@pytest.fixture
def fresh(tmp_path):
    """Return a function that starts the script where only what it uses is there, and what it is told."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (tmp_path / "temporary").mkdir()
    for name in USED:
        (programs / name).symlink_to(shutil.which(name) or "/nowhere")

    def start(script=".ci/fresh", **scripts):
        for name, text in scripts.items():
            (programs / name).write_text(f"#!/bin/sh\n{text}\n")
            (programs / name).chmod(0o755)
        return subprocess.Popen(
            [shutil.which("bash"), REPOSITORY / script, tmp_path / "log"],
            env={"PATH": str(programs), "TMPDIR": str(tmp_path / "temporary")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    return start


def processes_of(folder):
    """Return the processes whose temporary files are to be in a folder."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended
            if f"TMPDIR={folder}/" in (each / "environ").read_text(errors="replace"):
                found.append(each.name)
    return found


@pytest.mark.parametrize(
    ("script", "scripts", "said"),
    [
        (
            ".ci/fresh",
            {"id": "echo 1000"},
            "only root can make a Debian and go into it. Run: sudo make test-fresh",
        ),
        (".ci/fresh", {"id": "echo 0"}, "there is no debootstrap here. On Debian: apt-get install debootstrap"),
        (".ci/image", {"id": "echo 1000"}, "only root can make a Debian, and mount. Run: sudo make test-image"),
        (".ci/image", {"id": "echo 0", "debootstrap": ""}, "there is no podman here. On Debian: apt-get install "),
    ],
)
def test_what_is_missing_is_named(fresh, script, scripts, said):
    """Root, or a program, with what to do; nothing was begun."""
    process = fresh(script, **scripts)
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, output) == (2, "")
    assert said in errors


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount: `make test-root`")
@pytest.mark.parametrize(
    ("script", "number"),
    [
        *((script, number) for script in (".ci/fresh", ".ci/image") for number in (signal.SIGINT, signal.SIGTERM)),
        (".ci/image", signal.SIGKILL),
    ],
)
def test_nothing_is_left_of_one_that_is_stopped(fresh, tmp_path, script, number):
    """Neither a process, nor a mount, nor a file but the log; of one that is killed, a folder of files."""
    begun = tmp_path / "begun"
    process = fresh(
        script,
        id="echo 0",
        **dict.fromkeys(("catatonit", "crun", "podman", "runc"), ""),
        debootstrap=f'for root; do :; done; echo "$root" > {begun}; exec /bin/sleep 300',
    )
    deadline = time.monotonic() + 30
    while not begun.exists() or not begun.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert list((tmp_path / "temporary").iterdir())
    assert processes_of(tmp_path)
    os.killpg(process.pid, number)
    process.communicate(timeout=30)
    was_killed = number == signal.SIGKILL
    assert process.returncode == (-number if was_killed else 128 + number)
    assert bool(list((tmp_path / "temporary").iterdir())) == was_killed
    while processes_of(tmp_path):  # they are killed, and may still be about to end
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert str(tmp_path) not in Path("/proc/mounts").read_text()

"""The lock files: they say all that the bundled pip wants to know."""

from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parent.parent
IMAGE = "requirements-image.lock"
LOCKS = sorted(each.name for each in REPOSITORY.glob("requirements*.lock"))


def locked(text):
    """Return the extras that a lock file names, by package."""
    lines = (line.rstrip("\\ ") for line in text.splitlines() if line[:1].isalnum())
    return {canonicalize_name(each.name): each.extras for each in map(Requirement, lines)}


def left_out(extras):
    """Return what a locked, installed package asks for and the lock leaves out, as `asker: package[extra]`."""
    found = []
    for asker, chosen in extras.items():
        try:
            wanted = map(Requirement, requires(asker) or ())
        except PackageNotFoundError:
            continue
        for each in wanted:
            applies = not each.marker or any(each.marker.evaluate({"extra": extra}) for extra in {"", *chosen})
            missing = each.extras - extras.get(canonicalize_name(each.name), set())
            if applies and missing:
                found.append(f"{asker}: {each.name}[{','.join(sorted(missing))}]")
    return found


def test_locks_are_those_of_the_makefile():
    """Each lock file that is there is written by the Makefile, and installed by it, or in the image."""
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    dockerfile = (REPOSITORY / "backfill/deploy/container/Dockerfile").read_text(encoding="utf-8")
    assert sorted(name for name in LOCKS if f"-o {name}" in makefile) == LOCKS
    in_image = f"LOCK={IMAGE}\n" in dockerfile and "--require-hashes -r locked\n" in dockerfile
    assert [name for name in LOCKS if f"-r {name}" not in makefile] == [IMAGE] * in_image
    assert len(LOCKS) == 9


def test_the_image_has_versions_that_were_tested():
    """Each version that is locked for it is locked for the tests, too."""
    tested = {
        line.rstrip("\\ ")
        for name in ("requirements.lock", "requirements-dev.lock")
        for line in (REPOSITORY / name).read_text(encoding="utf-8").splitlines()
    }
    image = (REPOSITORY / IMAGE).read_text(encoding="utf-8").splitlines()
    assert {line.rstrip("\\ ") for line in image if line[:1].isalnum()} <= tested


@pytest.mark.parametrize("name", LOCKS)
def test_lock_keeps_extras(name):
    """What a locked package asks for with an extra is locked with it: else pip 23 takes it for not locked."""
    extras = locked((REPOSITORY / name).read_text(encoding="utf-8"))
    assert left_out(extras) == []


def test_lock_without_an_extra_is_noticed():
    """A lock whose extras were stripped is noticed: pytest-cov asks for coverage[toml]."""
    text = (REPOSITORY / "requirements-dev.lock").read_text(encoding="utf-8")
    assert "coverage[toml]==" in text
    assert left_out(locked(text.replace("coverage[toml]==", "coverage=="))) == ["pytest-cov: coverage[toml]"]

"""Disks and servers that are out of order: what is waited for, how long, and what is said in the end."""

import errno
import os
import tempfile
from types import SimpleNamespace

import botocore.exceptions
import pytest
from botocore.awsrequest import AWSResponse

from lake.errors import ConfigError, StoreError
from lake.journal import Journal
from lake.lake import Lake
from lake.store import outage
from lake.store.disk import OF_THE_DISK, temporary_folder
from lake.store.local import LocalStore
from lake.store.outage import PATIENCE_SECONDS, WAIT_SECONDS, Outage, patience_seconds, patient
from lake.store.s3 import S3Store
from lake.store.s3_client import UNREACHABLE, client

REFUSED = botocore.exceptions.EndpointConnectionError(endpoint_url="http://127.0.0.1:1")


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is set."""
    stopped = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(outage, "time", SimpleNamespace(monotonic=lambda: stopped.now))
    return stopped


def asked(made, status=None, error=None):
    """Return how long to wait after an answer."""
    response = (SimpleNamespace(status_code=status), {}) if status else None
    return made.wait_seconds(response=response, caught_exception=error, operation="what botocore says beside it")


@pytest.mark.parametrize("failure", [{"status": 503}, {"status": 500}, {"status": 429}, {"error": REFUSED}])
def test_who_builds_waits_two_minutes(clock, failure):
    """From the first failure on; an answer begins a new count, which a refusal for good reason is as well."""
    made = Outage(UNREACHABLE)
    with patient():
        for waited in (0, 60, PATIENCE_SECONDS - 1):
            clock.now = 1000 + waited
            assert asked(made, **failure) == WAIT_SECONDS
        clock.now = 1000 + PATIENCE_SECONDS
        assert asked(made, **failure) is None
        assert asked(made, **failure) is None
        for answer in (200, 404, 412):
            assert asked(made, answer) is None
            assert asked(made, **failure) == WAIT_SECONDS


def test_who_looks_does_not_wait(clock):
    """Patience ends with the last of those who build."""
    assert asked(Outage(UNREACHABLE), 503) is None
    with patient(), patient():
        pass
    assert asked(Outage(UNREACHABLE), 503) is None
    assert patience_seconds() == 0


def test_a_lake_is_waited_for_while_something_is_made(lake):
    """Whoever has a staging folder builds."""
    with lake.staging():
        assert patience_seconds() == PATIENCE_SECONDS
    assert patience_seconds() == 0


@pytest.mark.parametrize(
    ("environment", "tries", "mode"),
    [
        ({}, 6, "standard"),
        ({"AWS_MAX_ATTEMPTS": "2"}, 2, "standard"),
        ({"AWS_RETRY_MODE": "adaptive"}, None, "adaptive"),
        ({"AWS_RETRY_MODE": "legacy"}, None, "legacy"),
        ({"AWS_MAX_ATTEMPTS": "9", "AWS_RETRY_MODE": "adaptive"}, 9, "adaptive"),
    ],
)
@pytest.mark.usefixtures("s3_root")
def test_what_is_said_to_boto3_counts(moto_url, monkeypatch, environment, tries, mode):
    """How often to try, or how: either set, as for any program that uses boto3, has boto3 alone try again."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    made = client(moto_url)
    assert made.meta.config.retries == {"mode": mode} | ({"total_max_attempts": tries} if tries else {})
    with patient():
        monkeypatch.setattr("time.sleep", lambda _: None)
        asked = []

        def refuse(request, **_):
            asked.append(1)
            return AWSResponse(request.url, 503, {}, SimpleNamespace(stream=list)) if len(asked) < 20 else None

        made.meta.events.register("before-send.s3", refuse)
        if environment:
            with pytest.raises(botocore.exceptions.ClientError):
                made.list_buckets()
            assert len(asked) == (tries or made.meta.config.retries.get("total_max_attempts", len(asked)))
        else:
            made.list_buckets()
            assert len(asked) == 20


@pytest.mark.usefixtures("s3_root")
def test_a_bad_number_of_tries_is_named(moto_url, monkeypatch):
    """It is a setting, so its error is one of configuration."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "many")
    with pytest.raises(ConfigError, match=r"many.*Check \[lake\] endpoint_url and AWS_\* settings"):
        client(moto_url)


def test_a_server_that_comes_back_is_waited_for(s3_root, moto_url, monkeypatch):
    """boto3's own tries are used up, ours go on, and the answer is that of the server."""
    waits = []
    monkeypatch.setattr("time.sleep", waits.append)
    made = S3Store(s3_root, moto_url)
    answers = iter([503] * 8)

    def refuse(request, **_):
        status = next(answers, None)
        return status and AWSResponse(request.url, status, {}, SimpleNamespace(stream=list))

    made._s3.meta.events.register("before-send.s3", refuse)  # noqa: SLF001
    with patient():
        assert not made.exists("a/b")
    assert waits[5:] == [WAIT_SECONDS] * 3
    assert len(waits) == 8


@pytest.mark.parametrize("number", sorted(OF_THE_DISK))
def test_a_disk_that_fails_under_what_is_made_is_named(disk_lake, number):
    """Whoever was writing: it is the lake's disk, so the lake says what is wrong with it and what to do."""
    with (
        pytest.raises(StoreError, match=r"Can't write to the lake at .*it's a lake: ") as failure,
        disk_lake.staging(),
    ):
        raise OSError(number, "a long story by Arrow")
    reason = os.strerror(number)
    steps = {errno.ENOSPC: "Make room on that disk", errno.EDQUOT: "Make room on that disk"}
    assert f"lake: {reason}. {steps.get(number, 'Check [lake] root')}" in str(failure.value)
    assert not list((disk_lake.store._root / "_staging").iterdir())  # noqa: SLF001


def test_a_disk_that_fails_under_temporary_files_is_named(s3_root, moto_url):
    """For S3 they lie in the folder for temporary files, which can be another one."""
    with (
        pytest.raises(StoreError, match=r"Can't write temporary files to /.*: No space left on"),
        Lake(S3Store(s3_root, moto_url)).staging() as folder,
    ):
        raise OSError(errno.ENOSPC, "a long story by Arrow")
    assert not folder.exists()


def test_other_errors_are_not_the_disks(lake):
    """What has another reason keeps its own error."""
    with pytest.raises(PermissionError), lake.staging():
        raise PermissionError(errno.EACCES, "Permission denied", "/some/where/else")


def test_no_folder_for_temporary_files(tmp_path, monkeypatch):
    """Where not one can be found, all that were tried are named, and the setting that names another."""
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(tmp_path / "nowhere")])
    with (
        pytest.raises(
            StoreError, match=r"Can't write temporary files: No usable .*nowhere.*Set TMPDIR to a folder"
        ),
        temporary_folder(),
    ):
        pass


def test_a_record_that_does_not_fit_is_named(disk_root, monkeypatch):
    """A journal's record is written like all else."""
    made = LocalStore(disk_root)

    def fail(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("pathlib.Path.write_text", fail)
    with pytest.raises(StoreError, match=r"No space left on device\. Make room on that disk"):
        Journal(made, "notes").write("one", "text")

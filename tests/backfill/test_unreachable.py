"""A lake on S3 that doesn't answer: every command says so with 3, and none takes it for damage."""

import pytest

OF = ("--of", "ErrorRateDaily")
BUILD = ("backfill", "run", *OF)
COMMANDS = {
    "check": ("backfill", "check", *OF),
    "status": ("backfill", "status", *OF),
    "plan": ("backfill", "plan", *OF, "--stale"),
    "verify": ("lake", "verify"),
    "verify --deep": ("lake", "verify", "--deep"),
    "sql": ("lake", "sql", "select sum(requests_total) from error_rate"),
    "sql of footers": ("lake", "sql", "select count(distinct code_version) from provenance"),
    "report": ("lake", "report", "--output", "report.html"),
    "pull": ("lake", "pull", "error_rate"),
}
QUICK = {"AWS_MAX_ATTEMPTS": "1"}


@pytest.fixture
def built(on_s3, faulty_s3):
    """The project with its lake on S3, built, to which requests go by `faulty_s3`."""
    on_s3.configure(lake=on_s3.lake() | {"endpoint_url": faulty_s3.url})
    done = on_s3.run(*BUILD)
    assert done.returncode == 0, done.stderr
    return on_s3


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_objects_that_do_not_come_are_no_damage(built, faulty_s3, slow_down, name):
    """The bucket can be listed and its objects don't come: exit code 3, S3's answer, and no word of copies."""
    if name == "report":
        pytest.importorskip("vl_convert")
    faulty_s3.refuse = lambda request: slow_down if request.wants_object else None
    done = built.run(*COMMANDS[name], **QUICK)
    if not faulty_s3.refused:
        assert name == "status"  # which reads none
        return
    assert done.returncode == 3, (done.stdout, done.stderr)
    said = done.stdout + done.stderr
    assert "S3 answered 503 SlowDown to GetObject" in said
    assert "Traceback" not in said
    assert "from a copy" not in said


@pytest.mark.slow
def test_one_in_twenty_refused_is_no_failure(built, faulty_s3, slow_down):
    """Readers try again as builders do."""
    faulty_s3.refuse = lambda _: slow_down if len(faulty_s3.requests) % 20 == 0 else None
    for name in ("check", "verify", "sql", "sql of footers"):
        done = built.run(*COMMANDS[name])
        assert done.returncode == 0, (name, done.stdout, done.stderr)


@pytest.mark.parametrize(
    "command", [("lake", "sql", "from error_rate"), ("lake", "verify"), ("backfill", "check", *OF), BUILD]
)
def test_a_missing_token_is_named_alike(on_s3, command):
    """A web identity without its token's file: one line that names the file, exit code 3."""
    environment = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_ROLE_SESSION_NAME": "x"}
    environment |= {"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/x"}
    environment |= {"AWS_WEB_IDENTITY_TOKEN_FILE": "/nonexistent/token"}
    done = on_s3.run(*command, **environment)
    said = done.stdout + done.stderr
    assert done.returncode == 3, said
    assert "/nonexistent/token: No such file or directory" in said
    assert "Traceback" not in said
    assert said.count("\n") < 3


def test_a_missing_token_under_luigi(on_s3):
    """Luigi's own exit code for what it can't look at or build, the same line, and no traceback."""
    environment = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_ROLE_SESSION_NAME": "x"}
    environment |= {"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/x"}
    environment |= {"AWS_WEB_IDENTITY_TOKEN_FILE": "/nonexistent/token"}
    for task in (("ErrorRateDaily", "--date", "2015-05-17"), ("RangeDaily", *OF, "--start", "2015-05-17")):
        done = on_s3.run("luigi", *task, "--local-scheduler", **environment)
        said = done.stdout + done.stderr
        assert done.returncode in {30, 35, 40}, said
        assert "/nonexistent/token: No such file or directory" in said
        assert "Traceback" not in said

"""Whatever is wrong is said in a line or two, with the next step and no traceback; nothing is published."""

import gzip

import pytest

RANGE = ("luigi", "RangeDailyBase", "--of", "ErrorRateDaily", "--start", "2015-05-17", "--stop", "2015-05-21")


def refused(project, code, *words, command=RANGE, **environment):
    """Run a command, expect it to fail as told, and return what it said."""
    done = project.run(*command, **environment)
    said = done.stdout + done.stderr
    assert done.returncode == code, said
    assert "Traceback" not in said
    assert not [word for word in words if word not in said], said
    assert max(map(len, said.splitlines())) < 700
    return said


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"format": "foo"}, ["unknown format 'foo'", "Known formats: common, combined"]),
        ({"colour": "red"}, ["unknown key 'colour'", "Known keys:"]),
        ({"files": "logs/a.log ; a comment"}, ["put the comment on a line of its own"]),
        ({"application": "field:vhost"}, ["format combined can't tell it", "field:authority"]),
    ],
)
def test_bad_source(a_project, changed, words):
    """A wrong setting is named with its file and section."""
    a_project.configure(web=a_project.source | changed)
    refused(a_project, 40, "luigi.cfg, [source.web]", *words)
    assert not a_project.published()


def test_bad_source_of_another_command(a_project):
    """Each of the commands names it."""
    a_project.configure(web=a_project.source | {"format": "foo"})
    words = ("luigi.cfg, [source.web]", "unknown format 'foo'")
    for command in (("backfill", "status", "--of", "ErrorRateDaily"), ("lake", "verify")):
        refused(a_project, 2, *words, command=command)


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (None, 40, ["No configuration at", "set LUIGI_CONFIG_PATH"]),
        ("[lake]\nroot = lake\n", 40, ["declares no source", "[source.NAME]"]),
        ("[source.web]\nformat = common\n", 40, ["has no section [lake]"]),
        ("[lake]\n[source.web]\n", 40, ["[lake]: no root"]),
        ("[lake\n", 2, ["line 1 stands in no section", "Fix that line"]),
        (b"# caf\xe9\n[lake]\nroot = a\n", 2, ["can't decode byte 0xe9", "Fix that line"]),
        ("[lake]\nroot = a\nroot = b\n", 2, ["already exists", "Fix that line"]),
    ],
)
def test_bad_configuration(a_project, text, code, words):
    """A missing or malformed luigi.cfg is named, with the line where there is one."""
    path = a_project.folder / "luigi.cfg"
    path.unlink()
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    refused(a_project, code, *words)


def test_pattern_that_matches_nothing(a_project):
    """Missing raw logs are named with the pattern, the other days are built, and the exit code is 20."""
    (a_project.folder / "logs/2015-05-18.log").unlink()
    said = refused(a_project, 20, "3 built, 0 already there, 0 failed, 1 waiting")
    assert (
        "waiting: 2015-05-18 no input: source web: 0 of 1 files for 2015-05-18 match logs/2015-05-18.log" in said
    )
    alone = ("luigi", "ErrorRateDaily", "--date", "2015-05-18")
    refused(a_project, 20, "No input for 2015-05-18", "Bring the file", command=alone)


def test_day_without_a_line(a_project):
    """A file without a line of its day is no input: the day fails and the others are built."""
    (a_project.folder / "logs/2015-05-18.log").write_text("", encoding="utf-8")
    refused(a_project, 30, "3 built", "failed: 2015-05-18", "has not one line of 2015-05-18", "allow_empty = true")
    a_project.configure(web=a_project.source | {"allow_empty": "true"})
    assert "1 built, 3 already there" in a_project.run(*RANGE).stdout


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda data: gzip.compress(data)[:-12], ["the gzip stream is cut off or damaged", "Copy the file again"]),
        (lambda data: gzip.compress(data) + b"trailing garbage", ["cut off or damaged", "Copy the file again"]),
        (
            lambda data: data.replace(b'"GET', b"GET"),
            ["3 of 3 lines are rejects (3 shape)", "max_reject_rate = 0.01"],
        ),
    ],
)
def test_damaged_file(a_project, damage, words):
    """A damaged file fails its day with the file named, and the other days are built."""
    path = a_project.folder / "logs/2015-05-18.log"
    path.write_bytes(damage(path.read_bytes()))
    refused(
        a_project, 30, "3 built, 0 already there, 1 failed", "failed: 2015-05-18", "logs/2015-05-18.log", *words
    )
    assert not [key for key in a_project.published() if "2015-05-18" in key]


def test_unreadable_file(a_project):
    """A raw file that can't be opened is named with the reason."""
    path = a_project.folder / "logs/2015-05-18.log"
    path.unlink()
    path.symlink_to("/proc/self/mem")  # a file that even root can't read from its beginning
    refused(a_project, 30, "logs/2015-05-18.log: can't be read", "Input/output error", "3 built")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (
            ("RangeDailyBase", "--of", "ErrorRateDaily", "--start", "2015-05-21", "--stop", "2015-05-17"),
            35,
            ["exclusive"],
        ),
        (
            ("RangeDailyBase", "--of", "ErrorRateDaily", "--start", "2015-06-01"),
            35,
            ["latest settled day", "2015-05-20"],
        ),
        pytest.param(
            ("RangeDailyBase", "--of", "ErrorRateDaily", "--start", "1999-01-01", "--stop", "1999-02-01"),
            35,
            ["No source is"],
            marks=pytest.mark.slow,
        ),
        (("RangeDailyBase", "--of", "RawLogsDaily", "--start", "2015-05-17"), 35, ["no daily task of the lake"]),
        (
            ("RangeDailyBase", "--of", "RequestsDaily", "--start", "2015-05-17"),
            35,
            ["requires the 'source' parameter"],
        ),
        (("RangeDailyBase", "--of", "Nope", "--start", "2015-05-17"), 40, ["No task Nope"]),
        (("ErrorRateDaily", "--date", "1999-01-01"), 35, ["No source is active on 1999-01-01", "since and until"]),
        (("ErrorRateDaily", "--date", "2015-02-30"), 40, ["'2015-02-30' is not a date"]),
        (("RequestsDaily", "--source", "nope", "--date", "2015-05-17"), 35, ["no [source.nope]", "It has: web"]),
        (("Nope",), 40, ["No task Nope"]),
        (("ErrorRateDaily", "--date", "9999-12-31"), 40, ["'9999-12-31' is not a date", "1970 to 2999"]),
        pytest.param(
            (
                "RangeDailyBase",
                "--of",
                "RequestsDaily",
                "--of-params",
                '{"source": "nope"}',
                "--start",
                "2015-05-17",
            ),
            35,
            ["no [source.nope]", "It has: web"],
            marks=pytest.mark.slow,
        ),
        (
            ["RequestsDaily", "--source", "web", "--date", "2015-05-17", "--revision", "2", "--reason", "late"],
            30,
            ["next revision of 2015-05-17 is 0"],
        ),
        (("ErrorRateDaily", "--revision", "one"), 40, ["Bad argument", "'one'"]),
        (("ErrorRateDaily", "--workers", "two"), 40, ["Bad argument", "'workers'"]),
    ],
)
def test_bad_argument(a_project, arguments, code, words):
    """A wrong argument is said in a line, and nothing is published."""
    refused(a_project, code, *words, command=("luigi", *arguments))
    assert not a_project.published()


def test_days_in_the_future(a_project):
    """Days that are not over are never built, and a range that holds them is not complete."""
    source = {key: value for key, value in a_project.source.items() if key != "until"}
    a_project.configure(web=source)
    said = refused(
        a_project,
        30,
        "waiting: 2999-01-01 unsettled until",
        command=(*RANGE[:4], "--start", "2999-01-01", "--stop", "2999-01-04"),
    )
    assert "3 days asked for: 0 built, 0 already there, 0 failed, 3 waiting" in said
    refused(a_project, 20, "2999-01-01 is unsettled", command=("luigi", "ErrorRateDaily", "--date", "2999-01-01"))
    assert not a_project.published()


def test_root_that_cannot_be_written(a_project):
    """A lake below a file can't be made, and the message says where and why."""
    a_project.configure(lake={"root": "luigi.cfg/lake"})
    refused(a_project, 35, "Can't list the lake at", "luigi.cfg/lake: Not a directory", "Check [lake] root")


def test_missing_bucket(on_s3, moto_url):
    """A bucket that isn't there is named by every command."""
    on_s3.configure(lake={"root": "s3://no-such-bucket/x", "endpoint_url": moto_url})
    words = ("s3://no-such-bucket/x", "NoSuchBucket", "Create the bucket")
    refused(on_s3, 35, *words)
    refused(on_s3, 3, *words, command=("lake", "sql", "from error_rate"))
    refused(on_s3, 3, *words, command=("backfill", "status", "--of", "ErrorRateDaily"))


def test_missing_credentials(on_s3):
    """Without credentials the message says how to give them."""
    environment = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    refused(on_s3, 35, "no AWS credentials found", "AWS_PROFILE", **environment)


def test_server_that_does_not_answer(on_s3):
    """An endpoint that nobody listens at is named; the secret is not."""
    on_s3.configure(lake={"root": "s3://bucket/x", "endpoint_url": "http://127.0.0.1:1"})
    said = refused(on_s3, 35, "s3://bucket/x", "Check the network", "endpoint_url")
    assert "test-secret" not in said


def test_one_source_out_of_reach(a_project):
    """A source that can't be looked at is said for its days; the others are built and counted all the same."""
    far = a_project.source | {"files": "s3://far-bucket/{YYYY}{MM}{DD}", "since": "2015-05-19"}
    a_project.configure(web=a_project.source, far=far)
    said = refused(a_project, 35, "4 days asked for: 2 built, 0 already there, 0 failed, 2 waiting")
    assert "waiting: 2015-05-19 no input: s3://far-bucket/20150519: no AWS credentials found" in said
    status = ("backfill", "status", "--of", "ErrorRateDaily")
    refused(a_project, 1, "■ 2 there, ? 2 no input", "no AWS credentials found", command=status)


def test_file_of_two_days(a_project):
    """A file whose name matches two days would count twice, so its days fail, with the pattern to mend."""
    for path in (a_project.folder / "logs").iterdir():
        path.rename(path.with_name(f"{path.stem}-to-2015-05-18.log"))
    files = "logs/*{YYYY}-{MM}-{DD}*.log"
    a_project.configure(web=a_project.source | {"files": files, "neighbour_days": "1", "since": "2015-05-18"})
    said = refused(a_project, 30, "matches files = logs/*{YYYY}-{MM}-{DD}*.log for two days")
    assert "0 built" in said


def test_unknown_source_of_status(a_project):
    """`backfill status` names the sources there are, and does not say that days are missing."""
    command = ("backfill", "status", "--of", "RequestsDaily", "--source", "nope")
    refused(a_project, 2, "no [source.nope]", "It has: web", command=command)

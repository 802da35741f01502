"""Sources: what luigi.cfg may say of them, and which days and files they have."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from etl.lines.formats import FORMATS
from etl.sources.completeness import Severities, Severity
from etl.sources.sections import read_sources
from etl.sources.source import SHAPING_OF, Source, active_on, latest_settled_day, settled_at
from lake import config
from lake.errors import ConfigError

DATED = "access.log-{YYYY}{MM}{DD}"
DAY = date(2026, 9, 17)
USUAL = {"format": "combined", "files": DATED, "application": "web", "vantage": "origin"}
Declare = Callable[..., Source]
ReadSettings = Callable[..., list[Source]]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"format": ""}, "format is missing. Required: format, files, application, vantage"),
        ({"files": ""}, "files is missing"),
        ({"application": ""}, "application is missing"),
        ({"vantage": ""}, "vantage is missing"),
        ({"sette_hours": 3}, "unknown key 'sette_hours'. Known keys: format, files,"),
        ({"format": "combind"}, "unknown format 'combind'. Known formats: common, combined, vhost_combined"),
        ({"format": "combined, w3c"}, "w3c has a header, and stands beside no other"),
        ({"format": "combined, common", "trailing": "$host"}, "say of which of them trailing is"),
        ({"format": "combined trailing, common"}, "say of which of them trailing is"),
        (
            {"format": "combined, common", "fields": "time = t"},
            "fields: not for the formats combined, common. Take",
        ),
        ({"duration_unit": "ms"}, "duration_unit: format combined has no duration. Take the key out"),
        ({"format": "alb", "duration_unit": "min"}, "duration_unit = min: expected one of s, ms, us, ns"),
        (
            {"format": "json", "fields": "time=t, status=s, duration_ms=d", "duration_unit": "us"},
            "duration_unit and a unit in fields, such as duration_ms, say two things",
        ),
        ({"vantage": "cdn"}, "vantage = cdn: expected one of edge, load_balancer, origin, application"),
        ({"application": "My App"}, "application = My App: expected a name like"),
        (
            {"application": "field:vhost"},
            "format combined can't tell it. Use a name of your own, or one of field:authority.",
        ),
        (
            {"application": "field:client", "format": "vhost_combined"},
            "field:client: format vhost_combined can't tell it. Use a name of your own, or one of field:vhost,",
        ),
        ({"application": "My App"}, "expected a name like [a-z0-9]"),
        (
            {"format": "json", "log_format": "$status"},
            "log_format: not for format json, only for log_format. Take",
        ),
        (
            {"format": "alb", "trailing": "$host"},
            "trailing: not for format alb, only for common, combined, vhost_",
        ),
        (
            {"fields": "time = ts"},
            "fields: not for format combined, only for json, logfmt, ltsv. Take the key out",
        ),
        ({"format": "iis", "timezone": "UTC"}, "timezone: not for format iis, only for log_format, common,"),
        ({"timezone": "Mars/Base"}, "timezone = Mars/Base: expected an IANA time zone, like Europe/Berlin"),
        ({"timezone": "../UTC"}, "timezone = ../UTC: expected an IANA time zone"),
        ({"trailing": "$scheme$host"}, "trailing = $scheme$host: $scheme$host: put a separator between the two"),
        ({"format": "log_format"}, "log_format has no time: without time and status of a request it can't be"),
        (
            {"format": "log_format", "log_format": "$msec $host"},
            "log_format has no status: without time and status",
        ),
        (
            {"format": "log_format", "log_format": "$msec $request"},
            "log_format = $msec $request: $request may hold",
        ),
        ({"format": "json", "fields": "time = ts"}, "fields has no status: without time and status"),
        (
            {"format": "json", "fields": "time"},
            "fields: time: expected `role = key of the log`, with a role of time,",
        ),
        (
            {"format": "json", "fields": "url = u"},
            "fields: url = u: expected `role = key of the log`, with a role of",
        ),
        (
            {"format": "json", "fields": "time = ts, status = s", "application": "field:host"},
            "application = field:host: format json can't tell it. Use a name of your own.",
        ),
        ({"files": "a-%Y.log"}, "files = a-%Y.log: '%' means nothing here, use {YYYY}"),
        ({"files": "a-{YYYY}.log"}, "files = a-{YYYY}.log: a dated pattern needs {YYYY} (or {YY}), {MM} and {DD}"),
        ({"files": "[{YYYY}{MM}{DD}].log"}, "no part of a date can stand between '[' and ']'"),
        ({"files": "s3://logs/[a-{YYYY}{MM}{DD}"}, "no part of a date can stand between '[' and ']'"),
        ({"files": "a\0-{YYYY}{MM}{DD}"}, "files holds a zero byte. Take it out"),
        ({"since": "2026-09-31"}, "since = 2026-09-31: expected a day as YYYY-MM-DD"),
        ({"until": "yesterday"}, "until = yesterday: expected a day as YYYY-MM-DD"),
        ({"since": DAY, "until": DAY}, "since = 2026-09-17 is not before until = 2026-09-17 (exclusive)"),
        ({"since": DAY, "until": "2026-09-01"}, "is not before until"),
        ({"settle_hours": "-1"}, "settle_hours = -1: expected hours, 0 or more"),
        ({"settle_hours": "six"}, "settle_hours = six: expected hours, 0 or more"),
        ({"settle_hours": "nan"}, "settle_hours = nan: expected hours, 0 or more"),
        ({"neighbour_days": "8"}, "neighbour_days = 8: expected 0 to 7"),
        ({"neighbour_days": "1.5"}, "neighbour_days = 1.5: expected 0 to 7"),
        ({"max_reject_rate": "1 %"}, "max_reject_rate = 1 %: expected a share, 0 to 1"),
        ({"max_reject_rate": "1.01"}, "max_reject_rate = 1.01: expected a share, 0 to 1"),
        (
            {"expected_hours": "8-25"},
            "expected_hours = 8-25: expected hours of a UTC day, like 6-21 or 0-3, 22-23",
        ),
        ({"expected_files": "0"}, "expected_files = 0: expected a number, 1 or more"),
        ({"expected_files": "2.5"}, "expected_files = 2.5: expected a number, 1 or more"),
        ({"allow_empty": "yes"}, "allow_empty = yes: expected true or false"),
        ({"covers": "0 to 8"}, "covers = 0 to 8: expected days from a file's own"),
        ({"covers": "1 to 0"}, "covers = 1 to 0: expected days from a file's own"),
        ({"covers": "0 to 1", "neighbour_days": 1}, "covers and neighbour_days say the same thing"),
        ({"files": "access.log", "covers": "-1 to 0"}, "neighbour_days and expected_files are for dated files"),
        ({"files": "access.log", "neighbour_days": 1}, "neighbour_days and expected_files are for dated files"),
        ({"files": "access.log", "expected_files": 2}, "neighbour_days and expected_files are for dated files"),
        ({"format": "common", "synthetic_user_agents": "bot"}, "synthetic_user_agents: format common has no user"),
        ({"since": "2026-09-01 ; first"}, "since = 2026-09-01 ; first: put the comment on a line of its own"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_place_and_what_was_expected(
    declare: Declare, tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    """A ConfigError that names luigi.cfg, the section, the key, and what would be right."""
    with pytest.raises(ConfigError, match=re.escape(f"{tmp_path}/luigi.cfg, [source.web]") + ".*") as caught:
        declare(**USUAL | settings)
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ["Web", "1web", "we b", "w" * 64])
def test_a_source_name_that_cannot_stand_in_a_path_is_refused(read_settings: ReadSettings, name: str) -> None:
    """A ConfigError that names the section and the rule for names."""
    with pytest.raises(ConfigError, match=rf"\[source.{name}\]: source '{name}' is no valid name: lower-case"):
        read_settings(**{name: USUAL})


def test_a_configuration_without_a_source_is_refused(read_settings: ReadSettings) -> None:
    """It says which file, and what to add."""
    with pytest.raises(ConfigError, match=r"luigi.cfg declares no source. Add a section \[source.NAME\]"):
        read_settings()


def test_every_setting_is_read(declare: Declare) -> None:
    """What luigi.cfg says is what the source has; lists are cut at commas and line ends."""
    source = declare(
        format="vhost_combined",
        files="logs/" + DATED,
        application="field:vhost",
        vantage="edge",
        since="2026-09-01",
        until="2026-10-01",
        settle_hours="1.5",
        neighbour_days="1",
        max_reject_rate="0.5",
        expected_files="3",
        allow_empty="true",
        health_check_paths="/healthz, /probe/*",
        synthetic_user_agents="\n  UptimeRobot\n  Pingdom",
    )
    assert (source.name, source.format.name, source.files.text) == ("web", "vhost_combined", "logs/" + DATED)
    assert (source.since, source.until, source.settle_hours) == (date(2026, 9, 1), date(2026, 10, 1), 1.5)
    assert (source.covers, source.max_reject_rate, source.expected_files) == ((-1, 1), 0.5, 3)
    assert source.allow_empty is True
    assert (source.classifier.vantage, source.classifier.application) == ("edge", None)
    assert source.classifier.application_field == "vhost"
    assert source.classifier.health_check_paths == ("/healthz", "/probe/*")
    assert source.classifier.synthetic_user_agents == ("UptimeRobot", "Pingdom")


def test_a_format_is_made_of_its_own_keys(declare: Declare) -> None:
    """What follows a known shape, a shape of one's own, keys of JSON or logfmt, and a time zone."""
    found = declare(trailing='$request_time "$upstream_status" $host', application="field:host").format
    assert found.name == "combined"
    assert [field.name for field in found.fields[-3:]] == ["request_time", "upstream_status", "host"]
    shape = '$host [$time_local] "$request" $status'
    found = declare(format="log_format", log_format=shape, application="field:authority").format
    assert (found.name, found.hosts) == ("log_format", ["host"])
    keys = "\n  time = ts, status = a.status\n  duration_ms = took\n  duration_us = more, host = h1, host = h2"
    found = declare(format="logfmt", fields=keys, timezone="Europe/Berlin", application="field:h2").format
    assert found.timezone == "Europe/Berlin"
    assert [(field.name, str(field.role), field.scale) for field in found.fields] == [
        ("ts", "time", 0),
        ("a.status", "status", 0),
        ("took", "duration", 3),
        ("more", "duration", 6),
        ("h1", "host", 0),
        ("h2", "host", 0),
    ]


@pytest.mark.parametrize(("unit", "scale"), [("s", 0), ("ms", 3), ("us", 6), ("ns", 9)])
def test_the_unit_of_durations_can_be_said_of_every_format(declare: Declare, unit: str, scale: int) -> None:
    """Of a known one, one with a header, a shape, keys, and of those in a list that have a duration."""
    shape = "$msec $status $request_time"
    declared = (
        {"format": "alb"},
        {"format": "w3c"},
        {"format": "log_format", "log_format": shape},
        {"format": "json", "fields": "time = t, status = s, duration = d"},
        {"format": "combined trailing, common", "trailing": "$request_time"},
    )
    for settings in declared:
        found = declare(**settings, duration_unit=unit).format
        assert {field.scale for field in found.fields if field.role == "duration"} == {scale}


def test_formats_in_a_list_keep_their_order(declare: Declare) -> None:
    """The one that is marked has `trailing`; a time zone is that of all of them."""
    found = declare(format="combined trailing, combined", trailing="$host", timezone="Europe/Berlin").format
    assert found.name == "combined, combined"
    assert [each.hosts for each in found.formats] == [["host"], []]
    assert [each.timezone for each in found.in_zone] == ["Europe/Berlin"] * 2


def test_what_is_not_said_has_a_cautious_default(declare: Declare) -> None:
    """Active for ever, six hours to settle, one reject in a hundred, no neighbours, no empty day."""
    source = declare()
    assert (source.since, source.until, source.settle_hours, source.covers) == (None, None, 6, (0, 0))
    assert (source.max_reject_rate, source.expected_files, source.allow_empty) == (0.01, None, False)


def test_sources_are_read_by_name_and_know_the_lakes_endpoint(tmp_path: Path) -> None:
    """In one order whatever the file's, and with the endpoint_url of [lake] for files on S3."""
    path = tmp_path / "luigi.cfg"
    section = "format = common\nfiles = s3://logs/a\napplication = a\nvantage = edge\n"
    path.write_text(
        f"[source.b]\n{section}[source.a]\n{section}[lake]\nroot = lake\nendpoint_url = http://127.0.0.1:1\n"
    )
    sources = read_sources(config.read(path))
    assert [(source.name, source.files.endpoint_url) for source in sources] == [
        ("a", "http://127.0.0.1:1"),
        ("b", "http://127.0.0.1:1"),
    ]


def test_the_settings_digest_follows_what_shapes_rows(declare: Declare) -> None:
    """Settings that change rows change the digest in the provenance, others don't."""
    usual = declare(**USUAL).settings_sha256
    same = [{"since": DAY}, {"settle_hours": 1}, {"max_reject_rate": 1}, {"files": "elsewhere/" + DATED}]
    other = [{"format": "common"}, {"vantage": "edge"}, {"application": "a"}, {"neighbour_days": 1}]
    other += [{"health_check_paths": "/healthz"}, {"synthetic_user_agents": "bot"}]
    other += [{"trailing": "$host"}, {"trailing": "$request_time"}, {"timezone": "UTC"}]
    assert [declare(**USUAL | settings).settings_sha256 == usual for settings in same] == [True] * 4
    assert [declare(**USUAL | settings).settings_sha256 == usual for settings in other] == [False] * 9


def test_the_settings_digest_follows_how_a_format_reads(declare: Declare, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that reads lines in another way than before outdates what was made with it, and nothing else."""
    made = [declare(**USUAL | {"format": each}).known_as for each in ("caddy", "combined", "alb")]
    monkeypatch.setitem(SHAPING_OF, "caddy", SHAPING_OF["caddy"] + 1)
    monkeypatch.setitem(SHAPING_OF, "alb", 2)
    now = [declare(**USUAL | {"format": each}).known_as for each in ("caddy", "combined", "alb")]
    assert [bool(then & made_now) for then, made_now in zip(made, now, strict=True)] == [False, True, False]
    assert SHAPING_OF.keys() <= {*FORMATS, "logfmt", "ltsv", "json"}


def test_the_settings_digest_follows_a_format_of_ones_own(declare: Declare) -> None:
    """Each key of JSON that is read for something, and each literal of a shape, is part of it."""
    keys = ("time = ts, status = s", "time = ts, status = S", "time = s, status = ts")
    keys += ("time = ts, status = s, duration_ms = d", "time = ts, status = s, duration_us = d")
    shapes = ("$msec $status", "$msec|$status", '$msec "$status"', "$msec $status $host")
    digests = {declare(format="json", fields=each).settings_sha256 for each in keys}
    digests |= {declare(format="log_format", log_format=each).settings_sha256 for each in shapes}
    assert len(digests) == len(keys) + len(shapes)


@pytest.mark.parametrize(
    ("day", "active"),
    [("2026-08-31", False), ("2026-09-01", True), ("2026-09-30", True), ("2026-10-01", False)],
)
def test_a_source_is_active_from_since_to_before_until(declare: Declare, day: str, *, active: bool) -> None:
    """The first day is in, the last is not; without either, it is active for ever."""
    found = date.fromisoformat(day)
    bounded, endless = declare(since="2026-09-01", until="2026-10-01"), declare()
    assert active_on([bounded, endless], found) == [bounded, endless][0 if active else 1 :]


def test_a_day_is_settled_when_its_last_active_source_is(read_settings: ReadSettings) -> None:
    """The day's end in UTC plus the longest settle_hours of those active; None if none is."""
    sources = read_settings(
        slow=USUAL | {"settle_hours": 12.5, "until": DAY}, quick=USUAL | {"settle_hours": 2, "since": "2026-09-01"}
    )
    assert settled_at(sources, DAY - timedelta(days=1)) == datetime(2026, 9, 17, 12, 30, tzinfo=UTC)
    assert settled_at(sources, DAY) == datetime(2026, 9, 18, 2, tzinfo=UTC)
    assert settled_at(sources[:1], DAY) == datetime(2026, 9, 18, 2, tzinfo=UTC)
    assert settled_at(sources[1:], DAY) is None


@pytest.mark.parametrize(
    ("settings", "now", "latest"),
    [
        ([{"settle_hours": 6}], datetime(2026, 9, 17, 6, tzinfo=UTC), "2026-09-16"),
        ([{"settle_hours": 6}], datetime(2026, 9, 17, 5, 59, 59, tzinfo=UTC), "2026-09-15"),
        ([{"settle_hours": 0}], datetime(2026, 9, 17, tzinfo=UTC), "2026-09-16"),
        ([{"settle_hours": 30}, {"settle_hours": 0}], datetime(2026, 9, 17, 1, tzinfo=UTC), "2026-09-14"),
        ([{"until": "2026-09-01"}], datetime(2026, 9, 17, tzinfo=UTC), "2026-08-31"),
        ([{"until": "2026-09-01", "settle_hours": 99}, {}], datetime(2026, 9, 17, 12, tzinfo=UTC), "2026-09-16"),
        (
            [{"until": "2026-09-01"}, {"since": "2026-09-10", "settle_hours": 240}],
            datetime(2026, 9, 12, tzinfo=UTC),
            "2026-08-31",
        ),
    ],
)
def test_the_latest_settled_day_is_one_on_which_all_active_sources_are(
    read_settings: ReadSettings, settings: list[dict[str, Any]], now: datetime, latest: str
) -> None:
    """The slowest source decides, one that ended doesn't, and days without a source are passed over."""
    sources = read_settings(**{f"s{n}": USUAL | each for n, each in enumerate(settings)})
    assert latest_settled_day(sources, now) == date.fromisoformat(latest)


def test_no_settled_day_is_an_error(declare: Declare) -> None:
    """A source that begins today has none yet, and the message says where to look."""
    with pytest.raises(ConfigError, match=r"No source is active on any day that is settled by now. Check since"):
        latest_settled_day([declare(since=DAY)], datetime(2026, 9, 18, 5, tzinfo=UTC))


@pytest.mark.parametrize(
    ("settings", "missing_days", "expected"),
    [
        ({}, [], None),
        ({}, [0], "source web: 0 of 1 files for 2026-09-17 match access.log-20260917."),
        ({}, [-1, 1], None),
        ({"neighbour_days": 1}, [], None),
        ({"neighbour_days": 1}, [-2, 2], None),
        ({"neighbour_days": 1}, [1], None),
        ({"neighbour_days": 1}, [-1], None),
        ({"neighbour_days": 1}, [0], "0 of 1 files for 2026-09-17 match"),
        ({"neighbour_days": 1}, [1, 2], "0 of 1 files for 2026-09-18 (neighbour_days = 1 reads it too) match"),
        ({"neighbour_days": 1, "expected_files": 1}, [-1], "0 of 1 files for 2026-09-16 (neighbour_days = 1"),
        ({"neighbour_days": 1, "expected_files": 1}, [1], "0 of 1 files for 2026-09-18 (neighbour_days = 1"),
        ({"neighbour_days": 1, "since": DAY, "until": "2026-09-18"}, [-1], None),
        (
            {"neighbour_days": 1, "since": DAY, "until": "2026-09-18"},
            [1, 2],
            "files for 2026-09-18 (neighbour_days",
        ),
        ({"neighbour_days": 1, "allow_empty": "true"}, [1, 2], "files for 2026-09-18 (neighbour_days"),
        ({"neighbour_days": 2}, [-2], None),
        ({"covers": "-1 to 0"}, [-1], None),
        ({"covers": "-1 to 0"}, [1], None),
        ({"covers": "-1 to 0"}, [0], None),
        ({"covers": "-1 to 0"}, [1, 2], "files for 2026-09-18 (covers = -1 to 0 reads it too)"),
        ({"covers": "-1"}, [1], "0 of 1 files for 2026-09-18 (covers = -1 to -1 reads it too)"),
        ({"covers": "-1"}, [0], None),
        ({"covers": "-1", "expected_files": 2}, [0], "1 of 2 files for 2026-09-18"),
        ({"covers": "-6 to 0"}, [0, 1], "0 of 1 files for 2026-09-23 (covers = -6 to 0 reads it too)"),
        ({"covers": "-6 to 0"}, [0, 1, 2], "files for 2026-09-17"),
        ({"covers": "0 to 1"}, [-1], None),
        ({"covers": "0 to 1"}, [0], "0 of 1 files for 2026-09-17 match"),
        ({"covers": "0 to 1"}, [1], None),
        ({"expected_files": 2}, [], "source web: 1 of 2 files for 2026-09-17 match"),
        ({"allow_empty": "true"}, [0], None),
        ({"allow_empty": "true", "expected_files": 2}, [], "1 of 2 files"),
    ],
)
def test_missing_files_are_named(
    declare: Declare, tmp_path: Path, settings: dict[str, Any], missing_days: list[int], expected: str | None
) -> None:
    """A day waits for its own file, and for the latest that it reads or a later one; for all, if so said."""
    source = declare(**USUAL | settings)
    for n in {-2, -1, 0, 1, 2} - set(missing_days):
        tmp_path.joinpath(f"access.log-{DAY + timedelta(days=n):%Y%m%d}").touch()
    said = source.missing_input(DAY)
    assert said is None if expected is None else expected in said


@pytest.mark.parametrize(
    ("settings", "there", "said"),
    [
        ({"expected_files": 2}, [0], None),
        ({"expected_files": 2}, [1], "source web: 0 of 2 files for 2026-09-17 match"),
        ({"neighbour_days": 1}, [0, 1], None),
        ({"neighbour_days": 1}, [1], None),
        ({"neighbour_days": 1}, [], "source web: 0 of 1 files for 2026-09-16 (neighbour_days"),
        ({"allow_empty": "true"}, [], None),
    ],
)
def test_a_day_does_not_wait_for_files_that_may_lack(
    declare: Declare, tmp_path: Path, settings: dict[str, Any], there: list[int], said: str | None
) -> None:
    """With fewer_files = warn one file is enough, of whichever day is read; without any it is missing."""
    source = replace(declare(**USUAL | settings), severities=Severities(fewer_files=Severity.WARN))
    for n in there:
        tmp_path.joinpath(f"access.log-{DAY + timedelta(days=n):%Y%m%d}").touch()
    assert (source.missing_input(DAY) or "").startswith(said or "")
    assert (source.missing_input(DAY) is None) == (said is None)
    assert source.is_missing(DAY) == (said is not None)


@pytest.mark.parametrize("files", ["logs/{YYYY}/{MM}{DD}.log", "logs/*.log"])
def test_a_folder_that_is_lost_is_no_empty_day(declare: Declare, tmp_path: Path, files: str) -> None:
    """As of a disk that is not mounted, also where a day may be empty; a day's own folder may be missing then."""
    source = declare(files=files, allow_empty="true")
    assert f"source web: there is no folder {tmp_path}/logs, in which its files" in str(source.missing_input(DAY))
    tmp_path.joinpath("logs").mkdir()
    assert source.missing_input(DAY) is None


def test_an_undated_source_has_its_input_while_a_file_matches(declare: Declare, tmp_path: Path) -> None:
    """Whatever the day, all files are read; without any, the pattern is named."""
    source = declare(files="*.log")
    assert "source web: 0 of 1 files for 2026-09-17 match *.log" in str(source.missing_input(DAY))
    tmp_path.joinpath("a.log").touch()
    assert source.missing_input(DAY) is None
    assert [file.name for file in source.find_files(DAY)] == ["a.log"]


def test_files_of_neighbouring_days_are_found_in_order(declare: Declare, tmp_path: Path) -> None:
    """From the earliest day to the latest, those that are there."""
    for n in (15, 16, 18, 19):
        tmp_path.joinpath(f"access.log-202609{n}").touch()
    found = declare(files=DATED, neighbour_days=1).find_files(DAY)
    assert [(file.name, file.day) for file in found] == [
        ("access.log-20260916", date(2026, 9, 16)),
        ("access.log-20260918", date(2026, 9, 18)),
    ]

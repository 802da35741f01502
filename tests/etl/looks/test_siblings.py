"""What lies beside a log: which files are one log with it, and how `files` names them."""

from datetime import date

import pytest

from etl.looks.siblings import family

DAY = date(2026, 9, 17)


@pytest.mark.parametrize(
    ("path", "others", "files"),
    [
        ("access.log", [], "access.log"),
        ("access.log-20260917.gz", [], "access.log-{YYYY}{MM}{DD}.gz"),
        ("access.log-20260917.gz", ["access.log-20260918", "error.log-20260917"], "access.log-{YYYY}{MM}{DD}*"),
        ("/logs/2026/09/17/access-14.log", [], "/logs/{YYYY}/{MM}/{DD}/access-{HH}.log"),
        ("a-2026-09-17-14.log", [], "a-{YYYY}-{MM}-{DD}-{HH}.log"),
        ("a-2026091714.log", [], "a-{YYYY}{MM}{DD}{HH}.log"),
        ("a-2026-09-17-11.log", [], "a-{YYYY}-{MM}-{DD}-*.log"),
        ("2026-09-17/a-2026-09-17.log", [], "{YYYY}-{MM}-{DD}/a-{YYYY}-{MM}-{DD}.log"),
        ("dt=2026-09-17/hour=14/part-0001.log", [], "dt={YYYY}-{MM}-{DD}/hour={HH}/part-*.log"),
        ("year=2026/month=09/day=17/a.log", [], "year={YYYY}/month={MM}/day={DD}/a.log"),
        ("access.17.09.2026.log", [], "access.{DD}.{MM}.{YYYY}.log"),
        ("u_ex260917.log", ["u_ex260918.log"], "u_ex{YY}{MM}{DD}.log"),
        ("a-20261001.log", [], "a-20261001.log"),
        ("a-20261301.log", [], "a-20261301.log"),
        ("a-120260917.log", [], "a-120260917.log"),
        ("a-20260917123.log", [], "a-20260917123.log"),
        ("~/50%[1]{x}*.log", [], "?/50??1]?x??.log"),
        (
            "E2EXAMPLE1ABC.2026-09-17-14.abcdefgh.gz",
            ["E2EXAMPLE1ABC.2026-09-17-15.2soosksi.gz", "E2EXAMPLE1ABC.2026-09-17-16.7qkz01ab.gz"],
            "E2EXAMPLE1ABC.{YYYY}-{MM}-{DD}-{HH}.*.gz",
        ),
        ("2026-09-17T14:00:00.000-2SOOSKSI.log.gz", [], "{YYYY}-{MM}-{DD}T{HH}:*.log.gz"),
        (
            "20260917/20260917T140000Z_20260917T145959Z_2soosksi.log.gz",
            ["20260918/20260918T140000Z_20260918T145959Z_u8w2kd0q.log.gz"],
            "{YYYY}{MM}{DD}/{YYYY}{MM}{DD}*.log.gz",
        ),
        (
            "eu-west-1/2026/09/17/123456789012_app.lb.0123456789abcdef_20260917T1405Z_203.0.113.1_2soosksi.log.gz",
            [],
            "eu-west-1/{YYYY}/{MM}/{DD}/123456789012_app.lb.0123456789abcdef_{YYYY}{MM}{DD}*.log.gz",
        ),
        ("2026-09-17-14-17-28-3C8A1F0B2D4E5F67", [], "{YYYY}-{MM}-{DD}-{HH}-*"),
        ("web1-20260917.log", ["web2-20260917.log"], "web*-{YYYY}{MM}{DD}.log"),
        ("shop-7d9f8b6c5-x2x9k.log", [], "shop-*.log"),
        ("access-17-Sep-2026.log", [], "access-*.log"),
        ("logs/access-17-Sep-2026.log.gz", ["logs/access-18-Sep-2026.log"], "logs/access-*.log*"),
        ("access.log.Sep-17", ["access.log.Sep-18", "error.log.Sep-18"], "access.log.*"),
        ("access_2026Sep17.log", ["access_2026Oct01.log", "other_2026Sep17.log"], "access_*.log"),
        ("marching-1.log", [], "marching-1.log"),
    ],
)
def test_what_varies_in_names_becomes_placeholders_and_stars(path: str, others: list[str], files: str) -> None:
    """A date near that of the lines, the hour after it, what nobody chose, and what differs beside it."""
    assert family(path, [path, *others], {DAY}, 14).files == files


@pytest.mark.parametrize(
    ("names", "undated", "current"),
    [
        (
            ["access.log", "access.log.1", "access.log.2.gz", "error.log", "error.log.1"],
            "access.log*",
            "access.log",
        ),
        (["access.log.1", "access.log.2.gz"], "access.log*", None),
        (["access.log", "access.log-20260917.gz", "access.log-20260918"], "access.log*", "access.log"),
        (["access_log", "access_log-20260917", "error_log"], "access_log*", "access_log"),
        (["access.log", "access-17-Sep-2026.log", "access-16-Sep-2026.log.gz"], "access*.log*", "access.log"),
        (["access.log", "access-2026-09-17.log", "access-2026-09-16.log.gz"], "access*.log*", "access.log"),
    ],
)
def test_the_file_that_is_written_to_is_one_log_with_the_others(
    names: list[str], undated: str, current: str | None
) -> None:
    """Whichever of them was asked for."""
    members = [each for each in names if each.startswith("access")]
    for each in members:
        found = family(each, names, {DAY})
        assert (found.undated, found.current) == (undated, current), each
        assert {name for name, _ in found.members} | {current or members[0]} == {*members}


def test_files_of_another_log_are_none_of_it() -> None:
    """Another word in the name is another log."""
    names = ["shop-20260917.log", "shop-20260918.log", "blog-20260917.log", "shop-20260917.txt"]
    assert [name for name, _ in family(names[0], names, {DAY}).members] == names[:2]

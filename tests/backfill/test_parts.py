"""Hosts that share a range by `--part`: nobody waits for anybody, and the range is as one run makes it."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta

import pytest

HOSTS = 8
FIRST_DAY = date(2015, 5, 17)


def hosts(project, count, **source):
    """Return projects with one lake, each with a copy of the logs elsewhere."""
    made = []
    for number in range(count):
        host = replace(project, folder=project.folder / f"host{number}")
        host.folder.mkdir()
        (host.folder / "raw").symlink_to(project.folder / "logs")
        host.configure(
            lake={"root": str(project.folder / "lake")}, web=source | {"root": str(host.folder / "raw")}
        )
        made.append(host)
    return made


def at_once(made, *command):
    """Run a command's parts, one a host, at the same time; assert that each is done, and return what they say."""

    def run(number):
        return made[number].anew().run(*command, "--part", f"{number}/{len(made)}")

    with ThreadPoolExecutor(len(made)) as pool:
        found = list(pool.map(run, range(len(made))))
    assert [(each.returncode, each.stderr) for each in found] == [(0, "")] * len(made)
    return [each.stdout for each in found]


@pytest.mark.slow
def test_eight_hosts_share_a_range(a_project, make_project):
    """Each builds its own days and no other, and the lake is byte for byte that of one run on one host."""
    days = 3 * HOSTS + 3
    stop = FIRST_DAY + timedelta(days=days)
    source = a_project.source | {"files": "{YYYY}-{MM}-{DD}.log", "until": str(stop)}
    command = ("backfill", "run", "--of", "ErrorRateDaily", "--start", str(FIRST_DAY), "--stop", str(stop))
    a_project.write_logs(days)
    said = at_once(hosts(a_project, HOSTS, **source), *command)
    counts = Counter(text.split(" asked for: ")[1].splitlines()[0] for text in said)
    assert counts == {
        "3 built, 0 already there, 0 failed, 0 waiting.": 5,
        "4 built, 0 already there, 0 failed, 0 waiting.": 3,
    }
    alone = make_project("alone")
    alone.write_logs(days)
    (only,) = hosts(alone, 1, **source)
    assert only.run(*command, "--workers", "2").returncode == 0
    assert a_project.published() == alone.published()


@pytest.mark.slow
def test_parts_build_what_their_first_days_need(make_project):
    """Of a dataset whose days are made from 14 days, a part builds days of the part before, or finds them."""
    shared = make_project("shared")
    views = shared.folder / "logs"
    views.mkdir()
    count = 13 + 4 * 5
    for number in range(count):
        day = FIRST_DAY + timedelta(days=number)
        (views / f"{day}.csv").write_text(f"application,path,views\nshop,/,100\nshop,/day/{number},5\n")
    stop = FIRST_DAY + timedelta(days=count)
    source = {
        "dataset": "page_views",
        "format": "csv",
        "files": "{YYYY}-{MM}-{DD}.csv",
        "fields": "visitors = -",
        "since": str(FIRST_DAY),
        "until": str(stop),
    }
    start = FIRST_DAY + timedelta(days=13)
    command = ("backfill", "run", "--of", "PagePopularityDaily", "--start", str(start), "--stop", str(stop))
    at_once(hosts(shared, 4, **source), *command)
    alone = make_project("alone")
    (alone.folder / "logs").symlink_to(views)
    (only,) = hosts(alone, 1, **source)
    assert only.run(*command).returncode == 0
    published = shared.published()
    assert len([key for key in published if key.startswith("page_popularity/")]) == 20
    assert published == alone.published()

"""The whole pipeline, on both stores: the same figures, the same bytes, whoever builds and reads."""

import csv
import io
import os
from collections import Counter
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path

import boto3
import duckdb
import pandas as pd
import pyarrow.dataset as pads
import pytest

from backfill.attempts import NAME, Attempts
from backfill.days import DayRange
from backfill.engines.local.ranges import RangeDailyBase
from backfill.plan import Plan
from etl.project import project
from etl.raw import s3 as s3_files
from tasks.error_rate import ErrorRateDaily

PAGE = Path(__file__).parents[2] / "docs/how-to/s3.md"
RACES = int(os.environ.get("RACES", "4"))  # of two processes; fifty take six minutes
RANGE = ("luigi", "RangeDailyBase", "--of", "ErrorRateDaily", "--start", "2015-05-17")
QUERY = """
select dt, valid_requests, server_error_requests, client_error_requests, hours_observed,
    (select count(*) from rejects where rejects.dt = error_rate.dt) as rejects
from error_rate order by dt
"""


def answer(project_there, query):
    """Return the rows that `lake sql` prints as CSV."""
    done = project_there.run("lake", "sql", "--csv", query)
    assert (done.returncode, done.stderr) == (0, "")
    return list(csv.reader(io.StringIO(done.stdout)))[1:]


@pytest.mark.parametrize("fixture", ["a_project", pytest.param("on_s3", marks=pytest.mark.slow)])
def test_real_log(fixture, request, real_log):
    """The real log gives the figures that were counted by hand."""
    there = request.getfixturevalue(fixture)
    lake = dict(
        line.split(" = ") for line in (there.folder / "luigi.cfg").read_text().split("\n\n")[0].splitlines()[1:]
    )
    there.configure(lake=lake, web=there.source | {"files": str(real_log), "expected_hours": "0-23"})
    done = there.run(*RANGE)
    assert done.returncode == 0
    assert sorted(done.stderr.splitlines()) == [  # it begins and ends within a day
        "2015-05-17 of source web is incomplete: no request in UTC hours 0-9",
        "2015-05-20 of source web is incomplete: no request in UTC hours 22-23",
    ]
    assert answer(there, QUERY) == [
        ["2015-05-17", "1632", "0", "30", "14", "0"],
        ["2015-05-18", "2893", "2", "64", "24", "0"],
        ["2015-05-19", "2896", "0", "66", "24", "0"],
        ["2015-05-20", "2578", "1", "57", "22", "1"],
    ]


@pytest.mark.slow
def test_same_day_same_bytes(make_project):
    """Two lakes built from the same logs are equal, byte for byte, whatever the number of workers."""
    lakes = []
    for name, workers in (("one", "1"), ("two", "2")):
        made = make_project(name).anew()  # each with a seed of hashes of its own
        made.write_logs()
        assert made.run(*RANGE, "--workers", workers).returncode == 0
        lakes.append(made.published())
    assert len(lakes[0]) == 24
    assert lakes[0] == lakes[1]


def test_logs_mounted_elsewhere_give_the_same_bytes(make_project, tmp_path):
    """Raw files are named relative to the root that the source declares, in rejects and provenance alike."""
    files = []
    for name in ("here", "there"):
        project = make_project(name)
        project.write_logs(days=1)
        mounted = tmp_path / f"logs of {name}"
        (project.folder / "logs").rename(mounted)
        text = mounted.joinpath("2015-05-17.log").read_text()
        mounted.joinpath("2015-05-17.log").write_text(f"{text}no request\n" * 40)
        source = project.source | {"root": str(mounted), "files": "{YYYY}-{MM}-{DD}.log", "max_reject_rate": "0.5"}
        project.configure(web=source)
        assert project.run("luigi", "RequestsDaily", "--source", "web", "--date", "2015-05-17").returncode == 0
        lake = project.folder / "lake"
        files.append({path.relative_to(lake): path.read_bytes() for path in lake.rglob("*.parquet")})
    assert len(files[0]) == 2
    assert files[0] == files[1]


@pytest.mark.slow
def test_s3_holds_the_same_as_a_folder(on_s3, make_project, moto_url):
    """A lake on S3 has the keys and bytes of a local one, digests in the metadata, and answers alike."""
    local = make_project("local")
    local.write_logs()
    assert local.run(*RANGE).returncode == 0
    assert on_s3.run(*RANGE).returncode == 0
    bucket, _, prefix = on_s3.lake()["root"].removeprefix("s3://").partition("/")
    s3 = boto3.client("s3", endpoint_url=moto_url)
    beside = f"{prefix}/_"  # attempts and evidence
    listed = (item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"])
    keys = [key for key in listed if not key.startswith(beside)]
    found = {key: s3.get_object(Bucket=bucket, Key=key) for key in keys}
    assert {
        key.removeprefix(f"{prefix}/"): each["Body"].read() for key, each in found.items()
    } == local.published()
    assert all(len(each["Metadata"]["sha256"]) == 64 for each in found.values())
    assert answer(on_s3, QUERY) == answer(local, QUERY)
    assert on_s3.run("backfill", "status", "--of", "ErrorRateDaily").returncode == 0
    again = on_s3.run(*RANGE)
    assert "Nothing to do, nothing was rebuilt." in again.stdout


def test_raw_logs_on_s3(on_s3, moto_url):
    """Raw logs are read from S3 by the same patterns, and named by their URL."""
    s3 = boto3.client("s3", endpoint_url=moto_url)
    bucket = on_s3.lake()["root"].split("/")[2]
    for path in (on_s3.folder / "logs").iterdir():
        s3.upload_file(str(path), bucket, f"logs/{path.stem.replace('-', '/')}/{path.name}")
    on_s3.configure(
        lake={"root": "lake", "endpoint_url": moto_url},
        web=on_s3.source | {"files": f"s3://{bucket}/logs/{{YYYY}}/{{MM}}/{{DD}}/*.log"},
    )
    done = on_s3.run(*RANGE)
    assert (done.returncode, done.stderr) == (0, "")
    url = f"s3://{bucket}/logs/2015/05/18/2015-05-18.log"
    assert on_s3.run("backfill", "identify", url, "--source", "web").returncode == 0
    done = on_s3.run(
        "backfill", "identify", url
    )  # by the endpoint_url of [lake], which finds those beside it, too
    assert done.returncode == 0
    assert f"\nfiles = s3://{bucket}/logs/{{YYYY}}/{{MM}}/{{DD}}/{{YYYY}}-{{MM}}-{{DD}}.log\n" in done.stdout
    assert "\nsince = 2015-05-17\n" in done.stdout
    files = "lake/requests/v1/dt=2015-05-18/*/*/*"
    name = "json_extract_string(decode(value), '$.inputs[0].name')"
    names = answer(on_s3, f"select {name} from parquet_kv_metadata('{files}') where key = 'provenance'")
    assert names == [[f"s3://{bucket}/logs/2015/05/18/2015-05-18.log"]]


def test_raw_logs_may_lie_in_folders_that_are_named_as_columns(a_project):
    """What is in the path of a log is no column; the same path as the lake's root is refused, by every command."""
    (a_project.folder / "application=web/status=5").mkdir(parents=True)
    for path in (a_project.folder / "logs").iterdir():
        folder = a_project.folder / f"application=web/status=5/dt={path.stem}"
        folder.mkdir()
        path.rename(folder / "access.log")
    files = {"root": "application=web", "files": "status=5/dt={YYYY}-{MM}-{DD}/access.log"}
    a_project.configure(web=a_project.source | files)
    done = a_project.run(*RANGE)
    assert (done.returncode, done.stderr) == (0, "")
    assert answer(a_project, "select distinct application, status from requests where status >= 500") == [
        ["shop", "500"]
    ]
    a_project.configure(lake={"root": "application=web/lake"})
    for command in (RANGE, ["lake", "ls"], ["lake", "sql", "from error_rate"]):
        done = a_project.run(*command)
        assert done.returncode != 0
        assert "'/application=' in it would mislead readers" in done.stderr
        assert "Traceback" not in done.stderr


def test_any_reader_gets_the_same(a_project):
    """Plain DuckDB, pandas and pyarrow read the files with Hive partitioning, and agree with the catalog."""
    assert a_project.run(*RANGE).returncode == 0
    query = "select dt, application, valid_requests, error_rate_high from {} order by dt"
    folder = a_project.folder / "lake/error_rate/v1"
    expected = answer(a_project, query.format("error_rate"))
    plain = duckdb.sql(query.format(f"read_parquet('{folder}/**/*.parquet', hive_partitioning = true)")).fetchall()
    columns = ["dt", "application", "valid_requests", "error_rate_high"]
    table = pads.dataset(folder, partitioning="hive").to_table()
    frame = pd.read_parquet(folder)
    assert len(expected) == 4
    for rows in (
        plain,
        table.select(columns).sort_by("dt").to_pandas().to_numpy().tolist(),
        frame.sort_values("dt")[columns].to_numpy().tolist(),
    ):
        assert [[str(value) for value in row] for row in rows] == expected


@pytest.mark.slow
def test_years_there_are_a_few_listings(on_s3, moto_url, monkeypatch, now, build):
    """A range of 1,100 days that is all there costs a request for each 1,000 keys, not one a day."""
    monkeypatch.setenv("LUIGI_CONFIG_PATH", str(on_s3.folder / "luigi.cfg"))
    start = date(2005, 1, 1)
    on_s3.configure(lake=on_s3.lake(), web=on_s3.source | {"since": "2005-01-01"})
    bucket, _, prefix = on_s3.lake()["root"].removeprefix("s3://").partition("/")
    s3 = boto3.client("s3", endpoint_url=moto_url)
    for n in range(1100):
        (target,) = ErrorRateDaily(date=start + timedelta(days=n)).output()
        s3.put_object(Bucket=bucket, Key=f"{prefix}/{target.partition.key}", Body=b"there")
    calls = []
    project().lake.store._s3.meta.events.register("before-call.s3", lambda model, **_: calls.append(model.name))  # noqa: SLF001
    days = RangeDailyBase(of=ErrorRateDaily, start=start, stop=start + timedelta(days=1100))
    assert build(days)
    assert set(calls) == {"ListObjectsV2"}
    assert len(calls) <= 2 * 2  # the range looks once for what is missing, and once whether it is complete


def test_a_day_on_s3_is_as_many_requests_as_the_documentation_says(on_s3, monkeypatch, build):
    """Of one source, from its raw logs to its error rate, none of it there before."""
    monkeypatch.setenv("LUIGI_CONFIG_PATH", str(on_s3.folder / "luigi.cfg"))
    calls = Counter()
    client = project().lake.store._s3  # noqa: SLF001
    client.meta.events.register("before-call.s3", lambda model, **_: calls.update([model.name]))
    assert build(ErrorRateDaily(date=date(2015, 5, 17)))
    said = (
        f"{calls.total()} requests: {calls['PutObject']} PUT, {calls['GetObject']} GET, {calls['HeadObject']} HEAD"
        f" and {calls['ListObjectsV2']} LIST"
    )
    assert said in " ".join(PAGE.read_text(encoding="utf-8").split())


def test_ten_years_missing_are_a_few_listings(on_s3, moto_url, monkeypatch, now):
    """A plan with its raw logs on S3 too lists datasets, attempts and logs, and asks for no day alone."""
    monkeypatch.setenv("LUIGI_CONFIG_PATH", str(on_s3.folder / "luigi.cfg"))
    bucket = on_s3.lake()["root"].split("/")[2]
    start, lake = date(2005, 5, 17), on_s3.lake()
    s3 = boto3.client("s3", endpoint_url=moto_url)
    for day in ("2005/05/18", "2015/05/16"):
        s3.put_object(Bucket=bucket, Key=f"logs/{day}/a.log", Body=b"")
    files = f"s3://{bucket}/logs/{{YYYY}}/{{MM}}/{{DD}}/*.log"
    on_s3.configure(lake=lake, web=on_s3.source | {"since": str(start), "files": files})
    calls = []
    monkeypatch.setattr(s3_files, "_client", lru_cache(s3_files._client.__wrapped__))  # noqa: SLF001
    for client in (project().lake.store._s3, s3_files._client(lake["endpoint_url"], os.getpid())):  # noqa: SLF001
        client.meta.events.register("before-call.s3", lambda model, **_: calls.append(model.name))
    days = DayRange.resolve(ErrorRateDaily(date=start).unit, start, date(2015, 5, 18), now)
    past = Attempts(project().lake.journal(NAME), days.example)
    found = Plan.of(days, now, past, max_attempts=3).with_input()
    assert found.chosen == [date(2005, 5, 18), date(2015, 5, 16)]
    assert set(calls) == {"ListObjectsV2"}
    assert len(calls) <= 9


@pytest.mark.slow
@pytest.mark.parametrize("fixture", ["a_project", "on_s3"])
def test_two_processes_at_once(fixture, request):
    """Many times, two processes run the same range at once: nobody fails, every partition is there once."""
    there = request.getfixturevalue(fixture)
    lake = there.lake()
    for n in range(RACES):
        there.configure(lake=lake | {"root": f"{lake['root']}{n}"})
        racers = [there.start(*RANGE, "--stop", "2015-05-19") for _ in range(2)]
        for racer in racers:
            output, errors = racer.communicate(timeout=120)
            assert (racer.returncode, errors) == (0, ""), output
        status = there.run("backfill", "status", "--of", "ErrorRateDaily", "--stop", "2015-05-19")
        assert (status.returncode, status.stdout.splitlines()[-1]) == (
            0,
            "■ 2 there",
        )

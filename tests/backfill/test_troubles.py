"""Backfills into S3 while single requests go wrong, and while the server itself is killed.

    TROUBLED_DAYS=200 SERVER_KILLS=20 python -m pytest --s3-server seaweedfs tests/backfill/test_troubles.py

does it longer than CI; `-o junit_family=xunit1 --junit-xml FILE` has the figures.
"""

import os
import random
import time
from collections import Counter
from datetime import date, timedelta
from threading import Event, Thread

import botocore.exceptions
import pytest
from faulty import Fault, before, some_of
from s3_servers import KEYS, client, make_bucket, partitions

pytestmark = pytest.mark.slow

RUN = ("backfill", "run", "--of", "ErrorRateDaily")
TWO_WORKERS = (*RUN, "--workers", "2")
TROUBLED_DAYS = int(os.environ.get("TROUBLED_DAYS", "12"))
SERVER_KILLS = int(os.environ.get("SERVER_KILLS", "5"))
SHARE, SEED = 0.05, 20151
SURROUNDINGS = (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError)


def of_days(project, days: int, lines: int = 20):
    """Give a project logs of so many days, and return it."""
    until = {"until": str(date(2015, 5, 17) + timedelta(days=days))}
    project.configure(lake=project.lake(), web=project.source | until)
    project.write_logs(days=days, lines=lines)
    return project


@pytest.fixture
def undisturbed(make_project):
    """A function that returns what is published of so many days in a lake that nothing happens to."""

    def build(days):
        made = of_days(make_project("undisturbed"), days)
        assert made.run(*RUN).returncode == 0
        return made.published()

    return build


@pytest.mark.slow
def test_a_backfill_in_which_some_of_all_requests_go_wrong(on_s3, moto_url, undisturbed, s3_name, record_property):
    """One request in twenty, in every way: each day is built at the first try, with the bytes it always has."""
    expected = undisturbed(TROUBLED_DAYS)
    root = on_s3.lake()["root"]
    with before(moto_url) as proxy:
        proxy.refuse = some_of(SHARE, SEED, checks=s3_name == "seaweedfs")
        on_s3.configure(lake={"root": root, "endpoint_url": proxy.url})
        run = of_days(on_s3, TROUBLED_DAYS).start(*TWO_WORKERS)
        output, errors = run.communicate(timeout=120 + 10 * TROUBLED_DAYS)
        assert (run.returncode, errors) == (0, "")
        assert f"{TROUBLED_DAYS} built, 0 already there, 0 failed, 0 waiting" in output
        again = on_s3.run(*TWO_WORKERS)
        assert (again.returncode, again.stderr) == (0, "")
        assert "Nothing to do" in again.stdout
        troubles = Counter(str(trouble) for _, trouble in proxy.requests if trouble)
        record_property("requests", len(proxy.requests))
        record_property("troubles", dict(troubles))
        assert 0.03 < troubles.total() / len(proxy.requests) < 0.08
    assert partitions(moto_url, root) == expected


@pytest.mark.slow
@pytest.mark.parametrize("trouble", [Fault.CUT, Fault.DAMAGED, Fault.LOST_REPLY], ids=lambda each: each.name)
def test_a_raw_log_that_does_not_come_whole(on_s3, moto_url, faulty_s3, trouble):
    """The rest of a raw log on S3 is asked for; if it is damaged, its day waits, by name, for the next run."""
    bucket = on_s3.lake()["root"].split("/")[2]
    for path in (on_s3.folder / "logs").iterdir():
        client(moto_url).upload_file(str(path), bucket, f"logs/{path.name}")
    on_s3.configure(
        lake={"root": "lake", "endpoint_url": faulty_s3.url},
        web=on_s3.source | {"files": f"s3://{bucket}/logs/{{YYYY}}-{{MM}}-{{DD}}.log"},
    )
    faulty_s3.refuse = lambda request: (
        trouble if request.wants_object and request.count == 1 and "2015-05-18" in request.path else None
    )
    done = on_s3.run(*RUN)
    if trouble is Fault.DAMAGED:
        assert "3 built, 0 already there, 1 failed" in done.stdout
        assert f"s3://{bucket}/logs/2015-05-18.log: " in done.stderr
        done = on_s3.run(*RUN)
    assert (done.returncode, done.stderr) == (0, "")
    errors = on_s3.run(
        "lake", "sql", "--csv", "select sum(valid_requests), sum(server_error_requests) from error_rate"
    )
    assert errors.stdout.split()[-1] == "12,4"


class Reader(Thread):
    """Reads all that is published, over and over, and keeps what is not as it should be.

    Attributes:
        wrong: The keys of what was read whole and has other bytes than expected, or vanished.
        reads: How many objects were read whole.
    """

    def __init__(self, url: str, bucket: str, expected: dict[str, bytes]) -> None:
        super().__init__(daemon=True)
        settings = {"connect_timeout": 1, "read_timeout": 5, "retries": {"total_max_attempts": 1}}
        self._s3 = client(url, response_checksum_validation="when_required", **settings)
        self._bucket = bucket
        self._expected = expected
        self._ended = Event()
        self._seen: set[str] = set()
        self.wrong: list[str] = []
        self.reads = 0

    def run(self) -> None:
        """Read until `end` is called."""
        while not self._ended.wait(0.02):
            try:
                pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket)
                keys = {item["Key"] for page in pages for item in page.get("Contents", ())}
                self.wrong += [f"{key} vanished" for key in self._seen - keys]
                for key in sorted(each for each in keys if each.endswith(".parquet")):
                    self._read(key)
            except SURROUNDINGS:  # the server is being killed
                continue

    def _read(self, key: str) -> None:
        body = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        self.reads += 1
        self._seen.add(key)
        if body != self._expected[key.partition("/")[2]]:
            self.wrong.append(f"{key} has {len(body)} bytes")

    def end(self) -> None:
        """Have it end, and wait for that."""
        self._ended.set()
        self.join()


@pytest.mark.slow
def test_a_server_that_is_killed_at_any_moment(make_project, seaweedfs, undisturbed, record_property):
    """No reader sees a part of an object, runs go on when the server is back, and the lake is as it always is."""
    days, bucket = 12, "killed"
    expected = undisturbed(days)
    make_bucket(seaweedfs.url, bucket)
    project = make_project("disturbed")
    project.environment.update(KEYS)
    rng = random.Random(SEED)  # noqa: S311 - moments, no secrets
    reader = Reader(seaweedfs.url, bucket, expected)
    reader.start()
    kills, lakes, codes = 0, 0, Counter()
    while kills < SERVER_KILLS:
        lakes += 1
        lake = {"root": f"s3://{bucket}/lake{lakes}", "endpoint_url": seaweedfs.url}
        project.configure(lake=lake)
        run = of_days(project, days).start(*TWO_WORKERS)
        while kills < SERVER_KILLS:
            time.sleep(rng.uniform(0.3, 4))
            if run.poll() is not None:
                break
            seaweedfs.kill()
            kills += 1
            time.sleep(rng.uniform(0, 0.5))
            seaweedfs.start()
        _, errors = run.communicate(timeout=300)
        codes[run.returncode] += 1
        assert run.returncode in {0, 1}, errors
        assert project.run(*TWO_WORKERS).returncode == 0
        assert partitions(seaweedfs.url, lake["root"]) == expected
    reader.end()
    record_property("kills", kills)
    record_property("exit codes of the runs", dict(codes))
    record_property("objects read meanwhile", reader.reads)
    assert reader.wrong == []
    assert reader.reads

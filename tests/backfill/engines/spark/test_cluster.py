"""Runs on a real cluster: what dies in the middle, a driver that is killed, hosts that differ.

    KILLS=20 python -m pytest -m spark tests/backfill/engines/spark/test_cluster.py

kills more often than CI does.
"""

import os
import random
import signal
import time
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta

import pytest

pytestmark = [pytest.mark.spark, pytest.mark.longest, pytest.mark.xdist_group("cluster")]

KILLS = int(os.environ.get("KILLS", "3"))
DAYS = 6 * KILLS
RUN = ("backfill", "run", "--of", "ErrorRateDaily", "--workers", "2")
ON_SPARK = (*RUN, "--engine", "spark")
STOP = ("--stop", str(date(2015, 5, 17) + timedelta(days=DAYS)))
SECONDS = 600
SEED = 20


@pytest.fixture
def on_cluster(make_project, cluster):
    """Return a project with some weeks of logs, which its cluster builds."""
    return configured(make_project("on_cluster"), cluster)


def configured(made, cluster):
    """Give a project logs, and the section of a cluster."""
    made.write_logs(DAYS)
    made.configure(web=made.source | {"until": STOP[1]})
    path = made.folder / "luigi.cfg"
    path.write_text(path.read_text() + cluster.section)
    return replace(made.anew(), environment=made.environment | {"SPARK_LOCAL_IP": "127.0.0.1"})


@pytest.fixture(scope="module")
def by_luigi(tmp_path_factory):
    """Return where what the local engine publishes is kept."""
    return {}


def expected(make_project, cluster, kept):
    """Return what the local engine publishes of the same."""
    if not kept:
        made = configured(make_project("local"), cluster)
        process = made.start(*RUN)
        process.communicate(timeout=SECONDS)
        assert process.returncode == 0
        kept |= made.published()
    return kept


def until(is_so, process=None, seconds=120.0):
    """Wait until something is so, and tell whether it is; a process that ends meanwhile ends it."""
    deadline = time.monotonic() + seconds
    while not (found := is_so()) and time.monotonic() < deadline and (not process or process.poll() is None):
        time.sleep(0.05)
    return found


@pytest.mark.parametrize("what", ["executors", "pythons"])
def test_what_dies_in_the_middle_is_done_again(on_cluster, make_project, cluster, by_luigi, what):
    """Executors, or their Pythons, are killed: the same bytes as from the local engine, and all is verified."""
    wanted = expected(make_project, cluster, by_luigi)
    chance = random.Random(SEED)  # noqa: S311 - the same moments each time
    process = on_cluster.start(*ON_SPARK)
    killed, seen = 0, 0
    while killed < KILLS and process.poll() is None:
        alive = getattr(cluster, what)()
        published = len(list(on_cluster.folder.glob("lake/[!_]*/**/*.parquet")))
        if not alive or published <= seen:  # something was done since the last one
            time.sleep(0.02)
            continue
        time.sleep(chance.uniform(0, 0.3))
        with suppress(ProcessLookupError):
            os.kill(chance.choice(alive), signal.SIGKILL)
            killed, seen = killed + 1, published
    output, errors = process.communicate(timeout=SECONDS)
    assert killed == KILLS, (killed, output, errors)
    assert (process.returncode, errors) == (0, ""), output
    assert f"{DAYS} built, 0 already there, 0 failed, 0 waiting" in output
    assert on_cluster.published() == wanted
    verified = on_cluster.run("lake", "verify")
    assert verified.returncode == 0, verified.stdout


def test_a_driver_that_is_killed_leaves_what_is_whole(on_cluster, make_project, cluster, by_luigi):
    """Its executors end by themselves, all they have published is right, and the next run does the rest."""
    wanted = expected(make_project, cluster, by_luigi)
    process = on_cluster.start(*ON_SPARK)
    assert until(lambda: list(on_cluster.folder.glob("lake/error_rate/v1/*")), process)
    process.kill()
    process.communicate()
    assert until(lambda: not cluster.executors())
    there = on_cluster.published()
    assert 0 < len(there) < len(wanted)
    assert {key: wanted[key] for key in there} == there
    again = on_cluster.start(*ON_SPARK)
    _, errors = again.communicate(timeout=SECONDS)
    assert (again.returncode, errors) == (0, "")
    assert on_cluster.published() == wanted
    assert on_cluster.run("lake", "verify").returncode == 0


def test_a_signal_leaves_nothing_running_on_the_cluster(on_cluster, cluster):
    """What runs is finished, and executors end with the run."""
    process = on_cluster.start(*ON_SPARK)
    assert until(lambda: list(on_cluster.folder.glob("lake/error_rate/v1/*")), process)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 130, (output, errors)
    assert "waiting for another run" in output
    assert until(lambda: not cluster.executors())


def test_executors_that_differ_build_nothing(on_cluster, cluster):
    """They publish to another folder, as where a disk is not shared: the run says so, and is over."""
    path = on_cluster.folder / "luigi.cfg"
    text = path.read_text().replace("root = lake", "root = ${THE_LAKE}")
    elsewhere = on_cluster.folder / "elsewhere"
    path.write_text(f"{text}    spark.executorEnv.THE_LAKE = {elsewhere}\n")
    made = replace(on_cluster, environment=on_cluster.environment | {"THE_LAKE": str(made_at(on_cluster))})
    done = made.run(*ON_SPARK)
    assert done.returncode == 2
    assert "backfill: An executor is not as the driver is, so it built nothing: [lake] root is" in done.stderr
    assert "the lake's id is none on" in done.stderr
    assert on_cluster.published() == {}
    assert not elsewhere.exists()


def made_at(project):
    """Return where a project's lake is."""
    return project.folder / "lake"

"""Luigi's central scheduler: a real `luigid`, workers that share a range, and its page in a browser."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import date, timedelta
from pathlib import Path
from urllib.request import urlopen

import pytest
from pages import example

from backfill.engines.local import central, runner, worker
from backfill.engines.local.registration import register

pytestmark = pytest.mark.slow

FIRST_DAY = date(2015, 5, 17)
RANGE = ("RangeDailyBase", "--of", "ErrorRateDaily", "--start", "2015-05-17")
LUIGI = ("luigi", *RANGE)
STOCK = ("python", "-m", "luigi", "--module", "backfill", *RANGE)
RUN = ("backfill", "run", "--of", "ErrorRateDaily")
PAGE = "docs/how-to/workers.md"
CHROMIUM = Path("/usr/bin/chromium")
QUIET = ("background-networking", "component-update", "sync")
SECONDS = 30
# as luigi.cfg of the scheduler has it
IMPATIENT = "[scheduler]\nworker_disconnect_delay = 2\n"
EVERY = ("RequestsDaily", "SourceCountsDaily", "ErrorCountsDaily", "ErrorRateDaily")


def until(condition) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def scheduler(folder: Path, configuration: str = "") -> Iterator[str]:
    """Run a scheduler as the documentation says, with a port and a state of its own, and yield its URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder.mkdir()
    (folder / "luigi.cfg").write_text(configuration)
    _, program, *arguments = example(PAGE, "luigid").replace("8082", str(port)).split()
    with (folder / "log").open("w") as log:
        command = [Path(sys.executable).parent / program, *arguments]
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        try:
            until(lambda: answers(port) or process.poll() is not None)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()  # nobody wants its state
            process.wait(timeout=SECONDS)


@contextmanager
def started(project, *commands: tuple[str, ...]) -> Iterator[list[subprocess.Popen[str]]]:
    """Start commands at once, and let none live on."""
    processes = [project.start(*each) for each in commands]
    try:
        yield processes
    finally:
        for each in processes:
            if each.poll() is None:
                each.kill()
                each.communicate()


def outputs(processes: Sequence[subprocess.Popen[str]]) -> list[tuple[str, str]]:
    """Return what processes say until they end; all are read at once, so that none waits for a full pipe."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda each: each.communicate(timeout=300), processes))


def answers(port: int) -> bool:
    """Tell whether somebody listens at a port."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def luigid(tmp_path) -> Iterator[str]:
    """Return the URL of a running scheduler."""
    with scheduler(tmp_path / "luigid") as url:
        yield url


def centrally(project, url: str, **core: str) -> None:
    """Let a project's luigi.cfg name a scheduler."""
    lines = {"local_scheduler": "false", "default-scheduler-url": url} | core
    with (project.folder / "luigi.cfg").open("a") as file:
        file.write("[core]\n" + "".join(f"{key.replace('_retry_', '-retry-')} = {lines[key]}\n" for key in lines))


def asked(url: str, method: str, **arguments) -> dict:
    """Return what the scheduler answers."""
    with urlopen(f"{url}/api/{method}", data=f"data={json.dumps(arguments)}".encode(), timeout=SECONDS) as answer:  # noqa: S310
        return json.load(answer)["response"]


def tasks_of(url: str, **wanted) -> dict[str, dict]:
    """Return the scheduler's tasks by the names that its page shows."""
    return {each["display_name"]: each for each in asked(url, "task_list", **wanted).values()}


def days_of(project, count: int) -> list[str]:
    """Give a project so many days."""
    until_day = FIRST_DAY + timedelta(days=count)
    project.configure(web=project.source | {"until": str(until_day)})
    project.write_logs(days=count)
    return [str(FIRST_DAY + timedelta(days=n)) for n in range(count)]


def attempts(project) -> list[dict]:
    """Return what the lake has recorded."""
    records = (project.folder / "lake/_attempts/ErrorRateDaily").iterdir()
    return [json.loads(line) for record in records for line in record.read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("commands", "count"),
    [((LUIGI, STOCK), 2 * worker.DAYS_AT_ONCE + 10), ((RUN, RUN), runner.CHUNK + 10)],
    ids=["luigi", "backfill"],
)
def test_two_workers_share_a_range(a_project, luigid, commands, count):
    """More days than either schedules at once: each task runs once, each process has a part, both succeed."""
    days = days_of(a_project, count)
    centrally(a_project, luigid, log_level="INFO")
    with started(a_project, *commands) as both:
        said = outputs(both)
    assert [each.returncode for each in both] == [0, 0], said
    ran = [re.findall(r"running   (\w+)\(date=([\d-]+)", errors) for _, errors in said]
    assert all(len(each) > 20 for each in ran)
    times = Counter(task for each in ran for task in each)
    assert times == dict.fromkeys(((f, day) for day in days for f in EVERY), 1)
    recorded = attempts(a_project)
    assert sorted(each["date"] for each in recorded) == days
    assert {each["outcome"] for each in recorded} == {"built"}
    assert len({each["run"] for each in recorded}) == 2
    assert all("0 failed, 0 waiting" in output for output, _ in said)
    tasks = tasks_of(luigid)
    assert {each["status"] for each in tasks.values()} == {"DONE"}
    (progress,) = (each for each in tasks.values() if each["name"] in {"RangeDailyBase", "Backfill"})
    assert (progress["status_message"], progress["progress_percentage"]) == (f"{count} of {count} days there", 100)


def test_the_readmes_workers_share_a_range(a_project, luigid):
    """Its section and its commands, started at once, as they stand."""
    with (a_project.folder / "luigi.cfg").open("a") as file:
        file.write(example(PAGE, "luigid.cfg").replace("http://127.0.0.1:8082", luigid))
    commands = [("sh", "-ec", f"exec {line.removeprefix('$ ')}") for line in example(PAGE, "workers").splitlines()]
    with started(a_project, *commands) as both:
        said = outputs(both)
    assert [(each.returncode, errors) for each, (_, errors) in zip(both, said, strict=True)] == [(0, "")] * 2
    assert sorted(each["date"] for each in attempts(a_project)) == [f"2015-05-{day}" for day in range(17, 21)]


def test_a_day_that_fails_at_one_worker_fails_both(a_project, luigid):
    """Each says which it is, none tries it twice, and no other day is held up."""
    days_of(a_project, 20)
    (a_project.folder / "logs/2015-05-18.log").write_text("no log at all\n")
    centrally(a_project, luigid)
    with started(a_project, LUIGI, RUN) as both:
        said = outputs(both)
    assert all(each.returncode for each in both), said
    for output, errors in said:
        assert "2015-05-18" in output
        assert "1 of 1 lines are rejects" in errors
    failed = [each for each in attempts(a_project) if each["outcome"] == "failed"]
    assert {each["date"] for each in failed} == {"2015-05-18"}
    assert len({each["run"] for each in failed}) == len(failed)
    assert len([key for key in a_project.published() if key.startswith("error_rate")]) == 19


@pytest.mark.slow
def test_days_of_a_worker_that_is_gone_are_taken_over(a_project, tmp_path):
    """One that says nothing for a while counts as gone; the other builds what it had begun."""
    days_of(a_project, 3)
    line = (a_project.folder / "logs/2015-05-17.log").read_text()
    (a_project.folder / "logs/2015-05-17.log").write_text(line * 600_000)
    with scheduler(tmp_path / "luigid", IMPATIENT) as url:
        centrally(a_project, url)
        with started(a_project, RUN) as (gone,):
            until(lambda: "RequestsDaily(date=2015-05-17, source=web)" in tasks_of(url, status="RUNNING"))
            gone.send_signal(signal.SIGSTOP)
            assert not list(a_project.folder.glob("lake/*/v1/dt=2015-05-17"))
            with started(a_project, RUN) as (other,):
                output, errors = other.communicate(timeout=120)
            gone.kill()
    assert other.returncode == 0, errors
    assert "3 built" in output


@pytest.mark.slow
@pytest.mark.parametrize("command", [LUIGI, RUN])
def test_a_stopped_worker_leaves_the_rest_to_the_other(a_project, luigid, command):
    """It finishes what it does; the other does not see a difference."""
    days_of(a_project, 30)
    centrally(a_project, luigid)
    with started(a_project, command, RUN) as (other, stopped):
        until(lambda: len(list(a_project.folder.glob("lake/error_rate/v1/*"))) > 2)
        stopped.send_signal(signal.SIGTERM)
        _, errors = stopped.communicate(timeout=60)
        assert stopped.returncode in {0, 143}, errors
        output, errors = other.communicate(timeout=60)
    assert (other.returncode, errors) == (0, ""), output
    assert len([key for key in a_project.published() if key.startswith("error_rate")]) == 30


@pytest.mark.parametrize("command", [LUIGI, RUN], ids=["luigi", "backfill"])
def test_workers_wait_while_the_scheduler_is_paused(a_project, luigid, command):
    """Its page has a button for that; the run goes on when it is pressed again."""
    centrally(a_project, luigid)
    asked(luigid, "pause")
    with started(a_project, (*command, "--workers", "2")) as (process,):
        until(lambda: tasks_of(luigid, status="PENDING"))
        time.sleep(1)
        assert process.poll() is None
        assert a_project.published() == {}
        asked(luigid, "unpause")
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert "4 built" in output


@pytest.mark.parametrize(("command", "code"), [(LUIGI, 40), (STOCK, 40), (RUN, 2)])
def test_no_scheduler_is_said_at_once(a_project, command, code):
    """With what to do next; nothing is built."""
    centrally(a_project, "http://127.0.0.1:9")
    begin = time.monotonic()
    done = a_project.run(*command)
    assert time.monotonic() - begin < 10
    assert done.returncode == code
    assert done.stderr.count("\n") == 1
    assert "Luigi's scheduler at http://127.0.0.1:9 doesn't answer: [Errno 111] Connection refused." in done.stderr
    assert "Start it with luigid, correct default-scheduler-url in [core] of luigi.cfg, or set" in done.stderr
    assert "asked for" not in done.stdout
    assert a_project.published() == {}


def test_another_server_is_no_scheduler(a_project, moto_url):
    """A wrong port is not taken for one that is slow."""
    centrally(a_project, moto_url)
    done = a_project.run(*RUN)
    assert done.returncode == 2
    assert "scheduler" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("command", "code"), [(LUIGI, 40), (RUN, 2)])
def test_a_scheduler_that_goes_away(a_project, tmp_path, command, code):
    """It is given some time, then the run ends with an error; what is built is recorded, and the rest can be."""
    days_of(a_project, 30)
    with ExitStack() as stack:
        with scheduler(tmp_path / "luigid") as url:
            centrally(a_project, url, rpc_retry_wait="1", rpc_retry_attempts="2")
            (process,) = stack.enter_context(started(a_project, command))
            until(lambda: len(list(a_project.folder.glob("lake/error_rate/v1/*"))) > 2)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == code, (output, errors)
    assert f"Luigi's scheduler at {url} doesn't answer" in errors
    assert "Trying again in 1 s." in errors
    assert "Traceback" not in errors
    published = [key for key in a_project.published() if key.startswith("error_rate")]
    assert 2 < len(published) < 30
    assert len(attempts(a_project)) == len(published)
    a_project.configure(web=a_project.source | {"until": "2015-06-16"})
    assert a_project.run(*RUN).returncode == 0


@contextmanager
def page_of(url: str) -> Iterator:
    """Open the scheduler's page in a browser that reaches nothing else."""
    playwright = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists():
        pytest.skip("no Chromium")
    options = ["--no-sandbox", "--disable-gpu", "--no-first-run", *(f"--disable-{each}" for each in QUIET)]
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=options)
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(SECONDS * 1000)
        page.route("**/*", lambda route: route.continue_() if route.request.url.startswith(url) else route.abort())
        page.goto(f"{url}/static/visualiser/index.html#length=100")
        drawn(page)
        yield page
        browser.close()


def drawn(page) -> None:
    """Wait until the page has all tasks."""
    page.locator("#clear-task-filter").wait_for(state="attached")


def row_of(page, *texts: str):
    """Return the row of the page's table with all these texts."""
    found = page.locator("#taskTable tbody tr")
    for each in texts:
        found = found.filter(has_text=each)
    return found


def opened(page, row, button: str, expected: str) -> str:
    """Press a row's button, and return what the dialog says once it says something like that."""
    row.locator(button).click()
    dialog = page.locator(".modal.in")
    dialog.get_by_text(re.compile(expected)).wait_for()
    text = dialog.inner_text()
    dialog.locator(".modal-footer button").click()
    dialog.wait_for(state="hidden")
    page.wait_for_timeout(1000)  # until the page, too, has seen that; it would fill the next one with this text
    return text


MESSAGE, ERROR = ".statusMessage", ".showError"


@pytest.mark.slow
@pytest.mark.parametrize(("command", "name"), [(LUIGI, "RangeDailyBase"), (RUN, "Backfill")])
def test_what_a_person_sees_on_the_page(a_project, luigid, tmp_path, command, name):
    """Ranges and tasks by readable names, their states, how far they are, what they wait for, why they failed."""
    (a_project.folder / "logs/2015-05-18.log").write_text("no log at all\n" * 3)
    (a_project.folder / "logs/2015-05-19.log").unlink()
    centrally(a_project, luigid)
    assert a_project.run(*command).returncode
    with page_of(luigid) as page:
        page.screenshot(path=tmp_path / "tasks.png")
        assert row_of(page, "DONE", "ErrorRateDaily", "date=2015-05-17").count() == 1
        details = row_of(page, "RequestsDaily").locator("td:nth-child(3)").all_inner_texts()
        assert sorted(each.strip() for each in details) == [
            f"date=2015-05-{day}, source=web" for day in range(17, 21)
        ]
        # as PENDING and as UPSTREAM_FAILED, if the page's lists of them come in that order
        text = opened(page, row_of(page, name, "start=2015-05-17").first, MESSAGE, "2 of 4 days there")
        assert f"Status message for {name}(of=ErrorRateDaily, start=2015-05-17" in text
        assert "50%" in text
        opened(page, row_of(page, "DONE", "RequestsDaily", "2015-05-20"), MESSAGE, "3 requests, 0 rejects")
        waits = row_of(page, "PENDING", "RawLogsDaily", "2015-05-19")
        opened(page, waits, MESSAGE, "waiting: source web: 0 of 1 files for 2015-05-19")
        failed = row_of(page, "FAILED", "RequestsDaily", "2015-05-18")
        text = opened(page, failed, ERROR, r"3 of 3 lines are rejects \(3 shape\)")
        assert "source web, 2015-05-18: 3 of 3" in text
        assert "File " not in text
        page.goto(f"{luigid}/static/visualiser/index.html#tab=graph&taskId={next(iter(failed_ids(luigid)))}")
        page.locator("#dependencyTitle").get_by_text("RequestsDaily(date=2015-05-18, source=web)").wait_for()
        page.screenshot(path=tmp_path / "graph.png")


def failed_ids(url: str) -> dict:
    """Return the scheduler's failed tasks by their ids."""
    return {
        key: each
        for key, each in asked(url, "task_list", status="FAILED").items()
        if each["name"] == "RequestsDaily"
    }


@pytest.mark.slow
def test_progress_is_seen_while_a_range_is_built(a_project, luigid, tmp_path):
    """The number of days there grows before the page's eyes."""
    days_of(a_project, 120)
    centrally(a_project, luigid)
    with page_of(luigid) as page, started(a_project, LUIGI):
        until(lambda: re.match(r"[1-9]\d* of 120", str(next(iter(ranges(luigid)), {}).get("status_message"))))
        page.reload()
        drawn(page)
        page.locator("#taskTable_filter input").fill("RangeDailyBase")
        opened(page, row_of(page, "RangeDailyBase"), MESSAGE, r"[1-9]\d* of 120 days there")
        page.screenshot(path=tmp_path / "running.png")


def ranges(url: str) -> list[dict]:
    """Return the scheduler's ranges."""
    return [each for each in tasks_of(url).values() if each["name"] == "RangeDailyBase"]


def test_a_restated_day_shows_its_reason(a_project, luigid):
    """A revision and its reason are named where there is one."""
    a_project.run(*RUN)
    centrally(a_project, luigid)
    done = a_project.run(
        "luigi", "RequestsDaily", "--source", "web", "--date", "2015-05-18", "--revision", "1", "--reason", "late"
    )
    assert done.returncode == 0, done.stderr
    assert "RequestsDaily(date=2015-05-18, reason=late, revision=1, source=web)" in tasks_of(luigid)


def test_a_local_scheduler_is_luigis_own():
    """Without a central one nothing is told or waited for."""
    register()
    import luigi.interface

    factory = luigi.interface._WorkerSchedulerFactory()  # noqa: SLF001
    assert isinstance(factory, central.Factory)
    local = factory.create_local_scheduler()
    assert (type(local), type(factory.create_worker(local, 1))) == (luigi.scheduler.Scheduler, worker.Worker)
    factory.end()

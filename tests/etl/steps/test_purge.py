"""The purge: what holds more than today's masks let through is masked, its bytes are deleted, and all say so."""

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from etl import cli
from etl.lines import blocks, privacy
from etl.looks.verify import rebuilt
from etl.sources.source import Source
from etl.steps import purge
from etl.steps.aggregate import aggregate_day
from etl.steps.extract import extract_day
from lake import confirmed, retention
from lake.contracts import contract
from lake.lake import Lake
from lake.partition import Partition
from lake.provenance import Revision

Published = Callable[..., list[dict[str, Any]]]
LakeCommand = Callable[..., tuple[int, list[str]]]
DAY, NEXT = date(2026, 9, 17), date(2026, 9, 18)
NOW = datetime(2026, 11, 29, tzinfo=UTC)
STAMP = "17/Sep/2026:12:00:03 +0000"
GLUED = '192.0.2.7 - - [17/Sep/2026:12:00:03 +0158:85::48 - - [17/Sep/2026:12:00:04 +0000] "GET /'
ANYWHERE = (r"(?s)^(?P<before>.*?)(?P<time>[0-9]{2}/Sep/[0-9]{4}:[0-9:]{8} [+][0-9]{4})",)
CLIENT = "192.0.2.7"
REJECTS, REQUESTS = (Partition(name, contract(name).version, DAY, "web") for name in ("rejects", "requests"))
DERIVED = [Partition(name, contract(name).version, DAY, "web") for name in ("source_days", "source_counts")]


@pytest.fixture
def source(declare: Callable[..., Source], tmp_path: Path) -> Source:
    """A source with two requests, one of a path with a mail address, and three rejects, one of them glued."""
    lines = [
        f'{CLIENT} - - [{STAMP}] "GET /u/{name} HTTP/1.1" 200 5 "-" "-"' for name in ("carol@example.org", "plain")
    ]
    lines += [f'{CLIENT} - - [{STAMP}] "GET / HTTP/1.1" 99 5 "-" "-"', GLUED, "no line"]
    tmp_path.joinpath("access.log").write_text("".join(f"{line}\n" for line in lines))
    return declare(max_reject_rate=1)


@pytest.fixture
def leaky(lake: Lake, source: Source, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A lake that another version wrote: rejects kept any time, and paths what they hold."""
    with monkeypatch.context() as former:
        former.setattr(blocks, "places_of", lambda _: ANYWHERE)
        former.setattr(privacy, "clean_path", bytes.decode)
        former.setattr(blocks, "WORTH_LOADING", 1 << 60)  # the kernel has its own
        extract_day(lake, source, DAY)
        aggregate_day(lake, DERIVED, [source])
    return lake


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> LakeCommand:
    """Runs `lake` in this process, and returns its exit code and what it says."""

    def command(*words: str) -> tuple[int, list[str]]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["lake", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert isinstance(ended.value.code, int)
        said = capsys.readouterr()
        return ended.value.code, (said.out + said.err).splitlines()

    return command


def _content(lake: Lake) -> dict[str, bytes]:
    root = Path(lake.root)
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def _texts(lake: Lake, published: Published) -> tuple[list[str], list[str]]:
    """Return what the latest revisions keep of rejects and of requests."""
    return (
        [row["masked_line"] for row in published(lake, "rejects", DAY)],
        [row["path"] for row in published(lake, "requests", DAY)],
    )


def test_what_leaks_is_shown_and_nothing_is_changed(leaky: Lake, run: LakeCommand, published: Published) -> None:
    """Without --yes the partitions are named, with how many rows; the exit code says that there are some."""
    rejects, paths = _texts(leaky, published)
    assert "+0158:" in rejects[1]
    assert "/u/carol@example.org" in paths
    before = _content(leaky)
    assert run("purge") == (
        1,
        [
            f"{REJECTS.key}: 1 rows hold more than is kept today",
            f"{REQUESTS.key}: 1 rows hold more than is kept today",
            "2 of 2 partitions hold more than is kept today.",
            'Nothing was changed. To mask them and delete the old bytes: lake purge --yes --reason "…"',
        ],
    )
    assert _content(leaky) == before
    assert run("purge", "--dataset", "requests", "--start", "2026-09-18")[0] == 0


def test_what_leaks_is_masked_and_its_bytes_are_gone(leaky: Lake, run: LakeCommand, published: Published) -> None:
    """The rows stay but for their masks; each new revision says why and by whom, and so does verify."""
    before = published(leaky, "rejects", DAY), published(leaky, "requests", DAY)
    code, said = run("purge", "--yes", "--reason", "glued lines")
    assert (code, [line.partition(" ")[0] for line in said[-3:]]) == (0, ["Purged.", "Purged.", "Of"])
    assert "rejects_as_of and requests_as_of have no rows for a time before now" in said[-1]
    rejects, paths = _texts(leaky, published)
    assert rejects[0] == f'999.9.9.9 - - [{STAMP}] "xxx / xxxx/9.9" 99 9 "-" "-"'
    assert rejects[1].startswith("999.9.9.9 - - [99/xxx/9999:99:99:99 +9999:99::99 - - [99/xxx")
    assert paths == ["/u/{email}", "/u/plain"]
    after = published(leaky, "rejects", DAY), published(leaky, "requests", DAY)
    for old, new in zip(before, after, strict=True):
        assert [row | {"path": 0, "masked_line": 0} for row in old] == [
            row | {"path": 0, "masked_line": 0} for row in new
        ]
    for content in _content(leaky).values():
        assert b"carol" not in content
        assert b"+0158" not in content
    for partition in (REJECTS, REQUESTS):
        assert leaky.revisions(partition) == [1]
        made = leaky.provenance(replace(partition, revision=1))
        assert made.reason == "glued lines"
        assert purge.is_purged(made)
    assert run("purge") == (0, ["0 of 2 partitions hold more than is kept today."])
    code, said = run("verify", "--deep")
    assert code == 0
    assert said[0].startswith(
        "4 partitions read to the last byte, 0 of them rebuilt with the same bytes; 0 findings."
    )
    assert [line.partition(", by ")[0] for line in said[1:]] == ["1 partitions were purged on purpose"] * 2
    assert all("glued lines (_retention/re" in line for line in said[1:])


def test_what_is_made_from_it_is_no_older_than_it(leaky: Lake, source: Source) -> None:
    """A confirmation says that it would be equal, so no restatement is asked for, nor is a rebuild a fault."""
    made = {each: leaky.provenance(each) for each in DERIVED}
    found = list(purge.leaks(leaky, {"web": source}, [REJECTS, REQUESTS], lambda: None))
    purge.purge(leaky, {"web": source}, found, reason="x", by="me", now=NOW)
    for partition in DERIVED:
        known = confirmed.latest(leaky, contract(partition.dataset), [partition])[partition]
        names = [each.name for each in known.inputs]
        assert names == [each.name.replace("rev=0", "rev=1") for each in made[partition].inputs]
        assert [each.sha256 for each in known.inputs] == [
            leaky.sha256(each) for name in names if (each := Partition.parse(name))
        ]
    everything = [*DERIVED, replace(REJECTS, revision=1), replace(REQUESTS, revision=1)]
    told = dict(rebuilt(leaky, {"web": source}, everything, 4))
    assert {str(each) for each in told.values()} == {
        "it was purged: x",
        f"it was made from {REQUESTS}, which was deleted",
    }


def test_an_interrupted_purge_is_completed_by_the_next(
    leaky: Lake, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it ended after the masked revision was published, the old bytes go, and no third revision comes."""
    partitions = [REJECTS, REQUESTS]
    found = list(purge.leaks(leaky, {"web": source}, partitions, lambda: None))
    with monkeypatch.context() as killed:
        killed.setattr(retention, "purge", _interrupted)
        with pytest.raises(KeyboardInterrupt):
            purge.purge(leaky, {"web": source}, found, reason="x", by="me", now=NOW)
    assert leaky.revisions(REJECTS) == [0, 1]
    again = list(
        purge.leaks(leaky, {"web": source}, purge.to_look_at(leaky, purge.COLUMNS, None, None), lambda: None)
    )
    assert again == found
    purge.purge(leaky, {"web": source}, again, reason="x", by="me", now=NOW)
    assert (leaky.revisions(REJECTS), leaky.revisions(REQUESTS)) == ([1], [1])
    assert [each.reason for each in retention.purged(leaky.store)] == ["x", "x"]


def _interrupted(*_: object) -> str:
    raise KeyboardInterrupt


def test_a_superseded_revision_that_leaks_goes_alone(leaky: Lake, source: Source) -> None:
    """A restated day needs no further revision: what is latest is masked already."""
    extract_day(leaky, source, DAY, Revision(1, "masks", "me"))
    latest = leaky.sha256(replace(REJECTS, revision=1))
    partitions = purge.to_look_at(leaky, purge.COLUMNS, None, None)
    found = list(purge.leaks(leaky, {"web": source}, partitions, lambda: None))
    assert [each.partition for each in found] == [REJECTS, REQUESTS]
    purge.purge(leaky, {"web": source}, found, reason="x", by="me", now=NOW)
    assert leaky.revisions(REJECTS) == [1]
    assert leaky.sha256(replace(REJECTS, revision=1)) == latest


def test_of_a_source_that_is_not_declared_no_time_is_in_its_place(leaky: Lake) -> None:
    """Nothing tells where the times of its lines stand."""
    found = list(purge.leaks(leaky, {}, [REJECTS], lambda: None))
    assert [(each.partition, each.rows) for each in found] == [(REJECTS, 2)]


def test_deleting_needs_a_reason(leaky: Lake, run: LakeCommand) -> None:
    """Which the record keeps."""
    before = _content(leaky)
    for options in (("--yes",), ("--yes", "--reason", " ")):
        code, said = run("purge", *options)
        assert code == 2
        assert "Give --reason: why it is deleted" in said[-1]
    assert _content(leaky) == before


@pytest.fixture
def broken_down(leaky: Lake, source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """The same with error_breakdown of another day, whose requests were then deleted."""
    made, day = contract("error_breakdown"), NEXT
    requests = [*[("carol", 200)] * 5, *[("dave", 200)] * 6, *[("dave", 500)] * 2, ("erin", 200)]
    tmp_path.joinpath("access.log").write_text(
        "".join(
            f'{CLIENT} - - [18/Sep/2026:12:00:03 +0000] "GET /u/{name}@example.org HTTP/1.1" {status} 5 "-" "-"\n'
            for name, status in requests
        )
    )
    with monkeypatch.context() as former:
        former.setattr(privacy, "clean_path", bytes.decode)
        former.setattr(blocks, "WORTH_LOADING", 1 << 60)
        extract_day(leaky, source, day)
    aggregate_day(leaky, [Partition("source_breakdown", 1, day, source.name)], [source])
    aggregate_day(leaky, [Partition(made.name, made.version, day)], [source])
    retention.Expired.of(leaky, "requests", date(2026, 9, 19)).delete(leaky, "90 days", "me")
    return leaky


def test_path_templates_that_leak_are_masked_and_become_one(
    broken_down: Lake, run: LakeCommand, published: Published
) -> None:
    """Counts stay as they are, also where requests were deleted before, and no bytes hold a name."""
    before = published(broken_down, "error_breakdown", NEXT)
    assert [(row["path_template"], row["status"], row["requests_total"]) for row in before] == [
        ("(other)", 200, 1),
        ("/u/carol@example.org", 200, 5),
        ("/u/dave@example.org", 200, 6),
        ("/u/dave@example.org", 500, 2),
    ]
    code, said = run("purge", "--yes", "--reason", "addresses")
    assert (code, said[-1].partition(" have")[0]) == (
        0,
        "Of what is purged, rejects_as_of, source_breakdown_as_of and error_breakdown_as_of",
    )
    rows = published(broken_down, "error_breakdown", NEXT)
    assert [(row["path_template"], row["status"], row["requests_total"]) for row in rows] == [
        ("(other)", 200, 1),
        ("/u/{email}", 200, 11),
        ("/u/{email}", 500, 2),
    ]
    assert sum(row["server_error_requests"] for row in rows) == 2
    assert not [name for name, content in _content(broken_down).items() if b"dave" in content]
    assert run("purge")[0] == 0
    assert run("verify", "--deep")[0] == 0

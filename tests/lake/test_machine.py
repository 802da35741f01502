"""Many short lives of a lake, chosen at random, each compared step by step with a model of what was promised.

    MACHINE_LIVES=2000 python -m pytest tests/lake/test_machine.py -o faulthandler_timeout=0

lives more of them than CI, on disk and on moto; with `--s3-server seaweedfs` or `ministack` on that server.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import count
from threading import Barrier, Thread

import pyarrow as pa
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from lives import live

from lake.catalog.connections import connect
from lake.contracts import CONTRACTS
from lake.digests import sha256_of
from lake.errors import PartitionExists
from lake.lake import Lake, open_store
from lake.partition import Partition
from lake.provenance import Input, Provenance
from lake.retention import Expired
from lake.store.protocol import StagedFile
from lake.verify import Scope, Verification

FIRST_DAY = date(2015, 5, 17)
DAYS = st.integers(0, 4).map(lambda n: FIRST_DAY + timedelta(days=n))
NUMBERS = st.integers(1, 3)
LAKES = count()


class Killed(BaseException):
    """A process is no more; nothing of it catches this."""


@dataclass(frozen=True)
class Made:
    """What a partition is in the model.

    Attributes:
        sha256: The digest of its bytes.
        number: How many requests it has, or is made from.
        links: The partitions it was made from and the one it supersedes, each with its digest.
        inputs: Those of them that it was made from.
    """

    sha256: str
    number: int
    links: tuple[tuple[Partition, str], ...]
    inputs: tuple[Partition, ...]


class LakeMachine(RuleBasedStateMachine):
    """A lake with `requests` of a source and the `error_rate` made from them, and its model."""

    def __init__(self, lake: Lake) -> None:
        super().__init__()
        self.lake = lake
        self.there: dict[Partition, Made] = {}
        self.recorded: dict[Partition, set[str]] = {}
        self.deleted: set[Partition] = set()
        self.unconfirmed: set[Partition] = (
            set()
        )  # whose writer was killed before it recorded that it has published

    # What there is

    def latest(self, dataset: str, day: date) -> Partition | None:
        """Return the latest revision of a day in the model."""
        found = [each for each in self.there if (each.dataset, each.dt) == (dataset, day)]
        return max(found, key=lambda each: each.revision, default=None)

    def link(self, partition: Partition) -> tuple[Partition, str]:
        """Return a partition with its digest."""
        return partition, self.there[partition].sha256

    def plan(self, partition: Partition, number: int) -> Callable[[Lake], tuple[StagedFile, Made]]:
        """Return what makes a partition's file in a staging folder."""
        earlier = [each for each in self.there if replace(each, revision=partition.revision) == partition]
        superseded = max((p for p in earlier if p.revision < partition.revision), key=_revision, default=None)
        requests = self.latest("requests", partition.dt) if partition.dataset == "error_rate" else None
        inputs = [self.link(requests)] if requests else []
        supersedes = self.link(superseded) if superseded else None
        made = Provenance(
            dataset=partition.dataset,
            version=1,
            dt=str(partition.dt),
            source=partition.source,
            revision=partition.revision,
            inputs=tuple(Input(each.key, 1, sha256) for each, sha256 in inputs)
            or (Input("logs/a.log", number, "00ff"),),
            rows_read=number,
            rows_kept=number,
            rows_rejected=0,
            rows_of_other_days=0,
            code_version="test",
            checks=(),
            supersedes=supersedes[1] if supersedes else None,
            reason="a better look" if partition.revision else None,
        )
        links = tuple([*inputs, supersedes] if supersedes else inputs)

        def make(folder):
            with self.lake.writer(CONTRACTS[partition.dataset], partition.dt, folder) as writer:
                writer.write(rows(partition, number))
                file = writer.finish(made)
            return file, Made(file.sha256, number, links, tuple(each for each, _ in inputs))

        return make

    # What is done

    def publish_one(self, partition: Partition, number: int) -> None:
        """Publish a partition and compare what comes of it with the model."""
        make = self.plan(partition, number)
        with self.lake.staging() as folder:
            file, made = make(folder)
            taken = self.there.get(partition)
            self.recorded.setdefault(partition, set()).add(file.sha256)
            if taken and taken.sha256 != file.sha256:
                with pytest.raises(PartitionExists):
                    self.lake.publish(partition, file)
                return
            assert self.lake.publish(partition, file) is (taken is None)
            self.unconfirmed.discard(partition)
            self.there.setdefault(partition, made)

    @initialize(numbers=st.lists(NUMBERS, max_size=3))
    def begin(self, numbers):
        """Some days are there from the beginning."""
        for days, number in enumerate(numbers):
            self.publish_requests(FIRST_DAY + timedelta(days=days), number)
            self.publish_error_rate(FIRST_DAY + timedelta(days=days))

    @rule(day=DAYS, number=NUMBERS)
    def publish_requests(self, day, number):
        """The first revision of a day, whether it is there or not."""
        self.publish_one(Partition("requests", 1, day, "web"), number)

    @rule(day=DAYS)
    def publish_error_rate(self, day):
        """The first revision of a day, where there are requests."""
        requests = self.latest("requests", day)
        if requests:
            self.publish_one(Partition("error_rate", 1, day), self.there[requests].number)

    @precondition(lambda self: self.there)
    @rule(data=st.data(), number=NUMBERS)
    def restate(self, data, number):
        """The next revision of what there is of a day, requests first."""
        day = data.draw(st.sampled_from(sorted({each.dt for each in self.there})))
        for dataset in ("requests", "error_rate"):
            latest = self.latest(dataset, day)
            requests = self.latest("requests", day)
            if latest and requests:
                following = replace(latest, revision=latest.revision + 1)
                self.publish_one(following, number if dataset == "requests" else self.there[requests].number)

    @rule(day=DAYS, numbers=st.lists(NUMBERS, min_size=2, max_size=4))
    def race(self, day, numbers):
        """Several publish a day's requests at once: one wins, by bytes, and the others learn it."""
        partition = Partition("requests", 1, day, "web")
        makers = [self.plan(partition, number) for number in numbers]
        start, outcomes = Barrier(len(makers)), []

        def run(make):
            with self.lake.staging() as folder:
                file, made = make(folder)
                start.wait()
                try:
                    outcomes.append((made, self.lake.publish(partition, file)))
                except PartitionExists:
                    outcomes.append((made, None))

        racers = [Thread(target=run, args=(make,)) for make in makers]
        for each in racers:
            each.start()
        for each in racers:
            each.join()
        assert len(outcomes) == len(numbers)
        winners = [made for made, is_new in outcomes if is_new]
        assert len(winners) == (partition not in self.there)
        for made in winners:
            self.there[partition] = made
        assert all((made.sha256 == self.there[partition].sha256) == (new is not None) for made, new in outcomes)
        self.recorded.setdefault(partition, set()).update(made.sha256 for made, _ in outcomes)

    @rule(day=DAYS, number=NUMBERS, steps=st.integers(0, 2))
    def crash(self, day, number, steps):
        """A writer is killed before it records, before it publishes, or after that."""
        partition = Partition("requests", 1, day, "web")
        taken = self.there.get(partition)
        make, create, left = self.plan(partition, number), self.lake.store.create, [steps]

        def dying(key, file):
            if not left[0]:
                raise Killed
            left[0] -= 1
            created = create(key, file)
            if key == partition.key:
                raise Killed
            return created

        with suppress(Killed, PartitionExists), self.lake.staging() as folder:
            file, made = make(folder)
            self.lake.store.create = dying
            try:
                self.lake.publish(partition, file)
            finally:
                del self.lake.store.create
        if steps:
            self.recorded.setdefault(partition, set()).add(made.sha256)
        if steps == 2 and not taken:
            self.there[partition] = made
            self.unconfirmed.add(partition)

    @precondition(lambda self: self.there)
    @rule(data=st.data())
    def lose(self, data):
        """Somebody deletes a partition behind our back."""
        partition = data.draw(st.sampled_from(sorted(self.there, key=lambda each: each.key)))
        self.lake.store.remove([partition.key])
        del self.there[partition]

    @rule(dataset=st.sampled_from(["requests", "error_rate"]), before=DAYS)
    def retain(self, dataset, before):
        """What is older than a day is listed, told what it is needed for, and deleted."""
        old = {each for each in self.there if each.dataset == dataset and each.dt < before}
        records = {each for each in self.recorded if each.dataset == dataset and each.dt < before}
        expired = Expired.of(self.lake, dataset, before)
        assert set(expired.sizes) == old
        assert {each.partition for each in expired.records} == records
        needing = {each for each, made in self.there.items() if old.intersection(made.inputs)}
        assert {each for each, _ in expired.needed(self.lake)} == needing
        if old or records:
            expired.delete(self.lake, "it is old", "somebody")
        for each in old:
            del self.there[each]
        for each in records:
            del self.recorded[each]
        self.deleted |= records

    # What must hold

    def teardown(self):
        """At the end of each life all is read and verified."""
        self.read()
        self.verify()

    @invariant()
    def what_is_listed_is_what_is_there(self):
        """No more and no less, in order."""
        for name in ("requests", "error_rate"):
            expected = [each for each in self.there if each.dataset == name]
            assert self.lake.partitions(CONTRACTS[name]) == sorted(expected, key=lambda p: (p.dt, p.revision))

    def read(self):
        """Each object has the bytes that it was published with; SQL sees the latest revisions only."""
        with self.lake.staging() as folder:
            for partition, made in self.there.items():
                assert sha256_of(self.lake.local_copy(partition, folder)) == made.sha256
        latest = {each for each in self.there if self.latest(each.dataset, each.dt) == each}
        with connect(self.lake) as connection:
            found = connection.execute(
                "select dt, rev, count(*) from requests group by all order by all"
            ).fetchall()
            rates = connection.execute("select dt, rev, requests_total from error_rate order by all").fetchall()
        by_dataset = {
            name: sorted((p.dt, p.revision, self.there[p].number) for p in latest if p.dataset == name)
            for name in ("requests", "error_rate")
        }
        assert {"requests": found, "error_rate": rates} == by_dataset

    @rule()
    def verify(self):
        """All that is lost is named, with what was made from it, and nothing else is."""
        found: dict[str, list[str]] = {}
        for finding in Verification(self.lake, Scope(is_deep=True)).findings():
            found.setdefault(finding.key, []).append(finding.what)
        lost = {each.key for each in self.recorded.keys() - self.there.keys()}
        untold = {each.key for each in self.unconfirmed}
        gone = {key for key, what in found.items() if what[0].startswith("gone: ")}
        assert lost - untold <= gone <= lost
        known = {each.key for each in self.deleted}
        orphans = {
            each.key
            for each, made in self.there.items()
            if any(p not in self.there and p.key not in known for p, _ in made.links)
        }
        others = {
            each.key
            for each, made in self.there.items()
            if made.inputs
            and all(p in self.there for p in made.inputs)
            and sum(self.there[p].number for p in made.inputs) != made.number
        }
        # its predecessor was lost and published anew, from what there was by then
        replaced = {
            each.key
            for each, made in self.there.items()
            if any(
                p in self.there and self.there[p].sha256 != sha256
                for p, sha256 in made.links
                if p not in made.inputs
            )
        }
        # of a revision whose predecessor was retained, published anew and lost, less can be told
        unsure = {
            each.key
            for each, made in self.there.items()
            if any(p not in self.there for p, _ in made.links if p not in made.inputs)
        }
        # the latest since a later one was lost, made from what has a later one
        older = {
            each.key
            for each, made in self.there.items()
            if self.latest(each.dataset, each.dt) == each
            and any(self.latest(p.dataset, p.dt) not in {None, p} for p in made.inputs)
        }
        must = orphans | others | replaced
        assert must <= found.keys() - lost <= must | older | unsure | untold


def rows(partition: Partition, number: int) -> pa.Table:
    """Return so many requests, or the error rate of so many."""
    schema = CONTRACTS[partition.dataset].schema
    noon = datetime(partition.dt.year, partition.dt.month, partition.dt.day, 12)
    common = {"application": "shop", "vantage": "origin"}
    if partition.dataset == "requests":
        request = {"ts": noon, "method": "GET", "path": "/", "status": 200, "traffic_class": "user"}
        return pa.Table.from_pylist([common | request] * number, schema)
    counts = {name: 0 for name in schema.names if name.endswith("_requests")}
    counts |= {"requests_total": number, "valid_requests": number, "hours_observed": 1}
    rate = {"error_rate": 0.0, "error_rate_low": 0.0, "error_rate_high": 1.0}
    return pa.Table.from_pylist([common | counts | rate], schema)


def _revision(partition: Partition) -> int:
    return partition.revision


@pytest.mark.slow
def test_a_lake_on_disk_is_what_it_promises(tmp_path):
    """Whatever is published, restated, raced for, cut off, lost and retained, in whatever order."""
    live(lambda: LakeMachine(Lake(open_store(str(tmp_path / f"lake{next(LAKES)}")))), lives=25, steps=20)


@pytest.mark.slow
def test_a_lake_on_s3_is_what_it_promises(s3_root, moto_url, atomic_moto):
    """The same."""
    live(lambda: LakeMachine(Lake(open_store(f"{s3_root}/lake{next(LAKES)}", moto_url))), lives=8, steps=20)

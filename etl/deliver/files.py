"""Files: a CSV file of one dataset, or a spreadsheet with a tab a dataset, each written as a whole.

    figures.csv                  the rows
    figures.csv.receipts.json    which revision of which day they are, what they add up to, and the file's digest

The receipts are put in their place first, with the digests of the file that is there and of the one that takes its
place. So what a killed delivery leaves is told from a file that somebody else has changed.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from etl.deliver.deliveries import Delivery, path_of
from etl.deliver.target import Place, Receipt, Tally, is_due, tally
from lake.digests import sha256_of
from lake.errors import StoreError, TargetRefused
from lake.published import Published
from lake.records import WRONG
from lake.store.disk import disk_error, replace_file, replaced

Partitions = Mapping[str, Sequence[Published]]
"""All that a file is to hold, by dataset."""


@dataclass(frozen=True)
class Delivered:
    """What the receipts beside a file say.

    Attributes:
        sha256: The digest of the file that they are of.
        before: That of the file which it was to replace, None if there was none.
        tallies: What the rows of each receipt add up to.
    """

    sha256: str
    before: str | None
    tallies: Mapping[Receipt, Tally]

    @classmethod
    def parse(cls, text: str) -> "Delivered":
        """Return what a text says; one of `records.WRONG` if it is none of ours."""
        found = json.loads(text)
        tallies = {}
        for each in found["receipts"]:
            adds_up_to = each.pop("tally")
            tallies[Receipt(**each | {"dt": date.fromisoformat(each["dt"])})] = adds_up_to
        return cls(found["sha256"], found["before"], tallies)

    def to_json(self) -> str:
        """Return it as a text."""
        receipts = [{**asdict(receipt), "tally": found} for receipt, found in self.tallies.items()]
        return json.dumps({"sha256": self.sha256, "before": self.before, "receipts": receipts}, default=str) + "\n"


class File:
    """A file that is written whole; it is a `Target`."""

    def __init__(self, delivery: Delivery, write: Callable[[Path, Partitions], None]) -> None:
        self.place = delivery.place
        self.path = path_of(delivery)
        self.to_forget = f"delete {self.path} and {self._receipts_path}"
        self._datasets = delivery.datasets
        self._write = write
        self._written: set[Receipt] = set()

    def receipts(self, dataset: str, start: date | None, stop: date | None) -> dict[Place, Receipt]:
        """See Target."""
        with self._of_the_disk("read"):
            found, _ = self._there()
        return {
            each.place: each
            for each in found
            if each.dataset == dataset and (not start or start <= each.dt) and (not stop or each.dt < stop)
        }

    def deliver(
        self, due: Sequence[Published], lake: str, every: Callable[[str], list[Published]]
    ) -> Iterator[Published]:
        """See Target."""
        receipts = {Receipt.of(each, lake): each for each in due}
        if not receipts.keys() <= self._written:
            with self._of_the_disk("write"), self._alone():
                there, sha256 = self._there()
                known = {(each.dataset, each.place): each for each in there}
                partitions = {dataset: every(dataset) for dataset in self._datasets}
                wanted = [Receipt.of(each, lake) for found in partitions.values() for each in found]
                are_due = [is_due(each, known.get((each.dataset, each.place)), self) for each in wanted]
                if any(are_due):
                    self._replace(partitions, lake, sha256)
                    self._written |= set(wanted)
        yield from (each for receipt, each in receipts.items() if receipt in self._written)

    def tallies(self, published: Published, start: date | None, stop: date | None) -> dict[Place, Tally]:
        """See Target: they were noted as the file was written, and it is the same since."""
        receipts = self.receipts(published.contract.name, start, stop)
        with self._of_the_disk("read"):
            there, _ = self._there()
        return {place: there[receipt] for place, receipt in receipts.items()}

    @property
    def _receipts_path(self) -> Path:
        return self.path.with_name(f"{self.path.name}.receipts.json")

    def _there(self) -> tuple[Mapping[Receipt, Tally], str | None]:
        """Return what was delivered, and the digest of the file; none if it is missing, or its writer was killed.

        Raises:
            TargetRefused: Somebody else wrote it, or has changed it.
        """
        if not self.path.exists():
            return {}, None
        sha256 = sha256_of(self.path)
        try:
            found = Delivered.parse(self._receipts_path.read_text(encoding="utf-8"))
        except (FileNotFoundError, *WRONG) as error:
            raise TargetRefused(
                f"{self.path} was not written by this delivery: {self._receipts_path.name} is missing, or is none."
                " Nothing was changed. Move the file away, or deliver to another name."
            ) from error
        if sha256 == found.sha256:
            return found.tallies, sha256
        if sha256 == found.before:  # it was to be replaced, and is whole all the same
            return {}, sha256
        raise TargetRefused(
            f"{self.path} was changed since it was delivered. Nothing was changed now. Move the file away to have "
            "it delivered anew, and give the changed one another name."
        )

    def _replace(self, partitions: Partitions, lake: str, before: str | None) -> None:
        tallies = {Receipt.of(each, lake): tally(each) for found in partitions.values() for each in found}
        with replaced(self.path) as made:
            self._write(made, partitions)
            with made.open("rb") as file:
                os.fsync(file.fileno())
            text = Delivered(sha256_of(made), before, tallies).to_json()
            replace_file(self._receipts_path, text.encode())

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Wait until no other deliverer writes to the folder."""
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    @contextmanager
    def _of_the_disk(self, doing: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise disk_error(f"{doing} {self.path}", error, "Check the folder.") from error


@contextmanager
def opened(delivery: Delivery) -> Iterator[File]:
    """Give a delivery's file.

    Raises:
        ConfigError: What writes it is not installed.
        StoreError: There is no folder for it.
    """
    path = path_of(delivery)
    write = write_csv
    if path.suffix == ".xlsx":
        from etl.deliver.spreadsheet import write_spreadsheet  # noqa: PLC0415 - needs what only it needs

        write = write_spreadsheet
    if not path.parent.is_dir():
        raise StoreError(
            f"There is no folder {path.parent} for {path.name}. Make it, or correct the delivery's `to`."
        )
    yield File(delivery, write)


def write_csv(path: Path, partitions: Partitions) -> None:
    """Write the rows of a dataset, below the names of their columns; NULL is empty, a text is in quotes."""
    (found,) = partitions.values()
    schema = pa.schema([pa.field(each.name, each.type) for each in found[0].columns])
    with pyarrow.csv.CSVWriter(path, schema) as writer:
        for published in found:
            for batch in published.batches():
                writer.write_batch(batch.cast(schema))

"""Records beside the datasets: each written once under a name of its own, so that two writers lose nothing."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from lake.store.disk import temporary_folder
from lake.store.protocol import StagedFile, Store

READERS = 8  # at once: on S3, each is a wait


class Journal:
    """Text records in a folder of a lake that no reader of datasets looks into: its name begins with `_`.

    Attributes:
        place: The folder, for messages.
    """

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._folder = f"_{name}/"
        self.place = f"{store.root}/_{name}"

    def write(self, name: str, text: str) -> None:
        """Write a record.

        Raises:
            PartitionExists: The name is taken by another record; nothing was changed.
            StoreError: The lake can't be written.
        """
        with self._store.staging() as folder:
            path = folder / "record"
            path.write_text(text, encoding="utf-8")
            self._store.create(self._folder + name, StagedFile.of(path))

    def names(self, prefix: str = "") -> Iterator[str]:
        """Yield the records' names below a prefix that ends with `/`, or all, in order: one listing."""
        for key in self._store.keys(self._folder + prefix, "", "~"):
            yield key.removeprefix(self._folder)

    def read(self, names: Iterable[str]) -> list[str]:
        """Return records by their names, several at once; bytes that are no UTF-8 as escapes that are no JSON."""

        def text(name: str) -> str:
            with temporary_folder() as folder:
                return self._store.local_copy(self._folder + name, folder).read_text("utf-8", "backslashreplace")

        wanted = list(names)
        if len(wanted) == 1:  # as at the end of the process, where no thread can be begun any more
            return [text(wanted[0])]
        with ThreadPoolExecutor(READERS) as readers:
            return list(readers.map(text, wanted))

"""A lake on local disk.

    _staging/RANDOM/  ── write, fsync, chmod 0444 ──►  os.link ──►  dataset/v1/dt=…/rev=0/part-0.parquet

`os.link` creates the name with its whole content, and fails if the name is taken: it is the commit.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.fs

from lake.digests import sha256_of
from lake.errors import PartitionMissing, StoreError
from lake.store.disk import OF_THE_DISK, disk_at_first, disk_error, disk_of
from lake.store.protocol import StagedFile, Stored, other_bytes

STAGING = "_staging"


@contextmanager
def _translated(store: "LocalStore", doing: str) -> Iterator[None]:
    """Turn the operating system's errors into one that names what is stored there, and where."""
    try:
        yield
    except OSError as error:
        step = f"Check [{store.section}] root in luigi.cfg, its permissions and its disk."
        raise disk_error(f"{doing} the {store.section} at {store.root}", error, step) from error


def _sync_folder(folder: Path | str) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _make_safe(path: Path) -> None:
    """Have a finished file on the disk for sure, for everybody to read and for nobody to write to."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fchmod(handle, 0o444)
        os.fsync(handle)
    finally:
        os.close(handle)


def _made_folders(folder: str) -> list[str]:
    """Make a folder, and those above it, where there is none; return in which others they were made."""
    if os.path.isdir(folder):  # noqa: PTH112 - as in create
        return []
    above = os.path.dirname(folder)  # noqa: PTH120
    changed = _made_folders(above)
    with suppress(FileExistsError):  # another process has made it meanwhile
        os.mkdir(folder)  # noqa: PTH102
    return [above, *changed]


class LocalStore:
    """Objects as files below an absolute path.

    Attributes:
        section: The section of luigi.cfg that says where: of the lake, or of snapshots.
    """

    def __init__(self, root: str, section: str = "lake") -> None:
        self.root, self.section = root, section
        self._root = Path(root)

    def create(self, key: str, file: StagedFile) -> bool:
        """See Store."""
        target = f"{self.root}/{key}"
        folder = os.path.dirname(target)  # noqa: PTH120 - a small day makes dozens of files, and Paths would take a tenth
        with _translated(self, "write to"):
            self._check_disk()
            if not file.is_safe:
                _make_safe(file.path)
            changed = [folder, *_made_folders(folder)]
            if changed[1:] or not os.path.exists(target):  # noqa: PTH110 - else it may be the very file that is there
                os.utime(file.path)  # it may have been made long before
            try:
                os.link(file.path, target)
            except FileExistsError:
                is_new = self._same_bytes(key, file)
                # whoever has it there may not be done yet, or may have been killed before it was safe on the disk
                for each in (Path(folder), *Path(folder).parents):
                    _sync_folder(each)
                    if each == self._root:
                        break
                return is_new
            for parent in changed:
                _sync_folder(parent)
        return True

    def _same_bytes(self, key: str, file: StagedFile) -> bool:
        published = sha256_of(self._root / key)
        if published != file.sha256:
            raise other_bytes(f"{self.root}/{key}", published, file)
        return False

    def keys(self, prefix: str, first: str, last: str) -> Iterator[str]:
        """See Store."""
        with _translated(self, "list"):
            self._check_disk()
            yield from _walk(self.root, prefix, prefix + first, prefix + last)

    def objects(self, prefix: str, first: str, last: str) -> Iterator[Stored]:
        """See Store."""
        with _translated(self, "list"):
            for key in self.keys(prefix, first, last):
                try:
                    found = os.stat(f"{self.root}/{key}")  # noqa: PTH116 - of thousands, and a Path takes twice as long
                except FileNotFoundError:
                    if key.startswith(f"{STAGING}/"):  # a writer's unfinished file, and it has finished meanwhile
                        continue
                    raise
                published = datetime.fromtimestamp(found.st_mtime, UTC)
                yield Stored(key, found.st_size, published, str(found.st_ctime_ns))

    def exists(self, key: str) -> bool:
        """See Store."""
        with _translated(self, "read"):
            self._check_disk()
            return os.path.isfile(f"{self.root}/{key}")  # noqa: PTH113 - asked often, and a Path takes longer

    def sha256(self, key: str) -> str:
        """See Store."""
        return sha256_of(self.local_copy(key, self._root))

    def local_copy(self, key: str, folder: Path) -> Path:  # noqa: ARG002 - no copy is needed here
        """See Store."""
        if not self.exists(key):
            raise PartitionMissing(f"{self.root}/{key} is not published. Build it first.")
        return self._root / key

    def remove(self, keys: Sequence[str]) -> None:
        """See Store; folders that are left empty go, too."""
        with _translated(self, "delete from"):
            for key in keys:
                path = self._root / key
                path.unlink(missing_ok=True)
                with suppress(OSError):  # one that is not empty
                    for folder in path.relative_to(self._root).parents[:-1]:
                        (self._root / folder).rmdir()

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """See Store."""
        with _translated(self, "write to"):
            self._check_disk()
            parent = self._root / STAGING
            parent.mkdir(parents=True, exist_ok=True)
            _sweep(parent)
            folder, lock = _locked_folder(parent)
        try:
            yield folder
        except OSError as error:
            self._check_disk()
            if error.errno not in OF_THE_DISK:
                raise
            with _translated(self, "write to"):
                raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)

    def _check_disk(self) -> None:
        """Look whether the lake is still on the disk that it was on at first; below a lost mount is another."""
        if disk_at_first(self._root) != disk_of(self._root):
            raise StoreError(
                f"The lake at {self.root} is no longer on the disk that it was on when this began: is one not "
                "mounted? Mount it, then run the same again."
            )

    def filesystem(self) -> tuple[pyarrow.fs.FileSystem, str]:
        """See Store."""
        return pyarrow.fs.LocalFileSystem(), self.root


def _walk(root: str, prefix: str, first: str, last: str) -> Iterator[str]:
    """Yield the keys of files below a folder, whose own key is `prefix`, in order."""
    keys = [prefix]
    while keys:
        key = keys.pop()
        if key and not key.endswith("/"):
            if key > first:
                yield key
            continue
        try:
            with os.scandir(f"{root}/{key}") as entries:
                found = [f"{key}{each.name}/" if each.is_dir() else f"{key}{each.name}" for each in entries]
        except FileNotFoundError:
            continue
        found.sort(reverse=True)
        keys += (each for each in found if each < last and each >= first[: len(each)])


def _locked_folder(parent: Path) -> tuple[Path, int]:
    """Make a folder and lock it; another process may sweep it in between, then make another."""
    while True:
        folder = Path(tempfile.mkdtemp(dir=parent))
        with suppress(FileNotFoundError):
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if folder.exists():
                return folder, lock
            os.close(lock)


def _sweep(parent: Path) -> None:
    """Remove what killed processes left: staging folders whose lock nobody holds."""
    for folder in parent.iterdir():
        with suppress(OSError):
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
            finally:
                os.close(lock)

"""Snapshots: what was fetched of a source's days, kept as it came, beside the lake and never in it.

    <source>/dt=YYYY-MM-DD/rev=<n>/<attempt>-part-<k>.<ending>      what was fetched
    <source>/dt=YYYY-MM-DD/rev=<n>/manifest.json                    created last, and once: the commit

A revision without a manifest is none. Of two who fetch a day at the same time one writes the manifest; the other
takes away what it has written, and takes the winner's. What a killed one has left is taken away a day later by
whoever fetches that day then.
"""

import json
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from etl.fetch.asked import Asked
from etl.fetch.days import ONE_DAY
from etl.fetch.parts import Part, content_sha256
from etl.raw.files import RawFile
from lake.errors import ConfigError, Damaged, PartitionExists, StoreError
from lake.lake import open_store
from lake.partition import check_name, parse_day
from lake.store.disk import temporary_folder
from lake.store.local import LocalStore
from lake.store.protocol import S3_SCHEME, StagedFile, Store, Stored

MANIFEST = "manifest.json"
VERSION = 1
KEY = re.compile(r"(?P<source>[^/]+)/dt=(?P<day>\d{4}-\d\d-\d\d)/rev=(?P<revision>0|[1-9]\d{0,8})/(?P<name>[^/]+)")
PART = re.compile(r"(?P<attempt>[0-9a-f]{32})-(?P<shown>part-\d+\.[a-z0-9.]+)")
ABANDONED = timedelta(days=1)
"""So old a part without a manifest is taken away: whoever wrote it is gone."""
OWNER_ONLY = 0o700
LISTED = 5
WRONG = (KeyError, TypeError, ValueError, AttributeError)


@dataclass(frozen=True)
class File:
    """A part as a manifest has it."""

    name: str
    bytes: int
    sha256: str
    content_bytes: int
    content_sha256: str
    rows: int | None

    @property
    def shown(self) -> str:
        """Its name without the attempt, the same in every revision."""
        found = PART.fullmatch(self.name)
        if not found:
            raise ValueError(f"{self.name!r} is not the name of a part")
        return found["shown"]


@dataclass(frozen=True)
class Manifest:
    """What a snapshot is, and how it came about.

    Attributes:
        asked: What was asked of which system, as settings have it: templates, never a secret.
        parameters: What was put into it for the day.
        fetched_at: When fetching began, in UTC.
        code_version: By which version of this project.
        content_sha256: The digest of all that the parts hold.
    """

    source: str
    day: date
    revision: int
    asked: Mapping[str, Any]
    parameters: Mapping[str, Any]
    fetched_at: datetime
    code_version: str
    content_sha256: str
    parts: tuple[File, ...]

    @property
    def bytes(self) -> int:
        """The size of its files."""
        return sum(each.bytes for each in self.parts)

    @property
    def rows(self) -> int | None:
        """How many records it has, None where that is not known."""
        counts = [each.rows for each in self.parts]
        return None if None in counts else sum(filter(None, counts))

    def to_json(self) -> str:
        """Return it as it is stored."""
        content = {
            "version": VERSION,
            "source": self.source,
            "day": self.day.isoformat(),
            "revision": self.revision,
            "fetched_at": self.fetched_at.astimezone(UTC).isoformat(timespec="seconds"),
            "code_version": self.code_version,
            "asked": dict(self.asked),
            "parameters": dict(self.parameters),
            "bytes": self.bytes,
            "rows": self.rows,
            "content_sha256": self.content_sha256,
            "parts": [vars(each) for each in self.parts],
        }
        return json.dumps(content, indent=1) + "\n"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return what a stored one says; one of WRONG if it is none."""
        said = json.loads(text)
        if said["version"] != VERSION:
            raise ValueError(f"version {said['version']!r}, and {VERSION} is read here")
        parts = tuple(File(**each) for each in said["parts"])
        _ = [each.shown for each in parts]
        return cls(
            source=said["source"],
            day=date.fromisoformat(said["day"]),
            revision=said["revision"],
            asked=said["asked"],
            parameters=said["parameters"],
            fetched_at=datetime.fromisoformat(said["fetched_at"]),
            code_version=said["code_version"],
            content_sha256=said["content_sha256"],
            parts=parts,
        )


@dataclass(frozen=True, order=True)
class Revision:
    """A snapshot of a source's day."""

    source: str
    day: date
    number: int

    @property
    def folder(self) -> str:
        """Where its objects lie, relative to the root."""
        return f"{_folder(self.source, self.day)}rev={self.number}/"


class Snapshots:
    """Snapshots of all sources, in a store of their own: a disk or a bucket.

    Every method raises StoreError when that doesn't answer.
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    @classmethod
    def at(cls, root: str, endpoint_url: str | None = None) -> Self:
        """Return the snapshots at a root: an absolute path, or `s3://bucket/prefix`.

        Raises:
            ConfigError: It is neither.
        """
        return cls(open_store(root, endpoint_url, "snapshots"))

    def fetch(self, source: str, day: date, asked: Asked, now: datetime, code_version: str) -> Manifest:
        """Fetch a day, and return its snapshot: a new revision, unless the latest one has the same content.

        If somebody else has made one meanwhile, it is theirs.

        Args:
            source: Its name.
            day: The day.
            asked: What is asked of which system.
            now: The time, for the record.
            code_version: For the record.

        Raises:
            NotReady: The system doesn't have the day yet.
            LakeError: See Asked.
        """
        check_name("source", source)
        self._keep_to_owner()
        there = self._list(source, day, day + ONE_DAY)
        self._sweep(there, now)
        latest = there.latest().get(day)
        with self.store.staging() as folder:
            parts = asked.fetch(day, folder)
            content = content_sha256(parts)
            if latest and (before := self.manifest(latest)).content_sha256 == content:
                return before
            revision = Revision(source, day, latest.number + 1 if latest else 0)
            made = (asked.recorded(), asked.parameters(day), now, code_version, content)
            return self._publish(revision, made, parts, folder)

    def latest(self, source: str, start: date | None = None, stop: date | None = None) -> dict[date, Revision]:
        """Return the latest snapshots of a source's days `[start, stop)`, by day: one listing."""
        return self._list(source, start, stop).latest()

    def revisions(self, source: str, day: date) -> list[Revision]:
        """Return all snapshots of a day, oldest first."""
        return sorted(self._list(source, day, day + ONE_DAY).committed)

    def manifest(self, revision: Revision) -> Manifest:
        """Return what a snapshot is.

        Raises:
            PartitionMissing: It is not there, or no longer.
            Damaged: Its manifest can't be read.
        """
        key = revision.folder + MANIFEST
        with temporary_folder() as folder:
            text = self.store.local_copy(key, folder).read_text("utf-8", "backslashreplace")
        try:
            return Manifest.parse(text)
        except WRONG as error:
            raise Damaged(
                f"{self.store.root}/{key} is no manifest: {error!r}. Bring it back from a copy, or remove the "
                "folder and fetch the day anew."
            ) from error

    def files(self, source: str, day: date) -> list[RawFile]:
        """Return the files of a day's latest snapshot, none without one.

        Their names don't tell which revision it is, so that a later one is the same raw file, changed.

        Raises:
            Damaged: The manifest can't be read, or names what is not there.
        """
        return self.finder(source, day, day + ONE_DAY)(day)

    def finder(self, source: str, start: date | None, stop: date | None) -> Callable[[date], list[RawFile]]:
        """Return what `files` does for each of the days `[start, stop)`, by one listing for all of them."""
        there = self._list(source, start, stop)
        latest = there.latest()

        def find(day: date) -> list[RawFile]:
            return self._raw_files(latest[day], there.parts) if day in latest else []

        return find

    def expire(self, source: str, before: datetime) -> list[Revision]:
        """Delete all snapshots of a source that were published before a moment, and what killed fetches left then.

        Whoever reads at that moment finds no older revision instead of a newer one. It is no transaction: what
        went before an error is gone, and the next call goes on.

        Returns:
            Those that there were, oldest first.
        """
        check_name("source", source)
        there = self._list(source, None, None)
        found = sorted(each for each, published in there.committed.items() if published < before)
        for each in found:  # older revisions first
            self.store.remove([each.folder + MANIFEST])
        kept = {each.folder for each in there.committed.keys() - set(found)}
        by_folder: dict[str, list[str]] = {}
        for key, part in there.parts.items():
            folder = key.rpartition("/")[0]
            if part.published < before and f"{folder}/" not in kept:
                by_folder.setdefault(folder, []).append(key)
        for keys in by_folder.values():
            self.store.remove(keys)
        return found

    def _publish(self, revision: Revision, made: tuple[Any, ...], parts: Sequence[Part], folder: Path) -> Manifest:
        asked, parameters, now, code_version, content = made
        attempt, written, files = uuid.uuid4().hex, [], []
        for number, each in enumerate(parts):
            staged = StagedFile.of(each.path)
            name = f"{attempt}-part-{number}.{each.ending}"
            self.store.create(revision.folder + name, staged)
            written.append(revision.folder + name)
            files.append(
                File(name, staged.bytes, staged.sha256, each.content_bytes, each.content_sha256, each.rows)
            )
        manifest = Manifest(
            *(revision.source, revision.day, revision.number),
            *(asked, parameters, now, code_version, content),
            tuple(files),
        )
        path = folder / f"{attempt}-{MANIFEST}"
        path.write_text(manifest.to_json(), encoding="utf-8")
        try:
            self.store.create(revision.folder + MANIFEST, StagedFile.of(path))
        except PartitionExists:  # another one was faster
            with suppress(StoreError):  # then they are taken away a day later
                self.store.remove(written)
            return self.manifest(revision)
        return Manifest.parse(manifest.to_json())

    def _raw_files(self, revision: Revision, parts: Mapping[str, Stored]) -> list[RawFile]:
        found = []
        for each in self.manifest(revision).parts:
            key = revision.folder + each.name
            stored = parts.get(key)
            if stored is None or stored.bytes != each.bytes:
                has = "is not there" if stored is None else f"has {stored.bytes:,} bytes there"
                raise Damaged(
                    f"{self.store.root}/{key} {has}, and its manifest says {each.bytes:,} bytes. Bring it back "
                    "from a copy, or remove its folder and fetch the day anew."
                )
            location = f"{self.store.root}/{key}"
            is_on_s3 = location.startswith(S3_SCHEME)
            found.append(
                RawFile(
                    f"{_folder(revision.source, revision.day)}{each.shown}",
                    location,
                    revision.day,
                    (stored.bytes, stored.tag) if is_on_s3 else None,
                )
            )
        return found

    def _list(self, source: str, start: date | None, stop: date | None) -> "_Listing":
        first, last = f"dt={start or ''}", f"dt={stop or '~'}"
        for left in reversed(range(LISTED)):
            try:
                return _Listing.of(self.store.objects(f"{source}/", first, last), source)
            except StoreError as error:  # on a disk: a part that was taken away between its name and its size
                if not left or not isinstance(error.__cause__, FileNotFoundError):
                    raise
        raise AssertionError

    def _sweep(self, there: "_Listing", now: datetime) -> None:
        """Take away old parts of no snapshot: those of killed fetches, and of losers that were killed."""
        old = [key for key, each in there.parts.items() if now - each.published > ABANDONED]
        kept = {
            revision.folder + part.name
            for revision in there.committed
            if any(key.startswith(revision.folder) for key in old)
            for part in self.manifest(revision).parts
        }
        by_folder: dict[str, list[str]] = {}
        for key in old:
            if key not in kept:
                by_folder.setdefault(key.rpartition("/")[0], []).append(key)
        for keys in by_folder.values():
            self.store.remove(keys)

    def _keep_to_owner(self) -> None:
        """Make a root on disk that only its owner may look into: its files may hold anything."""
        if isinstance(self.store, LocalStore):
            with suppress(OSError):  # else whoever writes there says so
                Path(self.store.root).mkdir(OWNER_ONLY, parents=True, exist_ok=True)


@dataclass(frozen=True)
class _Listing:
    """What a listing shows of a source's days.

    Attributes:
        committed: The snapshots, each with when it was published.
        parts: The other objects by their keys, whether they are a snapshot's or not.
    """

    committed: Mapping[Revision, datetime]
    parts: Mapping[str, Stored]

    @classmethod
    def of(cls, listed: Iterable[Stored], source: str) -> Self:
        committed, parts = {}, {}
        for revision, name, each in _parsed(listed):
            if revision.source == source and name == MANIFEST:
                committed[revision] = each.published
            elif revision.source == source and PART.fullmatch(name):
                parts[each.key] = each
        return cls(committed, parts)

    @cached_property
    def _latest(self) -> dict[date, Revision]:
        return {each.day: each for each in sorted(self.committed)}

    def latest(self) -> dict[date, Revision]:
        """Return the latest snapshot of each day."""
        return self._latest


def _parsed(listed: Iterable[Stored]) -> Iterator[tuple[Revision, str, Stored]]:
    """Yield of each object whose it is and its own name; what follows another convention is passed over."""
    for each in listed:
        if found := KEY.fullmatch(each.key):
            with suppress(ValueError):
                yield (
                    Revision(found["source"], parse_day(found["day"]), int(found["revision"])),
                    found["name"],
                    each,
                )


def _folder(source: str, day: date) -> str:
    return f"{source}/dt={day.isoformat()}/"


def check_beside(root: str, lake_root: str) -> None:
    """Make sure that snapshots lie neither in a lake nor around it.

    Raises:
        ConfigError: They would.
    """
    if _are_nested(root, lake_root):
        raise ConfigError(
            f"snapshots would lie at {root}, in or around the lake at {lake_root}. They may hold what it "
            "must never know. Choose a folder or prefix beside it."
        )


def _are_nested(one: str, other: str) -> bool:
    """Tell whether one of two roots is the other, or in it; of folders by where they really are."""
    first, second = (
        each.rstrip("/") if "://" in each else str(Path(each).resolve()).rstrip("/") for each in (one, other)
    )
    return f"{first}/".startswith(f"{second}/") or f"{second}/".startswith(f"{first}/")

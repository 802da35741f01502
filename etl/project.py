"""The project: what luigi.cfg says, read once a process."""

import os
from dataclasses import dataclass
from functools import lru_cache

from etl.sources.sections import read_sources
from etl.sources.source import Source, of_dataset
from lake import config
from lake.contracts import extracted_for
from lake.errors import ConfigError
from lake.lake import Lake


@dataclass(frozen=True)
class Project:
    """The lake and the sources that luigi.cfg declares, and luigi.cfg itself for what is not always needed."""

    lake: Lake
    sources: tuple[Source, ...]
    config: config.Config

    def source(self, name: str) -> Source:
        """Return a source by its name.

        Raises:
            ConfigError: luigi.cfg declares no such source.
        """
        for each in self.sources:
            if each.name == name:
                return each
        if shards := [each.name for each in self.sources if each.declared_as == name]:
            raise ConfigError(
                f"Source {name} is read in shards. Give one of {shards[0]} … {shards[-1]}; or what is made of all "
                "of them, such as ErrorCountsDaily, which builds them, too."
            )
        declared = dict.fromkeys(each.declared_as for each in self.sources)
        raise ConfigError(f"luigi.cfg has no [source.{name}]. It has: {', '.join(declared)}.")

    def uses(self, dataset: str) -> bool:
        """Tell whether there are sources of all that a dataset is made from."""
        return extracted_for(dataset) <= {each.dataset for each in self.sources}

    def sources_of(self, dataset: str) -> list[Source]:
        """Return the sources that a dataset is made from, by however many steps.

        Raises:
            ConfigError: There is none.
        """
        found = of_dataset(self.sources, dataset)
        if not found:
            wanted = " or ".join(sorted(extracted_for(dataset)))
            raise ConfigError(
                f"luigi.cfg declares no source of {wanted}, which {dataset} is made from. Add a [source.NAME] "
                "that brings it."
            )
        return found

    def declares(self, name: str) -> bool:
        """Tell whether what is published under a source's name is one of its sources', by a name it has or had."""
        return any(name in each.names for each in self.sources)


def project() -> Project:
    """Return the project of the current luigi.cfg.

    Raises:
        ConfigError: There is none, or it is wrong.
    """
    named = os.environ.get("LUIGI_CONFIG_PATH") or "luigi.cfg"
    try:
        file = os.stat(named)  # noqa: PTH116 - a day asks many times, and a Path takes five times as long
    except OSError:
        file = config.find().stat()  # says what is wrong
    return _read(named, (file.st_dev, file.st_ino, file.st_mtime_ns, file.st_size), os.getpid())


@lru_cache(maxsize=1)
def _read(_named: str, _file: tuple[int, ...], _process: int) -> Project:
    """Read it once for a process: S3 clients are slow to make, and their sockets don't survive a fork."""
    found = config.read(config.find())
    return Project(Lake.of(found), tuple(read_sources(found)), found)

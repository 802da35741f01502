"""Where Spark is, and what it is told: the section `[spark]` of luigi.cfg."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from lake import config
from lake.config import Config
from lake.errors import ConfigError

SECTION = "spark"
KEYS = ("master", "python", "options")
LUIGIS = (
    *(
        "spark-submit",
        "deploy-mode",
        "jars",
        "packages",
        "py-files",
        "files",
        "archives",
        "conf",
        "properties-file",
    ),
    *("driver-memory", "driver-java-options", "driver-library-path", "driver-class-path", "driver-cores"),
    *("executor-memory", "executor-cores", "total-executor-cores", "num-executors", "supervise", "queue"),
    *("hadoop-conf-dir", "py-packages"),
)
"""What luigi.contrib.spark reads of the same section, for what is submitted."""
OPTION = re.compile(r"(spark\.[A-Za-z0-9_.-]+)\s*=\s*(.*)")


@dataclass(frozen=True)
class Settings:
    """What luigi.cfg says of Spark.

    Attributes:
        master: Its master's URL, None for this host.
        python: The Python of executors, None for the one that runs this.
        options: Spark's own, by their names.
    """

    master: str | None = None
    python: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, found: Config) -> "Settings":
        """Read them.

        Raises:
            ConfigError: A key is unknown, or a line is no option of Spark.
        """
        values = found.section(SECTION) if SECTION in found.sections else {}
        with found.named(SECTION):
            config.check_keys([each for each in values if each not in LUIGIS], KEYS)
            options = dict(map(_option, filter(None, map(str.strip, values.get("options", "").splitlines()))))
        return cls(values.get("master") or None, values.get("python") or None, options)


def _option(line: str) -> tuple[str, str]:
    """Return name and value; a value may be a secret, and is not repeated."""
    read = OPTION.fullmatch(line)
    if not read:
        raise ConfigError(
            f"options: {line.partition('=')[0].strip()}: expected a line `NAME = VALUE` for each, with one of "
            "Spark's own names, such as spark.executor.memory."
        )
    return read[1], read[2]

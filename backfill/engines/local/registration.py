"""Tasks and honest ranges, registered with Luigi, and its settings."""

import os
import warnings
from functools import cache
from pathlib import Path

from lake.errors import ConfigError

INI = ("cfg", "conf", "ini")
OF_THE_MACHINE = ("/etc/luigi/client.cfg", "/etc/luigi/luigi.cfg")


@cache
def register() -> None:
    """Import what Luigi is to know.

    Raises:
        ConfigError: Luigi can't read its configuration, which it does as it is imported.
    """
    parser = os.environ.get("LUIGI_CONFIG_PARSER", "cfg")
    if parser not in INI:
        raise ConfigError(
            f"LUIGI_CONFIG_PARSER = {parser}: luigi.cfg is an INI file, and no other is read here. Take the "
            "variable out of the environment."
        )
    # a command's help waits for none of these, nor for what imports Luigi
    import configparser  # noqa: PLC0415
    import multiprocessing  # noqa: PLC0415

    from backfill.engines.local.internals.messages import NO_CONFIGURATION  # noqa: PLC0415
    from lake.config import unreadable  # noqa: PLC0415

    # Luigi's workers are forks, whatever Python's default: so they have the handlers, settings and files that note
    # what came of each task. A new interpreter would also take 0.7 s of CPU a task to import everything.
    multiprocessing.set_start_method("fork", force=True)
    warnings.filterwarnings("ignore", NO_CONFIGURATION)  # our message has the next step
    try:
        import tasks  # noqa: F401, PLC0415
        from backfill.engines.local import central, ranges, settings  # noqa: F401, PLC0415

        settings.apply()
        central.install()
    except (configparser.Error, UnicodeError) as error:
        raise ConfigError(unreadable(_unreadable(error), error)) from error


def _unreadable(error: Exception) -> str:
    """Return which of the files that Luigi reads can't be read."""
    source: str | None = getattr(error, "source", None)  # not every error says it
    if source and source != "<string>":
        return source
    named = os.environ.get("LUIGI_CONFIG_PATH") or "luigi.cfg"
    for path in filter(Path.is_file, map(Path, (named, "luigi.cfg", "client.cfg", *OF_THE_MACHINE))):
        try:
            path.read_text(encoding="utf-8")
        except (OSError, UnicodeError):
            return str(path)
    return named

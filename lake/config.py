"""luigi.cfg: the one configuration file, read without Luigi."""

import configparser
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from lake.errors import ConfigError
from lake.names import hint, meant

LAKE_SETTINGS = ("root", "endpoint_url", "copy_mb")
COPY_MB = "24"
HIGHEST_MB = 1_000_000
MB = 1_000_000
INLINE_COMMENT = re.compile(r"\s[;#]")
CREDENTIALS = re.compile(r"://[^/\s]*@")
TARGET, URL = "to", "url"
USER = re.compile(r"://[^/:@\s$]+(:\$\{[A-Za-z_][A-Za-z0-9_]*\})?@")
"""What a delivery's target may say of who delivers: a name, and for the password a variable of the environment."""
DIGITS = re.compile(r"[0-9]{1,7}")
PLACES = frozenset({"root", "files", "path", "endpoint_url", "applications", TARGET})
"""Keys whose values are paths or URLs, or, in an objective, names of applications that hold no variable either."""
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
UNBRACED = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)")
INTERPOLATION = re.compile(r"%\([^)]*\)")
QUOTED = re.compile(r"""(["']).*\1""", re.DOTALL)


class LakeSettings(NamedTuple):
    """What luigi.cfg's `[lake]` says.

    Attributes:
        root: Absolute path or URL; a relative one is relative to luigi.cfg.
        endpoint_url: Of an S3 server other than AWS.
        copy_bytes: Of a dataset up to this size a local copy is kept; 0 for nothing to be kept.
    """

    root: str
    endpoint_url: str | None
    copy_bytes: int


@dataclass(frozen=True)
class Config:
    """The sections of one luigi.cfg, as written; relative paths in it are relative to `folder`."""

    path: Path
    sections: Mapping[str, Mapping[str, str]]

    @property
    def folder(self) -> Path:
        """The folder that luigi.cfg lies in."""
        return self.path.parent

    def section(self, name: str) -> Mapping[str, str]:
        """Return a section's values.

        Raises:
            ConfigError: There is no such section, a value holds credentials, which are not repeated, or a zero
                byte, which no file's name can have, or it ends in a comment, which Luigi's own parser would take
                for a part of the value; or a path can't be meant as it is written.
        """
        if name not in self.sections:
            raise ConfigError(f"{self.path} has no section [{name}]. Add it; the README shows one.")
        for key, value in self.sections[name].items():
            if key in {TARGET, URL} and CREDENTIALS.search(USER.sub("://", value)):
                raise ConfigError(
                    f"{self.path}, [{name}] {key} holds a password. Write ${{NAME}} in its place, for a variable "
                    "of the environment, or leave it out: docs/how-to/deliver.md and docs/how-to/fetch.md "
                    "say where else it is looked for."
                )
            if key not in {TARGET, URL} and CREDENTIALS.search(value):
                raise ConfigError(
                    f"{self.path}, [{name}] {key} holds credentials. Put them where boto3 looks for them."
                )
            if "\0" in value:
                raise ConfigError(f"{self.path}, [{name}] {key} holds a zero byte. Take it out.")
            if INLINE_COMMENT.search(value):
                raise ConfigError(
                    f"{self.path}, [{name}] {key} = {value}: put the comment on a line of its own, "
                    "luigi reads it as part of the value."
                )
        return {
            key: self._place(name, key, value) if key in PLACES else value
            for key, value in self.sections[name].items()
        }

    def _place(self, section: str, key: str, text: str) -> str:
        """Return a path or URL with the environment's variables put in: `${HOME}`, as in Luigi's own values.

        Raises:
            ConfigError: A variable is not set, or something is written that would be the name of a folder.
        """

        def put_in(found: re.Match[str]) -> str:
            if not os.environ.get(found[1]):
                raise wrong(f"the environment has no {found[1]}. Set it, also for cron, or write the path out.")
            value = os.environ[found[1]]
            is_password = text[: found.start()].endswith(":") and text[found.end() :].startswith("@")
            return quote(value, safe="") if is_password else value

        def wrong(what: str) -> ConfigError:
            return ConfigError(f"{self.path}, [{section}] {key} = {text}: {what}")

        if QUOTED.fullmatch(text):
            raise wrong("take the quotation marks away, they would be a part of the name.")
        if INTERPOLATION.search(text):
            raise wrong("no value is put in for %(…)s here, only for ${NAME} of the environment. Write it out.")
        place = VARIABLE.sub(put_in, text)
        if bare := UNBRACED.search(VARIABLE.sub("", text)):
            raise wrong(f"write ${{{bare[1]}}} for the variable of the environment.")
        if text.startswith("~") and os.path.expanduser(text) == text:  # noqa: PTH111 - a Path raises for ~nobody
            raise wrong(
                "there is no such home. Write the path out, or begin it with ./ for a folder of that name."
            )
        return place

    @contextmanager
    def named(self, name: str) -> Iterator[None]:
        """Have an error about a section's values name the file and the section.

        Raises:
            ConfigError: The error, so named.
        """
        try:
            yield
        except ConfigError as error:
            raise ConfigError(f"{self.path}, [{name}]: {error}") from error

    def lake(self) -> LakeSettings:
        """Return what `[lake]` says.

        Raises:
            ConfigError: The section lacks a root, has an unknown key, or `copy_mb` is no number.
        """
        values = self.section("lake")
        with self.named("lake"):
            check_keys(values, LAKE_SETTINGS)
            if not values.get("root"):
                raise ConfigError(f"no root. Known keys: {', '.join(LAKE_SETTINGS)}.")
            copy_mb = whole_number("copy_mb", values.get("copy_mb", COPY_MB), 0, HIGHEST_MB)
        root = values["root"]
        if "://" not in root:
            root = os.path.normpath(self.folder / os.path.expanduser(root))  # noqa: PTH111 - no error for ~nobody
        return LakeSettings(root, values.get("endpoint_url"), copy_mb * MB)


def check_keys(values: Iterable[str], known: Collection[str]) -> None:
    """Make sure that each key of a section means something.

    Raises:
        ConfigError: One doesn't; the first one is named, and all that do.
    """
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ConfigError(f"unknown key {unknown[0]!r}. Known keys: {', '.join(known)}.{hint(unknown[0], known)}")


def whole_number(key: str, text: str, lowest: int, highest: int) -> int:
    """Return the number that a value is.

    Raises:
        ConfigError: It is none from `lowest` to `highest`, both inclusive, or has more than seven digits.
    """
    if not DIGITS.fullmatch(text) or not lowest <= int(text) <= highest:
        raise ConfigError(f"{key} = {text}: expected a whole number, {lowest} to {highest}.")
    return int(text)


def find() -> Path:
    """Return the path of luigi.cfg: `$LUIGI_CONFIG_PATH`, else the one in the current folder."""
    path = Path(os.environ.get("LUIGI_CONFIG_PATH") or "luigi.cfg").absolute()
    if path.is_dir():
        raise ConfigError(f"{path} is a folder. Put the file luigi.cfg in its place, or set LUIGI_CONFIG_PATH.")
    if not path.is_file():
        raise ConfigError(
            f"No configuration at {path}. Change to the folder that holds luigi.cfg, or set LUIGI_CONFIG_PATH."
        )
    return path


def read(path: Path) -> Config:
    """Read luigi.cfg; `%` and `$` mean nothing special in it, but for the variables of paths.

    Raises:
        ConfigError: The file can't be read or is not an INI file, or a section's name is nearly one of ours.
    """
    if path.suffix == ".toml":
        raise ConfigError(f"{path} is TOML, which is not read here. Write luigi.cfg: an INI file, without quotes.")
    parser = configparser.ConfigParser(interpolation=None, default_section="")
    try:
        parser.read_string(path.read_text(encoding="utf-8"), source=str(path))
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        raise ConfigError(unreadable(path, error)) from error
    for name in parser.sections():
        if right := meant(name):
            raise ConfigError(f"{path} has a section [{name}], which means nothing. Did you mean [{right}]?")
    return Config(path, {name: dict(parser[name]) for name in parser.sections()})


def unreadable(path: Path | str, error: Exception) -> str:
    """Say why a configuration can't be read, without what stands on a broken line: it may be a secret."""
    if isinstance(error, configparser.MissingSectionHeaderError):
        reason = f"line {error.lineno} stands in no section"
    elif isinstance(error, configparser.ParsingError):
        numbers = ", ".join(str(number) for number, _ in error.errors)
        reason = f"line {numbers} is neither a section nor a key with its value"
    elif isinstance(error, OSError):
        return (
            f"Can't read the configuration {path}: {error.strerror or error}. Check the file and its permissions."
        )
    elif isinstance(error, UnicodeError):
        return f"Can't read the configuration {path}: {error}. Fix that line, or save the file as UTF-8."
    else:
        reason = " ".join(str(error).split())
    return f"Can't read the configuration {path}: {reason}. Fix that line."

"""Secrets: values of the environment that stand as `${NAME}` in settings, and are shown in no message."""

import json
import os
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from urllib.parse import quote

from lake.config import VARIABLE
from lake.errors import ConfigError

EITHER = re.compile(r"\$\{(?P<variable>[A-Za-z_][A-Za-z0-9_]*)\}|(?<!\$)\{(?P<name>[A-Z][A-Z_]*)\}")
"""A variable of the environment, or a placeholder of `days`."""
HIDDEN = "***"
SECRET_NAME = re.compile(
    r"auth|cookie|secret|token|password|passwd|pwd|signature|credential|session|(^|[-_])(api|access)?[-_]?key$|^sig$",
    re.IGNORECASE,
)
"""Names of headers, and of parameters in a URL, whose values are secret."""


class Secrets:
    """The values that were put in, so that they can be hidden wherever they turn up again."""

    def __init__(self) -> None:
        self._values: set[str] = set()

    def put_in(
        self, key: str, template: str, values: Mapping[str, str], encoded: Callable[[str], str] = str
    ) -> str:
        """Return a template with the environment's values for `${NAME}`, and values for placeholders, encoded.

        All at once: what a server has said, and is put in, can't name a variable.

        Raises:
            ConfigError: A variable is not set; the message names it, and not the others' values.
        """

        def value(found: re.Match[str]) -> str:
            if not (name := found["variable"]):
                return encoded(values[found["name"]]) if found["name"] in values else found[0]
            secret = os.environ.get(name)
            if not secret:
                raise ConfigError(f"{key}: the environment has no {name}. Set it, also for cron.")
            self.add(secret)
            return encoded(secret)

        return EITHER.sub(value, template)

    def add(self, secret: str) -> None:
        """Have a text hidden from now on, in whichever way it is encoded."""
        as_json = json.dumps(secret)[1:-1]
        as_base64 = b64encode(os.fsencode(secret)).decode()
        self._values.update((secret, quote(secret, safe=""), quote(secret), as_json, as_base64))

    def hidden(self, text: str) -> str:
        """Return a text in one line without any secret."""
        for each in sorted(self._values, key=len, reverse=True):
            text = text.replace(each, HIDDEN)
        return " ".join(text.split())


def check_no_secret(key: str, name: str, value: str) -> None:
    """Make sure that a value whose name tells that it is secret is taken from the environment.

    Raises:
        ConfigError: It stands in the settings; the message doesn't repeat it.
    """
    if value and SECRET_NAME.search(name) and not VARIABLE.search(value):
        raise ConfigError(
            f"{key}: the value of {name} looks like a secret. Write ${{NAME}} in its place, for a variable of the "
            "environment."
        )

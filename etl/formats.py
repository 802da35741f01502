"""Log formats, as declarations: which fields, in which order. One parser serves them all.

A shape is written as the server writes it, with `{field}` for a field. Sources: Apache's mod_log_config
(`common`, `combined`), Debian's apache2.conf (`vhost_combined`), nginx's ngx_http_log_module (`combined`).
"""

import re
from dataclasses import dataclass

from lake.errors import ConfigError

# What a field may hold, as RE2 and Python's `re` both read it. The patterns decide where a field ends; what
# it holds is checked later, so that a reject names the field. A second line glued to a cut-off one must not
# fit: no field holds a bare quote, and none but the quoted ones a bracket.
WORD = r'[^ "\[\]\r\n]+'
QUOTED = r'(?:[^"\\]|\\.)*'
FIELDS = {
    "vhost": rf"(?:\[[0-9A-Fa-f:.]+\](?::[0-9]+)?|{WORD})",  # an IPv6 address stands in brackets
    "client": WORD,
    "ident": WORD,
    "user": r'(?:""|[^ "\[\]]+(?: [^ "\[\]-][^ "\[\]]*)*)',  # basic authentication allows spaces
    "time": r'[^"\[\]]*',
    "request": QUOTED,
    "status": WORD,
    "response_bytes": WORD,
    "referer": QUOTED,
    "user_agent": QUOTED,
}


@dataclass(frozen=True)
class Format:
    """A log format: its name, and the shape of a line."""

    name: str
    shape: str

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of its fields, in the order of the line."""
        return tuple(re.findall(r"\{(\w+)\}", self.shape))

    @property
    def pattern(self) -> str:
        """The regular expression that a whole line with its LF or CRLF matches, a named group a field."""
        parts = re.split(r"\{(\w+)\}", self.shape)
        literal, field = parts[::2], parts[1::2]
        body = "".join(
            re.escape(text) + f"(?P<{name}>{FIELDS[name]})" for text, name in zip(literal, field, strict=False)
        )
        return f"(?s)^{body}{re.escape(literal[-1])}\\r?\\n?$"


COMMON = '{client} {ident} {user} [{time}] "{request}" {status} {response_bytes}'
COMBINED = COMMON + ' "{referer}" "{user_agent}"'

FORMATS = {
    each.name: each
    for each in (
        Format("common", COMMON),
        Format("combined", COMBINED),
        Format("vhost_combined", "{vhost} " + COMBINED),
    )
}


def log_format(name: str) -> Format:
    """Return a format by its name.

    Raises:
        ConfigError: There is no such format.
    """
    if name not in FORMATS:
        raise ConfigError(f"unknown format {name!r}. Known formats: {', '.join(FORMATS)}.")
    return FORMATS[name]

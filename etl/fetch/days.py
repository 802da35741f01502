"""Days of a source's zone, and the placeholders by which a template asks for one.

{YYYY} {YY} {MM} {DD}       the day, as in a source's `files`
{NEXT_YYYY} … {NEXT_DD}     the day after it
{START} {STOP}              when the day begins and ends, in UTC: 2026-10-24T22:00:00Z
{START_SECONDS} …           the same as seconds since 1970
{BEFORE_START_SECONDS} …    a second less, for who takes in the last moment that is asked for
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from etl.raw.files import DATE_PLACEHOLDERS
from lake.errors import ConfigError
from lake.names import hint

PLACEHOLDER = re.compile(r"(?<!\$)\{([A-Z][A-Z_]*)\}")
ONE_DAY = timedelta(days=1)
NEXT = "NEXT_"
INSTANTS = ("START", "STOP")
SECONDS, BEFORE = "_SECONDS", "BEFORE_"
OF_A_DAY = (
    *DATE_PLACEHOLDERS,
    *(NEXT + each for each in DATE_PLACEHOLDERS),
    *INSTANTS,
    *(each + SECONDS for each in INSTANTS),
    *(BEFORE + each + SECONDS for each in INSTANTS),
)


@dataclass(frozen=True)
class Span:
    """A day of a zone: 23 or 25 hours where its clocks change, from `start` to before `stop`, both in UTC."""

    day: date
    start: datetime
    stop: datetime

    @classmethod
    def of(cls, day: date, zone: ZoneInfo | None = None) -> "Span":
        """Return a day's span; of UTC if no zone is given."""
        return cls(day, _midnight(day, zone), _midnight(day + ONE_DAY, zone))

    def recorded(self) -> dict[str, str]:
        """Return what is recorded of it with a snapshot."""
        return {"day": self.day.isoformat(), "start": _instant(self.start), "stop": _instant(self.stop)}

    def values(self) -> dict[str, str]:
        """Return what the placeholders of a template stand for."""
        found: dict[str, str] = {}
        for before, day in (("", self.day), (NEXT, self.day + ONE_DAY)):
            # years before 1000 have fewer digits in C
            found |= {
                before + name: day.strftime(text).zfill(len(name)) for name, text in DATE_PLACEHOLDERS.items()
            }
        for name, instant in zip(INSTANTS, (self.start, self.stop), strict=True):
            seconds = int(instant.timestamp())
            found |= {name: _instant(instant), name + SECONDS: str(seconds)}
            found |= {BEFORE + name + SECONDS: str(seconds - 1)}
        return found


def check_template(key: str, text: str, more: Collection[str] = ()) -> None:
    """Make sure that a template has placeholders that mean something.

    Raises:
        ConfigError: One doesn't.
    """
    known = (*OF_A_DAY, *more)
    for name in PLACEHOLDER.findall(text):
        if name not in known:
            names = ", ".join(f"{{{each}}}" for each in known)
            raise ConfigError(f"{key}: {{{name}}} means nothing here. Known: {names}.{hint(name, known)}")


def filled(template: str, values: dict[str, str]) -> str:
    """Return a template with values for its placeholders; what is none of theirs stays, as braces of JSON do."""
    return PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), template)


def read_zone(text: str | None) -> ZoneInfo | None:
    """Return the zone of a source's days, None for UTC.

    Raises:
        ConfigError: There is none of that name.
    """
    if text is None:
        return None
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        raise ConfigError(f"timezone = {text}: expected an IANA name such as Europe/London.") from None


def _midnight(day: date, zone: ZoneInfo | None) -> datetime:
    """Return when a day begins; where its clocks skip midnight, that is when they do."""
    return datetime(day.year, day.month, day.day, tzinfo=zone or UTC).astimezone(UTC)


def _instant(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

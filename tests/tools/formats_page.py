"""The generated tables of the formats: `python tests/tools/formats_page.py FILE` writes them anew.

Between the markers stands what etl.lines.formats declares; the prose around them is written by hand and kept.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from etl.lines.formats import FORMATS, SHAPES, VARIABLES, Delimited, Field, Format, Headed, Json, Kind, Role
from etl.lines.parse import AUTHORITY
from etl.sources.sections import FIELD_KEYS
from etl.sources.source import FIELD

BLOCK = re.compile(r"(<!-- (?P<kind>format|variables|keys)(?: (?P<name>\w+))? -->\n).*?(<!-- end -->)", re.DOTALL)
UNITS = {0: "seconds", 3: "milliseconds", 6: "microseconds", 9: "nanoseconds"}
COLUMNS = {
    Role.TIME: "`ts`",
    Role.CLOCK: "`ts`, where `time` has only the date; in UTC",
    Role.REQUEST: "`method`, `path`",
    Role.METHOD: "`method`",
    Role.TARGET: "`path`",
    Role.STATUS: "`status`",
    Role.RESPONSE_BYTES: "`response_bytes`",
    Role.DURATION: "`duration_seconds`",
    Role.UPSTREAM_STATUS: "`upstream_status`, `retried`",
    Role.UPSTREAMS: "`retried`",
    Role.HOST: "`application`, if the source says `field:NAME`",
    Role.USER_AGENT: "`traffic_class`",
    Role.BESIDE: "none: a record that has it is no request, but one beside a request's own",
}
NEVER, ALWAYS, NOTHING = "never", "always", "-"
Row = tuple[str, str, str]


def table(log_format: Format) -> str:
    """Return what each column of `requests` is made from in a format, and what NULL means there, as Markdown."""
    rows = [
        ("`ts`", _times(log_format), NEVER),
        ("`application`", _applications(log_format), NEVER),
        *_request(log_format),
        (
            "`status`",
            _status(log_format),
            NEVER,
        ),
        _response_bytes(log_format),
        _duration(log_format),
        *_upstreams(log_format),
        ("`traffic_class`", _traffic_class(log_format), NEVER),
    ]
    shape = _shape(log_format)
    return "\n".join(
        [
            *(["```text", shape, "```", ""] if shape else []),
            *_rows(("column of `requests`", "made from", "NULL"), rows),
        ]
    )


def variables() -> str:
    """Return which of nginx's variables have a meaning, as Markdown."""
    rows = [(f"`${field.name}`", COLUMNS[_role(field)], _unit(field)) for field in VARIABLES]
    return "\n".join(_rows(("variable", "column of `requests`", "unit"), rows))


def keys() -> str:
    """Return what stands on the left in `fields`, as Markdown."""
    rows = [
        (f"`{key}`", COLUMNS[role], _unit(Field(key, role, scale=scale)))
        for key, (role, scale) in FIELD_KEYS.items()
    ]
    return "\n".join(_rows(("key of `fields`", "column of `requests`", "unit"), rows))


def update(text: str) -> str:
    """Return the page with its tables made anew, and a section added for each format that lacks one."""
    described = {found["name"] for found in BLOCK.finditer(text)}
    for name in FORMATS:
        if name not in described:
            text = f"{text.rstrip()}\n\n## {name}\n\n<!-- format {name} -->\n<!-- end -->\n"
    return BLOCK.sub(lambda found: f"{found[1]}{_block(found['kind'], found['name'])}\n{found[4]}", text)


def _block(kind: str, name: str | None) -> str:
    if name:
        return table(FORMATS[name])
    return variables() if kind == "variables" else keys()


def _rows(head: Row, rows: Iterable[Row]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|---|---|---|"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _shape(log_format: Format) -> str:
    """Return the shape of lines that nginx's variables describe, nothing for other formats."""
    if log_format.name not in SHAPES or not isinstance(log_format, Delimited):
        return ""
    names = [*(f"${field.name}" for field in log_format.fields), ""]
    return "".join(before + name for before, name in zip(log_format.literals, names, strict=True))


def _named(log_format: Format, *roles: Role) -> list[str]:
    return [f"`{field.name}`" for role in roles for field in log_format.fields if field.role is role]


def _first_of(log_format: Format, *roles: Role) -> str:
    """Return the fields that a column is made from: the first one that a line has."""
    return " or ".join(_named(log_format, *roles))


def _times(log_format: Format) -> str:
    first, *others = _named(log_format, Role.TIME)
    clock = _named(log_format, Role.CLOCK)
    return ", or ".join([" and ".join([first, *clock]), *others])


def _applications(log_format: Format) -> str:
    hosts = [*log_format.hosts, AUTHORITY] if log_format.has(Role.REQUEST, Role.TARGET) else log_format.hosts
    return ", ".join(["as the source says: a name", *(f"`{FIELD}{name}`" for name in hosts)])


def _request(log_format: Format) -> list[Row]:
    unknown = "not a registered method" if log_format.has(Role.METHOD) else "not a registered method, or none"
    return [
        (f"`{column}`", _first_of(log_format, Role.REQUEST, role), null)
        for column, role, null in (
            ("method", Role.METHOD, unknown + _or_missing(log_format, Role.METHOD)),
            ("path", Role.TARGET, "the request names none" + _or_missing(log_format, Role.TARGET)),
        )
    ]


def _missing(log_format: Format, role: Role) -> list[str]:
    """Return what the absence of a field looks like."""
    if isinstance(log_format, Delimited):
        return []
    if isinstance(log_format, Headed):
        return ["no such field", *([] if role is Role.RESPONSE_BYTES else ["`-`"])]
    return ["no such key", "`null`" if isinstance(log_format, Json) else "no value"]


def _or_missing(log_format: Format, role: Role) -> str:
    found = _missing(log_format, role)
    return f"; {', '.join(found)}" if found and log_format.has(role) else ""


def _status(log_format: Format) -> str:
    zero = "; 0, 000 and -1 are 0" if log_format.zero_status else ""
    others = _first_of(log_format, Role.BESIDE)
    return _first_of(log_format, Role.STATUS) + zero + (f"; none in records with {others}" if others else "")


def _response_bytes(log_format: Format) -> Row:
    found = _first_of(log_format, Role.RESPONSE_BYTES)
    null = ", ".join([*_missing(log_format, Role.RESPONSE_BYTES), "no number"])
    return ("`response_bytes`", f"{found}; `-` is 0" if found else NOTHING, null if found else ALWAYS)


def _duration(log_format: Format) -> Row:
    fields = [field for field in log_format.fields if field.role is Role.DURATION]
    if not fields:
        return ("`duration_seconds`", NOTHING, ALWAYS)
    if log_format.first_duration:
        made_from = " or ".join(f"`{field.name}`, {_duration_unit(field)}" for field in fields)
    else:
        made_from = " + ".join(f"`{field.name}`" for field in fields) + f", {_duration_unit(fields[0])}"
    null = ", ".join(dict.fromkeys([*_missing(log_format, Role.DURATION), "`-`", "negative", "no number"]))
    is_sum = len(fields) > 1 and not log_format.first_duration
    return ("`duration_seconds`", made_from, f"{'one of them: ' if is_sum else ''}{null}")


def _duration_unit(field: Field) -> str:
    return UNITS[field.scale] + (f" / {10**field.scale:,}" if field.scale else "")


def _upstreams(log_format: Format) -> list[Row]:
    status = _named(log_format, Role.UPSTREAM_STATUS)
    lists = [*status, *_named(log_format, Role.UPSTREAMS)]
    null = ", ".join(dict.fromkeys([*_missing(log_format, Role.UPSTREAM_STATUS), "`-`", "no status"]))
    return [
        ("`upstream_status`", f"the last in {status[0]}" if status else NOTHING, null if status else ALWAYS),
        (
            "`retried`",
            f"several in one of {', '.join(lists)}; else false" if lists else NOTHING,
            NEVER if lists else ALWAYS,
        ),
    ]


def _traffic_class(log_format: Format) -> str:
    agents = _named(log_format, Role.USER_AGENT)
    plain = any(field.kind is Kind.PLAIN for field in log_format.fields if field.role is Role.USER_AGENT)
    return ", ".join(["`path`", *agents]) + (", also with `+` and `%20` as spaces" if plain else "")


def _role(field: Field) -> Role:
    if field.role is None:
        raise AssertionError("a known variable has a role")
    return field.role


def _unit(field: Field) -> str:
    return UNITS[field.scale] if field.role is Role.DURATION else ""


def main() -> None:
    """Write the tables of the named file anew."""
    (path,) = map(Path, sys.argv[1:])
    path.write_text(update(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()

"""The relation `events`: what happened, as its journal has it; a row an event."""

from collections.abc import Iterable

import duckdb

from lake import sql
from lake.events import Event

COMMENT = "A row is an event: what happened outside, such as a deploy. `lake event list` has them, too."
COLUMNS = {
    "event": ("varchar", "What tells it from all others, as `lake event list` shows it [text]"),
    "kind": ("varchar", "deploy, configuration, incident, maintenance, holiday or other [text]"),
    "name": ("varchar", "What people call it [text]"),
    "applications": (
        "varchar[]",
        "Patterns of the applications that it is of; * is any text, ? any character [list]",
    ),
    "started": ("timestamp", "When it happened or began [UTC]"),
    "ended": ("timestamp", "When it was over; NULL for what has no duration, or no end yet [UTC]"),
}
AT = "%Y%m%dT%H%M%SZ"
PARTS = r"^(\d{8}T\d{6}Z)_(\d{8}T\d{6}Z|-)_([a-z]+)_([^_/]+)_([^_/]+)\.json$"


def create_table(connection: duckdb.DuckDBPyConnection, events: Iterable[Event]) -> None:
    """Create `events` with these rows."""
    columns = ", ".join(f"{name} {kind}" for name, (kind, _) in COLUMNS.items())
    connection.execute(f"create table events ({columns})")
    rows = [
        {
            "event": each.id,
            "kind": each.kind,
            "name": each.name,
            "applications": list(each.applications),
            "started": each.started.replace(tzinfo=None),
            "ended": each.ended and each.ended.replace(tzinfo=None),
        }
        for each in events
    ]
    connection.execute(
        f"insert into events select unnest(event) from (select unnest(?::struct({columns})[]) as event)", [rows]
    )
    _comment(connection, "table")


def create_view(connection: duckdb.DuckDBPyConnection, folder: str) -> None:
    """Create `events` of what another SQL expression names: the folder of the journal. One listing answers it."""
    connection.execute(
        f"""
        create view events as
        with records as (
            select parse_filename(file) as record
            from glob({folder} || '/*.json')
        ),

        parted as (
            select
                sha256(record)[:12] as event,
                regexp_extract(
                    record, {sql.quoted(PARTS)}, ['started', 'ended', 'kind', 'applications', 'name']
                ) as part
            from records
            where regexp_matches(record, {sql.quoted(PARTS)})
        )

        select
            event,
            part.kind as kind,
            url_decode(replace(part.name, '+', ' ')) as name,
            string_split(url_decode(part.applications), ',') as applications,
            strptime(part.started, {sql.quoted(AT)}) as started,
            try_strptime(part.ended, {sql.quoted(AT)}) as ended
        from parted
        where event not in (select record[11:22] from records where starts_with(record, 'withdrawn_'))
        order by started, event
        """
    )
    _comment(connection, "view")


def _comment(connection: duckdb.DuckDBPyConnection, kind: str) -> None:
    connection.execute(f"comment on {kind} events is {sql.quoted(COMMENT)}")
    for name, (_, meaning) in COLUMNS.items():
        connection.execute(f"comment on column events.{name} is {sql.quoted(meaning)}")

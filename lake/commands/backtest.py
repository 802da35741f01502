"""`lake backtest`: how often a warning would have been given on the days that the lake has."""

import argparse

import lake
from lake.cli import printable
from lake.commands.overview import aligned
from lake.errors import ConfigError

MOST_NAMED = 10
HISTORY_DAYS = 42  # that `unusual` needs before it judges a day
QUERY = """
    with
    span as (
        select
            greatest($start, min(dt) + $history_days) as first_day,
            coalesce($stop, max(dt) + 1) as stop_day
        from error_rate_files
    ),

    judged as (
        select count(*) as application_days, count(distinct error_rate.dt) as days
        from span
        inner join error_rate on error_rate.dt >= span.first_day and error_rate.dt < span.stop_day
    ),

    named as materialized (
        select *, greatest(value / nullif(high, 0), low / nullif(value, 0)) as times
        from unusual((select first_day from span), (select stop_day from span))
    ),

    kinds as (
        select what, count(*) as findings, count(distinct dt) as days
        from named
        group by what
    )

    select
        (select struct_pack(first_day, last_day := stop_day - 1) from span) as span,
        (select judged from judged) as judged,
        (select count(*) from (select distinct dt, application, vantage from named)) as application_days,
        (select count(distinct dt) from named) as days,
        (select list((what, findings, days) order by findings desc, what asc) from kinds) as kinds,
        (
            select list(says order by times desc nulls last, dt desc, says asc)[:$most]
            from named
        ) as worst
"""


def of_unusual(given: argparse.Namespace) -> int:
    """Print how often `unusual` would have warned, of what and of which days most of all; return 0.

    Raises:
        ConfigError: The lake has no day of that range after its first weeks, which are history only.
    """
    with lake.connect() as connection:
        values = {"start": given.start, "stop": given.stop, "most": MOST_NAMED, "history_days": HISTORY_DAYS}
        span, judged, named, days, kinds, worst = connection.execute(QUERY, values).fetchone() or ()
    if not judged["days"]:
        raise ConfigError(
            f"No day can be judged: error_rate needs one in that range, {HISTORY_DAYS} days or more after its "
            "first. `lake ls` says which days there are."
        )
    print(f"Days judged: {judged['days']:,}, from {span['first_day']} to {span['last_day']}.")
    counts = (("days", days, judged["days"]), ("application-days", named, judged["application_days"]))
    for what, count, of in counts:
        print(f"With a finding: {count:,} of {of:,} {what} ({100 * count / of:.1f} %).")
    if kinds:
        rows = [(what, f"{findings:,}", f"{of_days:,}") for what, findings, of_days in kinds]
        print(f"\n{aligned([('what', 'findings', 'days'), *rows], right=(1, 2))}\n\nFurthest from usual:")
    for says in worst or ():
        print(printable(says))
    return 0

-- What share of an application's time is missing: of the UTC days from `start` (or its first) to before `stop` (or
-- all), how many are there, how many of these are incomplete, and how many of their hours have requests.
-- `share_missing` is of hours: an hour in which an application has no requests by nature counts as missing.
create or replace macro missing_data(start := null, stop := null, name := null) as table
    select
        application,
        vantage,
        count(*) as days,
        count(*) filter (where is_there) as days_there,
        count(*) filter (where incomplete is not null) as days_incomplete,
        24 * count(*) as hours,
        cast(sum(hours_observed) as bigint) as hours_observed,
        1 - sum(hours_observed) / (24 * count(*)) as share_missing
    from completeness
    where
        (start is null or dt >= cast(start as date))
        and (stop is null or dt < cast(stop as date))
        and (name is null or application = name)
    group by application, vantage
    order by share_missing desc, application asc, vantage asc;

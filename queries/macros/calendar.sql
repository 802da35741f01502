-- A day every `step`, from a Monday that begins a month and a year, before the first day that a lake may have, to
-- 2100: days are built once they are over. Joined to `dt`, since a condition on date_trunc(…, dt) or on a window's
-- rows would reach no partition.
create or replace macro calendar(step) as table
    select cast(range as date) as day
    from range(timestamp '1968-01-01', timestamp '2100-01-01', step);  -- generate_series is joined far slower

-- Whether an objective is for an application at a vantage: one of its patterns (`*`, `?`) is of the application's
-- name, and its vantage, if it says one, is this one.
create or replace macro slo_covers(patterns, slo_vantage, application, vantage) as
(slo_vantage is null or slo_vantage = vantage)
-- no lambda, since DuckDB's versions disagree on how one is written
and regexp_full_match(
    application,
    replace(replace(replace(array_to_string(patterns, '|'), '.', '\.'), '*', '.*'), '?', '.')
);

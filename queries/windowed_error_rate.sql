-- Error rates of one day per application, of what Graphite has counted in windows such as ten minutes.
with counted as (
    select
        regexp_extract(series, '^(.*)[.]', 1) as application,
        window_start,
        coalesce(sum(value) filter (ends_with(series, '.errors')), 0) as errors,
        coalesce(sum(value) filter (ends_with(series, '.requests')), 0) as requests
    from graphite_series
    group by application, window_start
),

-- a window without errors has no value of them, or 0; an error is a request, whether it was counted as one or not
windows as (
    select
        application,
        window_start,
        errors,
        greatest(requests, errors) as requests
    from counted
    where requests > 0 or errors > 0
),

days as (
    select
        application,
        count(*) as windows,
        count(*) filter (errors > 0) as windows_with_errors,
        cast(round(sum(requests)) as bigint) as valid_requests,
        cast(round(sum(errors)) as bigint) as server_error_requests,
        max({
            'rate': errors / requests,
            'before': -epoch_us(window_start),
            'start': window_start
        }) as worst
    from windows
    group by application
)

select
    application,
    windows,
    windows_with_errors,
    valid_requests,
    server_error_requests,
    unnest(rate_and_interval(server_error_requests, valid_requests)),
    worst['start'] as worst_window_start,
    worst['rate'] as worst_window_error_rate
from days
order by application

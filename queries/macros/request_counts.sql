-- The counts of a group of requests: a struct of the columns that datasets of counts have, for `unnest`. The one
-- place that says what is an error, and what is not valid.
create or replace macro request_counts(status, traffic_class) as
{
    'requests_total': count(*),
    'health_check_requests': count(*) filter (where traffic_class = 'health_check'),
    'synthetic_requests': count(*) filter (where traffic_class = 'synthetic'),
    'valid_requests': count(*) filter (where traffic_class = 'user'),
    'server_error_requests': count(*) filter (where traffic_class = 'user' and status between 500 and 599),
    'client_error_requests': count(*) filter (
        where traffic_class = 'user' and status between 400 and 498 and status not in (429, 460)
    ),
    'client_abort_requests': count(*) filter (where traffic_class = 'user' and status in (0, 460, 499)),
    'throttled_requests': count(*) filter (where traffic_class = 'user' and status = 429)
};

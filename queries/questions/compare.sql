-- Why the error rate from `b_start` to before `b_stop` is another than from `a_start` to before `a_stop`, days or
-- full UTC hours: at most five segments, each a path template, a method, both or all, the surest first and each
-- without those above it, then `(rest)`. Effects add up to the change of the rate: `rate_effect` by rates that
-- moved, `mix_effect` by shares of requests that did (Kitagawa 1955). `p_value` is an upper bound, with all
-- candidates considered. A path template that only one period names is in `(other)`.
create or replace macro compare(a_start, a_stop, b_start, b_stop) as table
    select * exclude (place)
    from
        compared_hours(
            range(date_trunc('hour', cast(a_start as timestamp)), cast(a_stop as timestamp), interval 1 hour),
            range(date_trunc('hour', cast(b_start as timestamp)), cast(b_stop as timestamp), interval 1 hour),
            null
        )
    order by application, vantage, place nulls last;

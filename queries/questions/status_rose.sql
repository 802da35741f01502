-- Which path templates are answered with a status, such as 404, more often: valid requests a day from `b_start` to
-- before `b_stop` against those from `a_start` to before `a_stop`, UTC days; the largest rise first. Left out are
-- those that chance may explain: `p_value` is an upper bound, with all path templates considered.
create or replace macro status_rose(wanted_status, a_start, a_stop, b_start, b_stop, name := null) as table
    with known as (
        select
            *,
            dt >= cast(b_start as date) and dt < cast(b_stop as date) as is_after
        from known_breakdown()
        where
            (
                (dt >= cast(a_start as date) and dt < cast(a_stop as date))
                or (dt >= cast(b_start as date) and dt < cast(b_stop as date))
            )
            and (name is null or application = name)
    ),

    built as (
        select
            count(distinct dt) filter (where not is_after) as days_before,
            count(distinct dt) filter (where is_after) as days
        from known
    ),

    counted as (
        select
            application,
            vantage,
            path_template,
            coalesce(cast(sum(valid_requests) filter (where not is_after) as bigint), 0) as requests_before,
            coalesce(cast(sum(valid_requests) filter (where is_after) as bigint), 0) as requests
        from known
        where status = wanted_status
        group by application, vantage, path_template
        having sum(valid_requests) > 0
    ),

    judged as (
        select
            counted.*,
            built.days_before,
            built.days,
            counted.requests_before / built.days_before as per_day_before,
            counted.requests / built.days as per_day,
            least(
                1e0,
                count(*) over (partition by counted.application, counted.vantage)
                * exp(
                    -chernoff(
                        counted.requests,
                        (counted.requests + counted.requests_before)
                        * (built.days / (built.days + built.days_before)),
                        counted.requests + counted.requests_before
                    )
                )
            ) as p_value
        from counted
        inner join built on built.days_before > 0 and built.days > 0
    )

    select
        application,
        vantage,
        path_template,
        days_before,
        requests_before,
        per_day_before,
        days,
        requests,
        per_day,
        per_day - per_day_before as difference,
        p_value
    from judged
    where per_day > per_day_before and p_value <= 0.05
    order by difference desc, application asc, vantage asc, path_template asc;

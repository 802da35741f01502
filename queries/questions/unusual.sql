-- Which days are unusual by their own history: of the days from `start` (or the last seven) to before `stop`, each
-- application and vantage whose volume, error rate, client errors, aborts, throttled requests or 404s are not from
-- `low` to `high`, or that is new or has vanished; the newest first. `usual` is the median of `days`: the same
-- weekdays of the eight weeks before, without days that are incomplete or of an incident, maintenance or holiday.
-- `says` is a sentence for people.
create or replace macro unusual(start := null, stop := null, name := null) as table
    with newest as (
        select max(dt) + 1 as after_day
        from error_rate_files
    ),

    until as (
        select
            coalesce(cast(stop as date), after_day) as stop_day,
            coalesce(cast(start as date), coalesce(cast(stop as date), after_day) - 7) as start_day
        from newest
    ),

    -- the days judged, eight weeks of days that say how far from the usual is usual, and their eight weeks
    known as (
        select error_rate.*
        from until
        inner join error_rate on error_rate.dt between until.start_day - 112 and until.stop_day - 1
    ),

    built as (
        select distinct error_rate_files.dt
        from until
        inner join error_rate_files on error_rate_files.dt between until.start_day - 112 and until.stop_day - 1
    ),

    broken_down as (
        select distinct error_breakdown_files.dt
        from until
        inner join error_breakdown_files
            on error_breakdown_files.dt between until.start_day - 112 and until.stop_day - 1
    ),

    not_found as (
        select
            error_breakdown.dt,
            error_breakdown.application,
            error_breakdown.vantage,
            sum(error_breakdown.valid_requests) as requests
        from until
        inner join error_breakdown on error_breakdown.dt between until.start_day - 112 and until.stop_day - 1
        where error_breakdown.status = 404
        group by error_breakdown.dt, error_breakdown.application, error_breakdown.vantage
    ),

    series as (
        select distinct
            application,
            vantage
        from known
        where name is null or application = name
    ),

    declared as (
        select
            built.dt,
            applications.application,
            bool_or(events.kind != 'incident') as is_quiet
        from (select distinct series.application from series) as applications
        inner join events on slo_covers(events.applications, null, applications.application, null)
        inner join built
            on events.started < built.dt + 1 and (events.started >= built.dt or events.ended > built.dt)
        where events.kind in ('incident', 'maintenance', 'holiday')
        group by built.dt, applications.application
    ),

    days as (
        select
            built.dt,
            series.application,
            series.vantage,
            coalesce(known.requests_total, 0) as requests_total,
            coalesce(known.valid_requests, 0) as valid_requests,
            known.server_error_requests,
            known.client_error_requests,
            known.client_abort_requests,
            known.throttled_requests,
            case when broken_down.dt is not null then coalesce(not_found.requests, 0) end as not_found_requests,
            known.incomplete is not null as is_incomplete,
            coalesce(declared.is_quiet, false) as is_quiet,
            coalesce(known.requests_total, 0) > 0 and known.incomplete is null and declared.dt is null
                as is_history
        from series
        cross join built
        left join known
            on series.application = known.application and series.vantage = known.vantage and built.dt = known.dt
        left join broken_down on built.dt = broken_down.dt
        left join not_found
            on
                series.application = not_found.application
                and series.vantage = not_found.vantage
                and built.dt = not_found.dt
        left join declared on series.application = declared.application and built.dt = declared.dt
    ),

    -- fewer than ten of a kind are never unusual
    totals as (
        select
            application,
            vantage,
            max(server_error_requests) as error_rate,
            max(client_error_requests) as client_errors,
            max(client_abort_requests) as client_aborts,
            max(throttled_requests) as throttled,
            max(not_found_requests) as not_found
        from days
        group by application, vantage
    ),

    measures as (
        select
            totals.application,
            totals.vantage,
            kinds.what
        from totals
        cross join
            unnest(
                ['volume', 'error_rate', 'client_errors', 'client_aborts', 'throttled', 'not_found']
            ) as kinds (what)
        where
            case kinds.what
                when 'volume' then true
                when 'error_rate' then totals.error_rate >= 10
                when 'client_errors' then totals.client_errors >= 10
                when 'client_aborts' then totals.client_aborts >= 10
                when 'throttled' then totals.throttled >= 10
                when 'not_found' then totals.not_found >= 10
            end
    ),

    measured as (
        select
            days.*,
            measures.what,
            case measures.what
                when 'volume' then days.valid_requests
                when 'error_rate' then days.server_error_requests
                when 'client_errors' then days.client_error_requests
                when 'client_aborts' then days.client_abort_requests
                when 'throttled' then days.throttled_requests
                when 'not_found' then days.not_found_requests
            end as hits,
            case when measures.what = 'volume' then 1e0 else nullif(days.valid_requests, 0) end as of_requests
        from days
        inner join measures on days.application = measures.application and days.vantage = measures.vantage
    ),

    with_usual as (
        select
            *,
            hits / of_requests as measure,
            median(hits / of_requests) filter (where is_history) over weeks as usual,
            count(hits / of_requests) filter (where is_history) over weeks as days
        from measured
        window weeks as (
            partition by application, vantage, what, isodow(dt)
            order by dt range between interval 56 days preceding and interval 7 days preceding
        )
    ),

    with_spread as (
        select
            *,
            1.4826e0 * median(abs(measure - usual)) filter (where is_history and days >= 4) over eight_weeks
                as spread,
            count(measure) filter (where is_history and days >= 4) over eight_weeks as spread_days,
            quantile_cont(measure, 0.9) filter (where is_history) over eight_weeks as nine_of_ten
        from with_usual
        window eight_weeks as (
            partition by application, vantage, what
            order by dt range between interval 56 days preceding and interval 1 day preceding
        )
    ),

    -- a spread of 5 % at least, and that of counts, of which chance alone makes one
    bounded as (
        select
            *,
            usual + 3.5e0 * greatest(
                spread,
                case
                    when what = 'volume' then sqrt(usual + (0.05e0 * usual) * (0.05e0 * usual))
                    else 0.1e0 * usual
                end
            ) as above_usual
        from with_spread
        where dt >= (select until.start_day from until)
    ),

    judged as (
        select
            *,
            case when what = 'volume' then greatest(0, 2e0 * usual - above_usual) else 0e0 end as low,
            case when what = 'volume' then above_usual else greatest(above_usual, nine_of_ten) end as high
        from bounded
    ),

    counted as (
        select
            *,
            count(*) filter (where requests_total > 0) over weeks as days_with_requests,
            count(*) over weeks as days_built,
            count(*) filter (where is_history) over weeks as history_days,
            median(requests_total) filter (where is_history) over weeks as usual_requests,
            count(*) filter (where requests_total > 0) over eight_weeks as earlier_days_with_requests,
            count(*) over eight_weeks as earlier_days_built
        from days
        window
            weeks as (
                partition by application, vantage, isodow(dt)
                order by dt range between interval 56 days preceding and interval 7 days preceding
            ),
            eight_weeks as (
                partition by application, vantage
                order by dt range between interval 56 days preceding and interval 1 day preceding
            )
    ),

    found as (
        select
            dt,
            application,
            vantage,
            what,
            measure,
            usual,
            low,
            high,
            days
        from judged
        where
            days >= 4
            and spread_days >= 14
            and case
                when what = 'volume'
                    then
                        not is_quiet
                        and not is_incomplete
                        and requests_total > 0
                        and measure not between low and high
                else
                    wilson_low(hits, valid_requests) > high and hits - usual * valid_requests >= 10
            end
        union all
        select
            dt,
            application,
            vantage,
            case when requests_total > 0 then 'new' else 'vanished' end as what,
            cast(requests_total as double) as measure,
            usual_requests as usual,
            null as low,
            null as high,
            history_days as days
        from counted
        where
            dt >= (select until.start_day from until)
            and case
                when requests_total > 0 then earlier_days_with_requests = 0 and earlier_days_built >= 14
                else not is_quiet and history_days >= 4 and days_with_requests = days_built
            end
    )

    select
        dt,
        application,
        vantage,
        what,
        measure as value,
        usual,
        low,
        high,
        days,
        application || ' at ' || vantage || ' on ' || cast(dt as varchar) || ': ' || case what
            when 'volume'
                then
                    format('{:,} valid requests, ', cast(measure as bigint))
                    || format(
                        'usual on a {}: {:,} to {:,}', dayname(dt), cast(low as bigint), cast(high as bigint)
                    )
            when 'new' then format('{:,} requests, none in the eight weeks before', cast(measure as bigint))
            when 'vanished' then format('no requests, usual on a {}: {:,}', dayname(dt), cast(usual as bigint))
            else
                format('{} {:.2f} %, ', replace(replace(what, '_', ' '), 'not found', '404s'), 100 * measure)
                || format('usual on a {}: at most {:.2f} %', dayname(dt), 100 * high)
        end as says
    from found
    order by dt desc, application asc, vantage asc, what asc;

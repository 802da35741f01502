-- What came of an event, by its id or name, or of all: its applications' error rates in the `minutes` from it on
-- against those before it, without the five minutes that it is in. `change` is the difference beyond that of the
-- same times in the four weeks before, if they have requests, with its 95 % interval (square-and-add, Newcombe
-- 1998, Zou and Donner 2008); `detectable` is the rise that so many requests would show four times in five.
create or replace macro release_impact(release := null, minutes := 60) as table
    -- of another name, so that who gives `events.name` means another one
    with recorded as (
        select *
        from events
    ),

    chosen as (
        select
            event,
            name,
            applications,
            started,
            time_bucket(interval 5 minutes, started) as before_ends,
            time_bucket(interval 5 minutes, started + interval 299999999 microseconds) as after_begins
        from recorded
        where release is null or event = release or name = release
    ),

    weeks as (
        select
            chosen.*,
            unnest([0, 1, 2, 3, 4]) as week
        from chosen
    ),

    windows as (
        select
            event,
            week,
            false as is_after,
            unnest(range(
                before_ends - to_minutes(cast(minutes as integer)) - to_weeks(cast(week as integer)),
                before_ends - to_weeks(cast(week as integer)),
                interval 5 minutes
            )) as bucket_start
        from weeks
        union all
        select
            event,
            week,
            true as is_after,
            unnest(range(
                after_begins - to_weeks(cast(week as integer)),
                after_begins + to_minutes(cast(minutes as integer)) - to_weeks(cast(week as integer)),
                interval 5 minutes
            )) as bucket_start
        from weeks
    ),

    unknown as (
        select distinct windows.event
        from windows
        where
            windows.week = 0
            and cast(windows.bucket_start as date) not in (select error_counts_files.dt from error_counts_files)
    ),

    known as (
        select *
        from known_counts()
        where dt in (select cast(windows.bucket_start as date) from windows)
    ),

    applications as (
        select distinct application
        from known
    ),

    -- names are compared with patterns once, and not in each five minutes
    covered as (
        select
            chosen.event,
            applications.application
        from chosen
        inner join applications on slo_covers(chosen.applications, null, applications.application, null)
    ),

    counted as (
        select
            windows.event,
            windows.week,
            known.application,
            known.vantage,
            sum(known.valid_requests) filter (where not windows.is_after) as requests_0,
            sum(known.server_error_requests) filter (where not windows.is_after) as errors_0,
            sum(known.valid_requests) filter (where windows.is_after) as requests_1,
            sum(known.server_error_requests) filter (where windows.is_after) as errors_1
        from windows
        inner join covered on windows.event = covered.event
        inner join known
            on
                cast(windows.bucket_start as date) = known.dt
                and windows.bucket_start = known.bucket_start
                and covered.application = known.application
        group by windows.event, windows.week, known.application, known.vantage
    ),

    -- weeks of which one side has no requests tell no difference
    summed as (
        select
            event,
            application,
            vantage,
            coalesce(cast(sum(requests_0) filter (where week = 0) as bigint), 0) as requests_0,
            coalesce(cast(sum(errors_0) filter (where week = 0) as bigint), 0) as errors_0,
            coalesce(cast(sum(requests_1) filter (where week = 0) as bigint), 0) as requests_1,
            coalesce(cast(sum(errors_1) filter (where week = 0) as bigint), 0) as errors_1,
            cast(sum(requests_0) filter (where week > 0 and requests_1 > 0) as bigint) as usual_requests_0,
            cast(sum(errors_0) filter (where week > 0 and requests_1 > 0) as bigint) as usual_errors_0,
            cast(sum(requests_1) filter (where week > 0 and requests_0 > 0) as bigint) as usual_requests_1,
            cast(sum(errors_1) filter (where week > 0 and requests_0 > 0) as bigint) as usual_errors_1
        from counted
        group by event, application, vantage
    ),

    rated as (
        select
            *,
            rate_and_interval(errors_0, requests_0) as rate_0,
            rate_and_interval(errors_1, requests_1) as rate_1,
            rate_and_interval(usual_errors_0, usual_requests_0) as usual_0,
            rate_and_interval(usual_errors_1, usual_requests_1) as usual_1,
            (errors_0 + errors_1 + 1) / (requests_0 + requests_1 + 2) as pooled
        from summed
    ),

    compared as (
        select
            rated.*,
            rated.usual_1.error_rate - rated.usual_0.error_rate as usual_difference,
            rated.rate_1.error_rate
            - rated.rate_0.error_rate
            - coalesce(rated.usual_1.error_rate - rated.usual_0.error_rate, 0) as change,
            -- how far each rate's interval goes to either side; nothing of weeks that are not there
            sqrt(
                pow(rated.rate_1.error_rate - rated.rate_1.error_rate_low, 2)
                + pow(rated.rate_0.error_rate_high - rated.rate_0.error_rate, 2)
                + coalesce(pow(rated.usual_1.error_rate_high - rated.usual_1.error_rate, 2), 0)
                + coalesce(pow(rated.usual_0.error_rate - rated.usual_0.error_rate_low, 2), 0)
            ) as below,
            sqrt(
                pow(rated.rate_1.error_rate_high - rated.rate_1.error_rate, 2)
                + pow(rated.rate_0.error_rate - rated.rate_0.error_rate_low, 2)
                + coalesce(pow(rated.usual_1.error_rate - rated.usual_1.error_rate_low, 2), 0)
                + coalesce(pow(rated.usual_0.error_rate_high - rated.usual_0.error_rate, 2), 0)
            ) as above,
            -- 2.8 is z of 97.5 % and of 80 % together
            2.8 * sqrt(
                rated.pooled
                * (1 - rated.pooled)
                * (1 / nullif(rated.requests_0, 0) + 1 / nullif(rated.requests_1, 0))
            ) as detectable
        from rated
    )

    select
        chosen.event,
        chosen.name,
        chosen.started,
        compared.application,
        compared.vantage,
        compared.requests_0 as valid_requests_before,
        compared.errors_0 as server_error_requests_before,
        compared.rate_0.error_rate as error_rate_before,
        compared.requests_1 as valid_requests,
        compared.errors_1 as server_error_requests,
        compared.rate_1.error_rate,
        compared.usual_difference,
        compared.change,
        compared.change - compared.below as change_low,
        compared.change + compared.above as change_high,
        compared.detectable,
        case
            when chosen.event in (select unknown.event from unknown) then 'not all of its days are built'
            when compared.change - compared.below > 0 then 'worse'
            when compared.change + compared.above < 0 then 'better'
            when
                compared.detectable is null
                or compared.detectable > greatest(compared.rate_0.error_rate, 0.001)
                then 'too few requests to tell'
            else 'no change seen'
        end as verdict
    from compared
    inner join chosen on compared.event = chosen.event
    order by chosen.started desc, chosen.event asc, compared.application asc, compared.vantage asc;

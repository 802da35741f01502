-- The valid requests of durations, or an error where there are days of error_rate and none of these: what was not
-- kept is not taken for a time without requests.
create or replace macro known_durations() as table
    with found as (
        select
            exists (from error_rate_files) as has_rates,
            exists (from durations_files) as has_durations
    ),

    -- as in known_counts: a row of its own, with an error in each of its columns
    refused as (
        select
            case
                when has_rates and not has_durations
                    then error(
                        'There are no durations in this lake, although there are days of error_rate. '
                        || 'Which can still be built, and how: backfill status --of DurationsDaily'
                    )
            end as nothing
        from found
        where has_rates and not has_durations
    )

    select
        dt,
        application,
        vantage,
        bucket_start,
        duration_bucket,
        valid_requests
    from durations
    union all
    select
        nothing as dt,
        nothing as application,
        nothing as vantage,
        nothing as bucket_start,
        nothing as duration_bucket,
        nothing as valid_requests
    from refused;

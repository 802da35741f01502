-- The counts of error_counts, or an error where there are days of error_rate and none of these: what was not
-- counted is not taken for a time without errors.
create or replace macro known_counts() as table
    with found as (
        select
            exists (from error_rate_files) as has_rates,
            exists (from error_counts_files) as has_counts
    ),

    -- a row of its own, since no condition is looked at where error_counts has no rows; an error in each of its
    -- columns, since a condition on a mere NULL would take the row away
    refused as (
        select
            case
                when has_rates and not has_counts
                    then error(
                        'There are no error_counts in this lake, although there are days of error_rate. '
                        || 'Which can still be built, and how: backfill status --of ErrorRateDaily'
                    )
            end as nothing
        from found
        where has_rates and not has_counts
    )

    select
        dt,
        application,
        vantage,
        bucket_start,
        valid_requests,
        server_error_requests
    from error_counts
    union all
    select
        nothing as dt,
        nothing as application,
        nothing as vantage,
        nothing as bucket_start,
        nothing as valid_requests,
        nothing as server_error_requests
    from refused;

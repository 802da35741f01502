-- The requests and errors of error_breakdown, or an error where there are days of error_rate and none of these:
-- what was not broken down is not taken for a time without errors.
create or replace macro known_breakdown() as table
    with found as (
        select
            exists (from error_rate_files) as has_rates,
            exists (from error_breakdown_files) as has_breakdown
    ),

    -- as in known_counts: a row of its own, with an error in each of its columns
    refused as (
        select
            case
                when has_rates and not has_breakdown
                    then error(
                        'There is no error_breakdown in this lake, although there are days of error_rate. '
                        || 'Which can still be built, and how: backfill status --of ErrorBreakdownDaily'
                    )
            end as nothing
        from found
        where has_rates and not has_breakdown
    )

    select
        dt,
        application,
        vantage,
        hour,
        path_template,
        method,
        status,
        valid_requests,
        server_error_requests
    from error_breakdown
    union all
    select
        nothing as dt,
        nothing as application,
        nothing as vantage,
        nothing as hour,
        nothing as path_template,
        nothing as method,
        nothing as status,
        nothing as valid_requests,
        nothing as server_error_requests
    from refused;

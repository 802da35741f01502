-- Why an application's error rate on a UTC day is another than on the four same weekdays before, or on the days of
-- the list `before`: as `compare` answers. `days_before` says how many of those are there. The name NULL is each
-- application.
create or replace macro why(name, day, before := null) as table
    select
        application,
        vantage,
        path_template,
        method,
        days_before,
        valid_requests_before,
        server_error_requests_before,
        rate_before.error_rate as error_rate_before,
        rate_before.error_rate_low as error_rate_low_before,
        rate_before.error_rate_high as error_rate_high_before,
        days,
        valid_requests,
        server_error_requests,
        rate.error_rate,
        rate.error_rate_low,
        rate.error_rate_high,
        effect,
        rate_effect,
        mix_effect,
        share_of_change,
        moved_by,
        p_value
    from
        compared_hours(
            flatten(list_transform(
                coalesce(
                    cast(before as date[]),
                    list_transform([28, 21, 14, 7], lambda each: cast(day as date) - each)
                ),
                lambda each: range(
                    cast(each as timestamp), cast(each as timestamp) + interval 1 day, interval 1 hour
                )
            )),
            range(
                cast(cast(day as date) as timestamp),
                cast(cast(day as date) as timestamp) + interval 1 day,
                interval 1 hour
            ),
            name
        )
    order by application, vantage, place nulls last;

-- Why an application's error rate in an incident, from `started` to before `ended` as `incidents` has them, is
-- another than in the same hours of the four same weekdays before: as `compare` answers, of full UTC hours.
create or replace macro why_incident(name, started, ended) as table
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
                [28, 21, 14, 7],
                lambda each: range(
                    date_trunc('hour', cast(started as timestamp)) - to_days(cast(each as integer)),
                    cast(ended as timestamp) - to_days(cast(each as integer)),
                    interval 1 hour
                )
            )),
            range(date_trunc('hour', cast(started as timestamp)), cast(ended as timestamp), interval 1 hour),
            name
        )
    order by application, vantage, place nulls last;

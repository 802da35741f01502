-- Why an application's error rate in an incident, from `started` to before `ended` as `incidents` has them, is
-- another than in the same hours of the four same weekdays before: as `compare` answers, of full UTC hours.
create or replace macro why_incident(name, started, ended) as table
    select * exclude (place)
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

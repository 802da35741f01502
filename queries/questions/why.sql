-- Why an application's error rate on a UTC day is another than on the four same weekdays before, or on the days of
-- the list `before`: as `compare` answers. `days_before` says how many of those are there. The name NULL is each
-- application.
create or replace macro why(name, day, before := null) as table
    select * exclude (place)
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

-- The names of the events, the last one first, that began in the 30 minutes to `moment`, and are of an
-- application; an empty list without any.
create or replace macro events_before(of_application, moment) as
coalesce(
    (
        select list(name order by started desc, name asc)
        from events
        where
            started between moment - interval 30 minutes and moment
            and slo_covers(applications, null, of_application, null)
    ),
    []
);

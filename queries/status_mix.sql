-- Requests of one day per application, vantage and class of status.
select
    application,
    vantage,
    status_class(status) as status_class,
    count(*) as requests
from requests
group by all
order by all

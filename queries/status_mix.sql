-- Requests of one day per application, vantage and class of status.
select
    application,
    vantage,
    status_class,
    cast(sum(requests_total) as bigint) as requests
from error_counts
group by application, vantage, status_class
order by application, vantage, status_class

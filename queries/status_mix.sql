-- Requests of one day per application, vantage and class of status.
select
    application,
    vantage,
    case when status = 0 then 'none' else (status // 100) || 'xx' end as status_class,
    count(*) as requests
from requests
group by all
order by all

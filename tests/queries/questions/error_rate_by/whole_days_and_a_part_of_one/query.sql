-- Requests in each hour of one local day: of 25 hours in London, and from half past to half past in Kolkata, where
-- each hour lies in two of UTC. Of London's next day and Kolkata's day before there are only five minutes.
select *
from error_rate_by('Europe/London')
where application = 'london'
union all
select *
from error_rate_by('Asia/Kolkata')
where application = 'kolkata'
order by application, day

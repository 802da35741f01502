-- Upper end of the 95 % Wilson score interval of a share: hits of total, both counts (Wilson 1927).
-- 1.959963984540054 is the normal distribution's 97.5 % quantile z, 3.841458820694124 is z².
-- NULL when there is nothing to take a share of.
create or replace macro wilson_high(hits, total) as
case
    when total = 0 then null
    when hits = total then 1e0
    else least(1e0, (
        hits + 3.841458820694124e0 / 2
        + 1.959963984540054e0 * sqrt(hits / total * (total - hits) + 3.841458820694124e0 / 4)
    ) / (total + 3.841458820694124e0))
end;

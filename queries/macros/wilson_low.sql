-- Lower end of the 95 % Wilson score interval of a share: hits of total, both counts (Wilson 1927).
-- 1.959963984540054 is the normal distribution's 97.5 % quantile z, 3.841458820694124 is z².
-- NULL when there is nothing to take a share of.
create or replace macro wilson_low(hits, total) as
case
    when total = 0 then null
    when hits = 0 then 0e0
    else greatest(0e0, (
        hits + 3.841458820694124e0 / 2
        - 1.959963984540054e0 * sqrt(hits / total * (total - hits) + 3.841458820694124e0 / 4)
    ) / (total + 3.841458820694124e0))
end;

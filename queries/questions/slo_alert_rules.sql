-- The alerts of each objective: one fires while the burn rates over its long and its short window are both above
-- `factor`. That is how fast the long window would spend 2, 5, 10 and 10 % of the budget (Google, The Site
-- Reliability Workbook, 2018, chapter 5, Alerting on SLOs): 14.4, 6, 3 and 1 for 30 days.
create or replace view slo_alert_rules as
with shares as (
    select
        rules.severity,
        rules.long_minutes,
        rules.short_minutes,
        rules.percent_of_budget
    from (
        values
        ('page', 60, 5, 2),
        ('page', 360, 30, 5),
        ('ticket', 1440, 120, 10),
        ('ticket', 4320, 360, 10)
    ) as rules (severity, long_minutes, short_minutes, percent_of_budget)
)

select
    slo.slo,
    shares.severity,
    shares.long_minutes,
    shares.short_minutes,
    round(shares.percent_of_budget * slo.window_days * 1440 / (100 * shares.long_minutes), 9) as factor
from slo
cross join shares
order by slo.slo, shares.long_minutes;

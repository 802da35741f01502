-- The share of the budget that the long window would spend, times how often it goes into the budget's:
-- 30 days are 720 hours: 0.02 * 720 / 1, 0.05 * 720 / 6, 0.1 * 720 / 24, 0.1 * 720 / 72
-- 28 days are 672 hours: 0.02 * 672 / 1, 0.05 * 672 / 6, 0.1 * 672 / 24, 0.1 * 672 / 72 = 14 / 15
from slo_alert_rules

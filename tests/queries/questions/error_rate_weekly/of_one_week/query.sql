from error_rate_weekly where week = '2025-12-29'

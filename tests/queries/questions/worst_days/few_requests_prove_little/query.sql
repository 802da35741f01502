from worst_days

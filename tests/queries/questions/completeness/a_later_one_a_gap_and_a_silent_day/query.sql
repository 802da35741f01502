from completeness order by all

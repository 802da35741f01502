-- Havana's clocks go from 1:00 back to midnight, and from midnight to 1:00; of all days
from error_rate_by('America/Havana') order by all

-- The second day was restated to nothing: it was built, and has no rows to say so; the third was not built. The
-- fourth has no error_counts yet.
from completeness order by all

-- `few` had 49 in one of the weeks, `gap` lacks a week, and `other` had a quiet hour on the day before.
from silent_hours order by all

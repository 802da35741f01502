"""SQL as data: `NAME.sql` makes dataset NAME; `macros/` and `views/` are for everybody who asks."""

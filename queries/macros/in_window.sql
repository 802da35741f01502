-- Sum over the last `size` of a list's first `n` entries, given the list of its running totals.
create or replace macro in_window(totals, n, size) as
totals[n] - case when n > size then totals[n - size] else 0 end;

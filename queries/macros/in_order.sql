-- A row's place, or an error where a window without an order has seen the rows in another one than theirs. DuckDB
-- before 1.5 reads a lag of many rows from the wrong ones.
create or replace macro in_order(place, is_in_order) as
case
    when is_in_order then place
    else error('DuckDB ' || version() || ' takes rows out of their order here. Ask with DuckDB 1.5.5 or later.')
end;

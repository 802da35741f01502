-- A share, refused unless it is between 0 and 1: who gives 5 may mean 5 %, which is 0.05.
create or replace macro share(value) as
case
    when value between 0 and 1 then value
    else error(coalesce(cast(value as varchar), 'NULL') || ' is not a share: one is between 0 and 1 (5 % is 0.05)')
end;

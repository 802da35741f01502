-- Class of an HTTP status: its first digit and xx, or none for 0, of which there was no status.
create or replace macro status_class(status) as
case when status = 0 then 'none' else (status // 100) || 'xx' end;

-- The seconds that stand for a bucket of duration_bucket: within 1 % of each duration in it. NULL for no duration.
create or replace macro duration_of_bucket(bucket) as
case
    when bucket = -1 then 0e0
    when bucket >= 0 then 2e0 * pow(1.01e0 / 0.99e0, bucket) / (1.01e0 / 0.99e0 + 1) / 1e6
end;

-- The bucket of a duration in seconds, as DDSketch has them (Masson, Rim and Lee 2019): bucket n is of those above
-- g^(n-1) and up to g^n microseconds, with g = 1.01 / 0.99, so that duration_of_bucket is off by 1 % at most. 0 is
-- also for what is shorter than a microsecond; -1 is 0 seconds, and -2 no duration.
create or replace macro duration_bucket(seconds) as
cast(
    case
        when seconds is null then -2
        when seconds = 0 then -1
        else greatest(0, least(3000, ceil(ln(seconds * 1e6) / ln(1.01e0 / 0.99e0))))
    end as smallint
);

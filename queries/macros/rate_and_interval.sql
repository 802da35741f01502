-- An error rate with its 95 % Wilson interval: a struct of the three columns that each answer has of them, for
-- `unnest`. NULL without valid requests.
create or replace macro rate_and_interval(errors, requests) as
{
    'error_rate': case when requests > 0 then errors / requests end,
    'error_rate_low': wilson_low(errors, requests),
    'error_rate_high': wilson_high(errors, requests)
};

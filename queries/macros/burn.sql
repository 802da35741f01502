-- How many times faster than allowed an error budget is spent: 1 spends it in just its window. To nine places, so
-- that what is exactly a factor is not above it by binary digits; NULL without valid requests.
create or replace macro burn(errors, requests, objective) as
round(errors / nullif(requests, 0) / allowed_error_rate(objective), 9);

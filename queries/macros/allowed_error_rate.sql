-- Share of requests that may fail under an objective, to nine places, without the noise of binary digits.
create or replace macro allowed_error_rate(objective) as
round(1 - objective, 9);

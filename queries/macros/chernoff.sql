-- Minus the logarithm of a bound on a probability: that of `total` errors, `expected` of which are expected in one
-- of two periods, it has as many as `hits`, or as few (Chernoff 1952; Hoeffding 1956, where one error is likelier
-- there than another). It holds for few errors as for many. 0 where all or none are expected there.
create or replace macro chernoff(hits, expected, total) as
case
    when expected <= 0 or expected >= total then 0e0
    else greatest(
        0e0,
        case when hits > 0 then hits * ln(hits / expected) else 0e0 end
        + case when hits < total then (total - hits) * ln((total - hits) / (total - expected)) else 0e0 end
    )
end;

-- What `compare`, `why` and `why_incident` answer: of the hours `after` against those `before`, two lists of UTC
-- hours, for the application `chosen`, or for each if NULL. How segments are found is in docs/how-to/why.md.
create or replace macro compared_hours(before, after, chosen) as table
    with recursive hours as (
        select
            cast(unnest(before) as timestamp) as hour,
            0 as is_after
        union all
        select
            cast(unnest(after) as timestamp) as hour,
            1 as is_after
    ),

    known as (
        select *
        from known_breakdown()
        where
            list_contains(
                list_distinct(list_transform(list_concat(before, after), lambda each: cast(each as date))), dt
            )
            and (chosen is null or application = chosen)
    ),

    counted as (
        select
            known.application,
            known.vantage,
            known.path_template,
            known.method,
            sum(known.valid_requests * (1 - hours.is_after)) as requests_0,
            sum(known.server_error_requests * (1 - hours.is_after)) as errors_0,
            sum(known.valid_requests * hours.is_after) as requests_1,
            sum(known.server_error_requests * hours.is_after) as errors_1
        from known
        inner join hours on known.hour = hours.hour
        group by known.application, known.vantage, known.path_template, known.method
        having sum(known.valid_requests) > 0
    ),

    -- a name of one period only is '(other)': in the other it may have been too rare to be named
    named as (
        select
            * replace (
                case
                    when
                        least(
                            sum(requests_0) over (partition by application, vantage, path_template),
                            sum(requests_1) over (partition by application, vantage, path_template)
                        ) > 0
                        then path_template
                    else '(other)'
                end as path_template
            )
        from counted
    ),

    summed as (
        select
            application,
            vantage,
            path_template,
            method,
            cast(sum(requests_0) as bigint) as requests_0,
            cast(sum(errors_0) as bigint) as errors_0,
            cast(sum(requests_1) as bigint) as requests_1,
            cast(sum(errors_1) as bigint) as errors_1
        from named
        group by application, vantage, path_template, method
    ),

    totals as (
        select
            application,
            vantage,
            sum(requests_0) as all_requests_0,
            sum(requests_1) as all_requests_1,
            (sum(errors_0) / sum(requests_0) + sum(errors_1) / sum(requests_1)) / 2 as usual_rate,
            sum(errors_1) / sum(requests_1) - sum(errors_0) / sum(requests_0) as change
        from summed
        group by application, vantage
        having sum(requests_0) > 0 and sum(requests_1) > 0
    ),

    rated as (
        select
            summed.*,
            totals.all_requests_0,
            totals.all_requests_1,
            totals.usual_rate,
            summed.errors_0 + summed.errors_1 as errors,
            summed.requests_0 / totals.all_requests_0 as share_0,
            summed.requests_1 / totals.all_requests_1 as share_1,
            -- what has requests in one period only has no change of its rate
            coalesce(summed.errors_0 / nullif(summed.requests_0, 0), summed.errors_1 / summed.requests_1)
                as rate_0,
            coalesce(summed.errors_1 / nullif(summed.requests_1, 0), summed.errors_0 / summed.requests_0) as rate_1
        from summed
        inner join totals on summed.application = totals.application and summed.vantage = totals.vantage
    ),

    -- Kitagawa's two effects of each cell, a path template with a method: they add up to the change of the rate,
    -- since shares add up to 1 in both periods
    effects as (
        select
            *,
            (share_0 + share_1) / 2 * (rate_1 - rate_0) as rate_effect,
            ((rate_0 + rate_1) / 2 - usual_rate) * (share_1 - share_0) as mix_effect,
            -- of all errors, how many the later period has if the rate is the same, and their variance
            errors * (requests_1 / (requests_0 + requests_1)) as expected,
            expected * (requests_0 / (requests_0 + requests_1)) as variance,
            -- what moved, with the variance that chance makes of it; NULL with requests in one period only
            ln(nullif(requests_1, 0)) - ln(nullif(requests_0, 0)) as requests_moved,
            1 / nullif(requests_0, 0) + 1 / nullif(requests_1, 0) as requests_chance,
            ln(errors_1 + 0.5) - ln(errors_0 + 0.5) - requests_moved as rate_moved,
            1 / (errors_0 + 0.5) + 1 / (errors_1 + 0.5) as rate_chance
        from rated
    ),

    -- by how much cells differ in how they moved, beyond what chance makes of their counts
    spread as (
        select
            application,
            vantage,
            count(*) filter (where rate_chance <= 0.03) as rated,
            count(*) filter (where requests_chance <= 0.01) as grown,
            mad(rate_moved) filter (where rate_chance <= 0.03) as rate_mad,
            median(rate_chance) filter (where rate_chance <= 0.03) as rate_chance,
            median(requests_moved) filter (where requests_chance <= 0.01) as median_growth,
            mad(requests_moved) filter (where requests_chance <= 0.01) as requests_mad,
            median(requests_chance) filter (where requests_chance <= 0.01) as requests_chance
        from effects
        where requests_moved is not null
        group by application, vantage
    ),

    noise as (
        select
            effects.*,
            case
                when spread.rated >= 10
                    then greatest(0.01, (1.4826 * spread.rate_mad) ** 2 - spread.rate_chance)
                else 0.03
            end as rate_noise,
            case
                when spread.grown >= 10
                    then greatest(0.01, (1.4826 * spread.requests_mad) ** 2 - spread.requests_chance)
                else 0.01
            end as requests_noise,
            case
                when spread.grown >= 10 then spread.median_growth
                else ln(effects.all_requests_1 / effects.all_requests_0)
            end as growth
        from effects
        left join spread on effects.application = spread.application and effects.vantage = spread.vantage
    ),

    -- each cell counts as so many errors, and weighs as much, as chance alone would need to vary as it does
    cells as (
        select
            *,
            1 / (1 + rate_noise * variance) as rate_weight,
            1 / (1 / (requests_0 + 0.5) + 1 / (requests_1 + 0.5) + requests_noise) as requests_weight,
            ln((requests_1 + 0.5) / (requests_0 + 0.5)) - growth as grew
        from noise
    ),

    chosen_cells as (
        select
            application,
            vantage,
            path_template,
            method,
            cast(null as integer) as place,
            cast(null as varchar) as segment_template,
            cast(null as varchar) as segment_method,
            cast(null as varchar) as moved_by,
            cast(null as double) as p_value,
            0 as turn
        from cells
        union all
        (
            with remaining as (
                select
                    cells.*,
                    chosen_cells.turn
                from chosen_cells
                inner join cells
                    on
                        chosen_cells.application = cells.application
                        and chosen_cells.vantage = cells.vantage
                        and chosen_cells.path_template = cells.path_template
                        and chosen_cells.method = cells.method
                where chosen_cells.place is null and chosen_cells.turn < 5
            ),

            segments as (
                select
                    application,
                    vantage,
                    path_template,
                    method,
                    grouping(path_template, method) as kind,
                    any_value(all_requests_1) as all_requests_1,
                    sum(requests_0) as requests_0,
                    sum(requests_1) as requests_1,
                    sum(errors) as errors,
                    any_value(usual_rate) as usual_rate,
                    sum(rate_effect) as rate_effect,
                    sum(mix_effect) as mix_effect,
                    chernoff(
                        sum(errors_1 * rate_weight), sum(expected * rate_weight), sum(errors * rate_weight)
                    ) / (1 + 0.0025 * sum(variance * rate_weight)) as rate_evidence,
                    0.5 * (sum(grew * requests_weight) / sum(requests_weight)) ** 2
                    / (1 / sum(requests_weight) + 0.0025) as growth_evidence
                from remaining
                group by
                    grouping sets (
                        (application, vantage),
                        (application, vantage, path_template),
                        (application, vantage, method),
                        (application, vantage, path_template, method)
                    )
                -- those that can be sure: of others no errors or requests would be enough
                having sum(errors) >= 10 or max(share_0 + share_1) >= 0.01
            ),

            tested as (
                select
                    application,
                    vantage,
                    path_template,
                    method,
                    kind,
                    'rate' as moved_by,
                    rate_effect as effect,
                    all_requests_1,
                    requests_0 + requests_1 as requests,
                    rate_evidence as evidence,
                    rate_evidence as rank_evidence
                from segments
                union all
                select
                    application,
                    vantage,
                    path_template,
                    method,
                    kind,
                    'mix' as moved_by,
                    mix_effect as effect,
                    all_requests_1,
                    requests_0 + requests_1 as requests,
                    -- as sure as both that its requests grew otherwise than all, and that its rate is another
                    coalesce(
                        1 / (
                            1 / nullif(growth_evidence, 0)
                            + 2 * usual_rate * (1 - usual_rate) / (requests_0 + requests_1)
                            / nullif(errors / (requests_0 + requests_1) - usual_rate, 0) ** 2
                        ), 0
                    ) as evidence,
                    growth_evidence as rank_evidence
                from segments
            ),

            judged as (
                select
                    *,
                    least(
                        1e0,
                        16 * count(*) over (partition by application, vantage, kind, moved_by) * exp(-evidence)
                    ) as p_value,
                    ln(count(*) over (partition by application, vantage, kind, moved_by)) - rank_evidence as doubt
                from tested
            ),

            sure as (
                select
                    *,
                    max(abs(effect)) over (partition by application, vantage) as largest
                from judged
                where p_value <= 0.05 and abs(effect) * all_requests_1 >= 10
            ),

            large as (
                select
                    *,
                    min(doubt) over (partition by application, vantage) as least_doubt
                from sure
                where abs(effect) >= largest / 2
            ),

            -- of those as sure as another, that with the fewest requests: the others' had no part in it
            best as (
                select *
                from large
                where doubt <= least_doubt + 1
                qualify
                    row_number() over (
                        partition by application, vantage
                        order by requests asc, kind desc, path_template asc, method asc
                    ) = 1
            )

            select
                remaining.application,
                remaining.vantage,
                remaining.path_template,
                remaining.method,
                case
                    when
                        coalesce(best.path_template, remaining.path_template) = remaining.path_template
                        and coalesce(best.method, remaining.method) = remaining.method
                        then remaining.turn + 1
                end as place,
                coalesce(best.path_template, '(any)') as segment_template,
                coalesce(best.method, '(any)') as segment_method,
                best.moved_by,
                best.p_value,
                remaining.turn + 1 as turn
            from remaining
            inner join best on remaining.application = best.application and remaining.vantage = best.vantage
        )
    ),

    taken as (
        select *
        from chosen_cells
        where place is not null
    ),

    -- of each cell, those in no segment with NULL for its place
    placed as (
        select
            summed.*,
            cells.rate_effect,
            cells.mix_effect,
            taken.place,
            taken.segment_template,
            taken.segment_method,
            taken.moved_by,
            taken.p_value
        from summed
        left join cells
            on
                summed.application = cells.application
                and summed.vantage = cells.vantage
                and summed.path_template = cells.path_template
                and summed.method = cells.method
        left join taken
            on
                summed.application = taken.application
                and summed.vantage = taken.vantage
                and summed.path_template = taken.path_template
                and summed.method = taken.method
    ),

    rows_of_answer as (
        select
            application,
            vantage,
            place,
            coalesce(any_value(segment_template), '(rest)') as path_template,
            coalesce(any_value(segment_method), '(rest)') as method,
            any_value(moved_by) as moved_by,
            any_value(p_value) as p_value,
            cast(sum(requests_0) as bigint) as valid_requests_before,
            cast(sum(errors_0) as bigint) as server_error_requests_before,
            cast(sum(requests_1) as bigint) as valid_requests,
            cast(sum(errors_1) as bigint) as server_error_requests,
            sum(rate_effect) as rate_effect,
            sum(mix_effect) as mix_effect
        from placed
        group by application, vantage, place
    ),

    days as (
        select
            count(distinct dt)
            filter (where list_contains(list_transform(before, lambda each: cast(each as date)), dt))
                as days_before,
            count(distinct dt)
            filter (where list_contains(list_transform(after, lambda each: cast(each as date)), dt)) as days
        from error_breakdown_files
    ),

    with_rates as (
        select
            answer.*,
            answer.rate_effect + answer.mix_effect as effect,
            totals.change,
            rate_and_interval(answer.server_error_requests_before, answer.valid_requests_before) as rate_before,
            rate_and_interval(answer.server_error_requests, answer.valid_requests) as rate
        from rows_of_answer as answer
        left join totals on answer.application = totals.application and answer.vantage = totals.vantage
    )

    select
        with_rates.application,
        with_rates.vantage,
        with_rates.place,
        with_rates.path_template,
        with_rates.method,
        days.days_before,
        with_rates.valid_requests_before,
        with_rates.server_error_requests_before,
        with_rates.rate_before.error_rate as error_rate_before,
        with_rates.rate_before.error_rate_low as error_rate_low_before,
        with_rates.rate_before.error_rate_high as error_rate_high_before,
        days.days,
        with_rates.valid_requests,
        with_rates.server_error_requests,
        with_rates.rate.error_rate,
        with_rates.rate.error_rate_low,
        with_rates.rate.error_rate_high,
        with_rates.effect,
        with_rates.rate_effect,
        with_rates.mix_effect,
        with_rates.effect / nullif(with_rates.change, 0) as share_of_change,
        with_rates.moved_by,
        with_rates.p_value
    from with_rates
    cross join days;

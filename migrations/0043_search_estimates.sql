-- How common what is searched is: the planner's statistics say it, with no model being looked at. So the lot goes, and
-- with it what was there to gather kinds and ranges by themselves: one index has them beside words and tags now, so that
-- what is asked for together is found together.
drop index public_model_lot, public_model_kinds, public_model_steps, public_model_search;
alter table public_model
    drop column lot,
    -- the logarithm to base two of its downloads, by which the most popular of very many are found
    add column popularity smallint[] not null generated always as (
        array[floor(ln(1 + downloads::double precision) / ln(2::double precision))::smallint]
    ) stored;
create index public_model_search on public_model using gin
    (words, tags, tenant, together, steps, popularity) with (fastupdate = off);
alter table public_model
    alter column words set statistics 500,
    alter column tags set statistics 500,
    alter column together set statistics 500;
analyze public_model;

-- The orders' indexes tell metrics, too.
drop index public_model_updated, public_model_created, public_model_downloads, public_model_likes, public_model_trending;
create index public_model_updated on public_model (updated_at desc, id desc)
    include (bytes, signature, few_metrics);
create index public_model_created on public_model (created_at desc, id desc)
    include (bytes, signature, few_metrics);
create index public_model_downloads on public_model (downloads desc, id desc)
    include (bytes, signature, few_metrics);
create index public_model_likes on public_model (likes desc, id desc)
    include (bytes, signature, few_metrics);
create index public_model_trending on public_model (trending desc, id desc)
    include (bytes, signature, few_metrics);

-- A word that nobody has is one that somebody began, or one that somebody mistyped. Of either the three nearest: each
-- is one more to look for.
create or replace function search_query(asked text, is_public boolean) returns tsquery language sql stable as $$
    select string_agg(case
        when length(lexeme) < 3 or exists (select from search_word where word = lexeme collate "C") then quoted
        when is_public then coalesce('(' || begun || ')', '(' || alike || ')', quoted)
        else concat('(', quoted, ':*', ' | ' || alike, ')')
        end, ' & ')::tsquery
    from (select lexeme, quote_literal(lexeme) as quoted
          from unnest(to_tsvector('english', translate(asked, '-_./:', '     ')))
          limit 8) asked
    left join lateral (
        select string_agg(quote_literal(word), ' | ' order by word collate "C") as begun
        from (select word from search_word
              where is_public and length(lexeme) >= 3 and word >= lexeme collate "C"
                  and word < (lexeme || chr(1114111)) collate "C"
              order by length(word), word limit 3) beginning) beginnings on true
    left join lateral (
        select string_agg(quote_literal(word), ' | ' order by word collate "C") as alike
        from (select word from search_word where begun is null and length(lexeme) >= 3 and word % lexeme
              order by similarity(word, lexeme) desc, word limit 3) near) others on true
$$;

-- The same as before, with the bounds computed once and nothing sorted out: tens, and what is left at either end.
create or replace function steps_within(name text, low double precision, high double precision) returns text[]
    language sql immutable parallel safe as $$
    select array(select name || '~' || ten from generate_series(first_ten, last_ten) ten)
        || array(select name || '=' || step from generate_series(first, least(last, first_ten * 10 - 1)) step)
        || array(select name || '=' || step
                 from generate_series(greatest(first_ten, last_ten + 1) * 10, last) step)
    from (select first, last, ceil(first / 10.0)::int as first_ten, floor((last - 9) / 10.0)::int as last_ten
          from (select case when low is null then -420 else number_step(low) end as first,
                       case when high is null then 419 else number_step(high) end as last
                offset 0) steps
          offset 0) bounds
$$;

-- What is searched in an order is looked for along that order's index. Without more than the order in it, each model on
-- the way has to be read from the table, some microseconds each: so the index also tells what a model may be found by.

-- A Bloom filter of what is said of a model, two bits for each: where one of a question's bits is missing, the model
-- is none of those asked for; where all are there it is read and looked at.
create function search_bits(said text) returns int[] language sql immutable parallel safe as $$
    select array[hash & 511, (hash >> 9) & 511] from (select hashtext(said) as hash) hashed
$$;
create function search_signature(said text[]) returns bit(512) language sql immutable parallel safe as $$
    select coalesce(bit_or(set_bit(set_bit(none, bits[1], 1), bits[2], 1)), none)
    from (select repeat('0', 512)::bit(512) as none) nothing
    left join lateral (select search_bits(word) as bits from unnest(said) word) words on true
    group by none
$$;
-- The same word may be a word, a tag and a tenant.
create function search_said(words tsvector, tags text[], tenant text, kinds text[]) returns text[]
    language sql immutable parallel safe as $$
    select tsvector_to_array(words) || array(select '#' || tag from unnest(tags) tag) || ('@' || tenant)
        || array(select n || '=' || kind from unnest(kinds) with ordinality named (kind, n) where kind is not null)
$$;

-- One number for several kinds that are asked for together: each alone is so common that to find out which models are
-- of all of them takes longer than to read those that are.
create function search_kinds(kinds text[]) returns int language sql immutable parallel safe as $$
    select hashtext(string_agg(n || '=' || kind, ',' order by n))
    from unnest(kinds) with ordinality named (kind, n) where kind is not null
$$;
-- Of any one or more of a model's kinds.
create function search_kinds_together(kinds text[]) returns int[] language sql immutable parallel safe as $$
    select array(
        select hashtext(string_agg(n || '=' || kind, ',' order by n))
        from generate_series(1, 31) subset, unnest(kinds) with ordinality named (kind, n)
        where (subset >> (n::int - 1)) & 1 = 1 and kind is not null
        group by subset having count(*) = length(replace(subset::bit(5)::text, '0', '')))
$$;

alter table public_model
    add column signature bit(512) not null generated always as (
        search_signature(search_said(words, tags, tenant, array[task, family, input, pipeline, licence]))
    ) stored,
    add column together int[] not null generated always as (
        search_kinds_together(array[task, family, input, pipeline, licence])
    ) stored,
    -- an index has no room for more
    add column few_metrics jsonb generated always as (
        case when octet_length(metrics::text) <= 1000 then metrics end
    ) stored;
drop index public_model_search;
-- the most downloaded are found along their order now
revoke update (tier) on public_model from cupola_as_gateway;
alter table public_model drop column tier;
create index public_model_search on public_model using gin
    (words, tags, tenant, together) with (fastupdate = off);
-- All models of some kinds lie beside each other, with what else is compared.
create index public_model_kinds on public_model (task, family, licence, input, pipeline)
    include (id, bytes, few_metrics, downloads, likes, trending, created_at, updated_at);

drop index public_model_updated, public_model_created, public_model_downloads, public_model_likes, public_model_trending;
create index public_model_updated on public_model (updated_at desc, id desc) include (bytes, signature);
create index public_model_created on public_model (created_at desc, id desc) include (bytes, signature);
create index public_model_downloads on public_model (downloads desc, id desc) include (bytes, signature);
create index public_model_likes on public_model (likes desc, id desc) include (bytes, signature);
create index public_model_trending on public_model (trending desc, id desc) include (bytes, signature);
-- a sample, by lot
create index public_model_lot on public_model (lot) include (id, bytes, signature);

-- The same, with the four shortest words of a beginning in place of the ten first: each is one more to look for.
create or replace function search_query(asked text, is_public boolean) returns tsquery language sql stable as $$
    select string_agg(case
        when length(lexeme) < 3 or exists (select from search_word where word = lexeme collate "C") then quoted
        else concat(
            '(', quoted, case when not is_public then ':*' end,
            (select string_agg(' | ' || quote_literal(word), '' order by word collate "C")
             from (select word from (select word from search_word
                                     where is_public and word >= lexeme collate "C"
                                         and word < (lexeme || chr(1114111)) collate "C"
                                     order by length(word), word limit 4) beginning
                   union
                   select word from (select word from search_word where word % lexeme
                                     order by similarity(word, lexeme) desc, word limit 3) alike) others),
            ')')
        end, ' & ')::tsquery
    from (select lexeme, quote_literal(lexeme) as quoted
          from unnest(to_tsvector('english', translate(asked, '-_./:', '     ')))
          limit 8) asked
$$;

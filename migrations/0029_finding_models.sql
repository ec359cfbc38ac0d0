-- Finding models: what is public and searched in one table, what is counted of each, and lists of them.

create extension if not exists pg_trgm;
create extension if not exists btree_gin;

-- Whom the triggers work as that keep `public_model`, whoever changes a model: it sees models and their versions,
-- and writes what is searched, and nothing else.
do $$
begin
    if not exists (select from pg_roles where rolname = 'cupola_search') then
        create role cupola_search nologin nobypassrls;
    end if;
exception when duplicate_object or unique_violation then
    -- another database of this cluster was migrated at the same moment
    null;
end $$;
grant cupola_search to current_user;
grant usage on schema public to cupola_search;
create policy searched on model for select to cupola_search using (true);
create policy searched on model_version for select to cupola_search using (true);
create policy searched on tenant for select to cupola_search using (true);
grant select (id, tenant_id, name, visibility, description, card, licence, tags, created_at) on model to cupola_search;
grant select (model_id, number, state, config, metrics, bytes, created_at) on model_version to cupola_search;
grant select (id, slug) on tenant to cupola_search;

-- What a network is made of, by the layer that says most of it.
create function model_family(config jsonb) returns text language sql immutable parallel safe as $$
    select case
        when config is null then null
        when kinds ?| array['TransformerEncoder', 'TransformerDecoder'] then 'transformer'
        when kinds ?| array['LSTM', 'GRU'] then 'recurrent'
        when kinds ?| array['Conv1D', 'Conv2D'] then 'convolutional'
        when config #>> '{input,type}' = 'ratings' then 'factorization'
        else 'dense' end
    from (select jsonb_path_query_array(config, '$.layers.**.type') as kinds) layers
$$;

-- The name that model hubs have for what it does. The gateway's `pipeline_tag` says the same of one version.
create function model_pipeline(config jsonb) returns text language sql immutable parallel safe as $$
    select case
        when config is null then null
        when config ->> 'task' = 'language_modeling' or input = 'corpus' then 'text-generation'
        when config ->> 'task' = 'forecasting' or input = 'series' then 'time-series-forecasting'
        when config ->> 'task' = 'recommendation' or input = 'ratings' then 'recommendation'
        when input = 'text' then 'text-classification'
        when input = 'images' then 'image-classification'
        when config ->> 'task' = 'regression' then 'tabular-regression'
        else 'tabular-classification' end
    from (select config #>> '{input,type}' as input) kind
$$;

-- Words of a text that is split where names are.
create function text_words(text text, weight "char") returns tsvector language sql immutable parallel safe as $$
    select setweight(to_tsvector('english'::regconfig, translate(text, '-_./:', '     ')), weight)
$$;

-- Numbers are searched by steps, which an index has: hundredths up to 1, eighths of a doubling from there to 2 ** 40,
-- the same below 0. Of ten steps one coarse one is made, so that a range is few of them.
create function step_above_zero(value double precision) returns int language sql immutable parallel safe as $$
    select case when value < 1 then floor(value * 100)::int
                else 100 + least(floor(ln(value) / ln(2::double precision) * 8), 319)::int end
$$;
create function number_step(value double precision) returns int language sql immutable parallel safe as $$
    select case when value < 0 then -1 - step_above_zero(-value) else step_above_zero(value) end
$$;
create function number_steps(name text, value double precision) returns text[]
    language sql immutable parallel safe as $$
    select array[name || '=' || number_step(value), name || '~' || floor(number_step(value) / 10.0)::int]
$$;
-- All in which a number from `low` to `high` may be; what lies in them is still to be compared.
create function steps_within(name text, low double precision, high double precision) returns text[]
    language sql immutable parallel safe as $$
    select array(select name || '~' || ten
                 from generate_series(ceil(first / 10.0)::int, floor((last - 9) / 10.0)::int) ten)
        || array(select name || '=' || step from generate_series(first, last) step
                 where floor(step / 10.0) * 10 < first or floor(step / 10.0) * 10 + 9 > last)
    from (select case when low is null then -420 else number_step(low) end as first,
                 case when high is null then 419 else number_step(high) end as last) bounds
$$;

-- What is counted of a model; the gateways add to it about every second. `trending` is the logarithm to base
-- two of the sum over likes (5 each) and downloads of 2 ** (moment / half-life), in half-lives since 1970: all
-- sums decay alike, so that their order stays right without any being written again.
create table model_tally (
    model_id    uuid primary key references model,
    downloads   bigint not null default 0,
    likes       bigint not null default 0,
    predictions bigint not null default 0,
    trending    double precision not null default 0,
    -- whether `public_model` has these figures
    is_settled  boolean not null default false
);
create index model_tally_unsettled on model_tally (model_id) where not is_settled;

create table model_like (
    model_id   uuid not null references model,
    user_id    uuid not null references app_user,
    tenant_id  uuid not null references tenant,
    created_at timestamptz not null default now(),
    primary key (model_id, user_id)
);
create index model_like_user on model_like (user_id);
create index model_like_tenant on model_like (tenant_id);

-- So that a tenant's downloads of a model count once a day; rows of days that are over are removed.
create table model_download (
    day       date not null,
    model_id  uuid not null references model,
    tenant_id uuid not null,
    primary key (day, model_id, tenant_id)
);

-- Half-lives of `trending` since 1970: a week each. The gateway's document says so.
create function half_lives(moment timestamptz) returns double precision language sql immutable parallel safe as $$
    select extract(epoch from moment)::double precision / 604800
$$;

-- All that is searched of a model, for whoever may see it: a tenant's own and shared ones are searched here.
create view model_facts with (security_invoker = true) as
select m.id, m.tenant_id, t.slug as tenant, m.name, m.visibility, m.description, m.licence, m.tags,
       m.created_at, v.number as version, coalesce(v.created_at, m.created_at) as updated_at,
       coalesce(v.metrics, '{}') as metrics, coalesce(v.bytes, 0) as bytes,
       v.config ->> 'task' as task, model_family(v.config) as family,
       v.config #>> '{input,type}' as input, model_pipeline(v.config) as pipeline,
       coalesce(c.downloads, 0) as downloads, coalesce(c.likes, 0) as likes,
       coalesce(c.predictions, 0) as predictions, coalesce(c.trending, 0) as trending,
       -- what ranks a model that was found, and all that it is found by
       said.title, said.title || text_words(left(m.card, 8000), 'D') as words,
       number_steps('#bytes', coalesce(v.bytes, 0))
           || array(select unnest(number_steps(key, value::text::double precision))
                    from jsonb_each(coalesce(v.metrics, '{}')) where jsonb_typeof(value) = 'number')
           as steps
from model m
join tenant t on t.id = m.tenant_id
left join lateral (select number, metrics, bytes, config, created_at from model_version
                   where model_id = m.id and state in ('published', 'deprecated')
                   order by number desc limit 1) v on true
left join model_tally c on c.model_id = m.id
-- once, although it is asked for twice
cross join lateral (select text_words(m.name, 'A') || text_words(array_to_string(m.tags, ' '), 'B')
                           || text_words(m.description, 'C') || text_words(t.slug, 'C') as title offset 0) said;

-- what a tenant sees that is not for everybody
create index model_not_public on model (tenant_id) where visibility <> 'public';

-- Every public model that has a version to use, as it is searched. It holds nothing that is not for everybody,
-- and so has no policy: under one, no index would find words, because what compares them might tell of rows that
-- the policy hides. Only the triggers below and the tallies' settling write here.
create table public_model (
    id          uuid primary key references model,
    -- what is compared comes first, where a row is read soonest
    downloads   bigint not null,
    likes       bigint not null,
    predictions bigint not null,
    trending    double precision not null,
    created_at  timestamptz not null,
    updated_at  timestamptz not null,
    bytes       bigint not null,
    version     int not null,
    -- by rank among all in downloads: 0 for the first 1,000, 1 for the first 4,000, and so on to 5. What has few
    -- matches in one has few in all above it: so the best of very many are found without reading all
    tier        smallint not null default 5,
    -- one of 256, by lot: how common something is shows in any of them
    lot         smallint not null generated always as (hashtext(id::text) & 255) stored,
    title       tsvector not null,
    task        text,
    family      text,
    input       text,
    pipeline    text,
    licence     text,
    metrics     jsonb not null,
    tenant      text not null,
    name        text not null,
    visibility  text not null check (visibility = 'public'),
    description text not null,
    tags        text[] not null,
    words       tsvector not null,
    -- of bytes and metrics
    steps       text[] not null
);
create index public_model_updated on public_model (updated_at desc, id desc);
create index public_model_created on public_model (created_at desc, id desc);
create index public_model_downloads on public_model (downloads desc, id desc);
create index public_model_likes on public_model (likes desc, id desc);
create index public_model_trending on public_model (trending desc, id desc);
create index public_model_tenant on public_model (tenant, name);
-- What is asked for besides the order. What waits to be merged would be read by every search.
create index public_model_search on public_model using gin
    (words, tags, tenant, tier, lot, task, family, input, pipeline, licence) with (fastupdate = off);
create index public_model_steps on public_model using gin (steps) with (fastupdate = off);

-- Every word that was ever found in a public model: what somebody mistyped is looked for here.
create table search_word (
    word text collate "C" primary key
);
create index search_word_alike on search_word using gin (word gin_trgm_ops) with (fastupdate = off);

create function list_words(words tsvector) returns void language sql as $$
    insert into search_word
    select lexeme from unnest(words)
    where length(lexeme) between 3 and 40 and lexeme !~ '[0-9]'
    order by lexeme
    on conflict do nothing
$$;

create function publish_to_search(model uuid) returns void language plpgsql as $$
declare
    found_words tsvector;
begin
    insert into public_model (
        id, tenant, name, visibility, description, licence, tags, created_at, version, updated_at, metrics, bytes,
        task, family, input, pipeline, downloads, likes, predictions, trending, title, words, steps)
    select
        id, tenant, name, visibility, description, licence, tags, created_at, version, updated_at, metrics, bytes,
        task, family, input, pipeline, downloads, likes, predictions, trending, title, words, steps
    from model_facts f where f.id = model and visibility = 'public' and version is not null
    on conflict (id) do update set
        tenant = excluded.tenant, name = excluded.name, description = excluded.description,
        licence = excluded.licence, tags = excluded.tags, version = excluded.version,
        updated_at = excluded.updated_at, metrics = excluded.metrics, bytes = excluded.bytes,
        task = excluded.task, family = excluded.family, input = excluded.input,
        pipeline = excluded.pipeline, title = excluded.title, words = excluded.words,
        steps = excluded.steps
    returning words into found_words;
    if found then
        perform list_words(found_words);
    else
        delete from public_model where id = model;
    end if;
end $$;

-- Whatever is said of a model or of a version, by whomever, is searched from that transaction on.
create function model_changed() returns trigger
    language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if new.visibility = 'public' or tg_op = 'UPDATE' and old.visibility = 'public' then
        perform publish_to_search(new.id);
    end if;
    return null;
end $$;
create trigger model_is_searched
    after insert or update of name, visibility, description, card, licence, tags on model
    for each row execute function model_changed();

create function model_version_changed() returns trigger
    language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if exists (select from model where id = new.model_id and visibility = 'public') then
        perform publish_to_search(new.model_id);
    end if;
    return null;
end $$;
create trigger model_version_is_searched
    after insert or update of state, bytes, metrics on model_version
    for each row execute function model_version_changed();

-- What people asked for as a query: every word has to be found, and one that no public model has may be the
-- beginning of another, or mistyped. Each becomes few enough words for a search to stay quick; of one's own
-- models, which are few, any beginning will do. Null where nothing is left to look for.
create function search_query(asked text, is_public boolean) returns tsquery language sql stable as $$
    select string_agg(case
        when length(lexeme) < 3 or exists (select from search_word where word = lexeme collate "C") then quoted
        else concat(
            '(', quoted,
            case when is_public then (
                select string_agg(' | ' || quote_literal(word), '')
                from (select word from search_word
                      where word >= lexeme collate "C" and word < (lexeme || chr(1114111)) collate "C"
                      order by word limit 10) beginning)
            else ':*' end,
            (select string_agg(' | ' || quote_literal(word), '')
             from (select word from search_word where word % lexeme
                   order by similarity(word, lexeme) desc, word limit 3) alike),
            ')')
        end, ' & ')::tsquery
    from (select lexeme, quote_literal(lexeme) as quoted
          from unnest(to_tsvector('english', translate(asked, '-_./:', '     ')))
          limit 8) asked
$$;

-- The logarithms, to base two, of a sum and of a difference of what these are logarithms of.
create function log_sum(a double precision, b double precision) returns double precision
    language sql immutable parallel safe as $$
    select greatest(a, b) + case when abs(a - b) > 60 then 0
                                 else ln(1 + power(2, -abs(a - b))) / ln(2::double precision) end
$$;
create function log_difference(a double precision, b double precision) returns double precision
    language sql immutable parallel safe as $$
    select case when a - b > 60 then a when a - b < 1e-9 then 0
                else a + ln(1 - power(2, b - a)) / ln(2::double precision) end
$$;

-- Models that a tenant puts together under a title.
create table collection (
    id          uuid primary key,
    tenant_id   uuid not null references tenant,
    name        text not null,
    title       text not null check (length(title) between 1 and 100),
    description text not null default '' check (length(description) <= 2000),
    visibility  text not null default 'private' check (visibility in ('private', 'public')),
    -- in their order
    models      uuid[] not null default '{}' check (cardinality(models) <= 200),
    created_at  timestamptz not null default now(),
    unique (tenant_id, name)
);

-- Public models that the platform's operators put forward.
create table featured_list (
    name   text primary key,
    title  text not null check (length(title) between 1 and 100),
    -- in their order
    models uuid[] not null default '{}' check (cardinality(models) <= 200)
);

-- Who may do what of all this, in one place.
call close_to_other_tenants('model_like');
call close_to_other_tenants('model_download');
call close_to_other_tenants('collection');
create policy shown_to_me on collection for select to cupola_tenant using (visibility = 'public');
alter table model_tally enable row level security;
alter table model_tally force row level security;
create policy of_models_that_i_see on model_tally for select to cupola_tenant using (
    exists (select from model m where m.id = model_tally.model_id));
create policy searched on model_tally for select to cupola_search using (true);
create policy every_row on model_tally to cupola_as_gateway using (true) with check (true);
-- who publishes no model, but a collection
drop policy publishers on tenant;
create policy publishers on tenant for select to cupola_tenant using (
    exists (select from model m where m.tenant_id = tenant.id and m.visibility <> 'private')
    or exists (select from collection c where c.tenant_id = tenant.id and c.visibility = 'public'));
grant select on model_facts, public_model, search_word, model_tally, featured_list to cupola_tenant;
grant select, insert, delete on model_like to cupola_as_gateway;
grant select, insert, update (title, description, visibility, models), delete on collection to cupola_tenant;
grant select, insert, update (downloads, likes, predictions, trending, is_settled) on model_tally to cupola_as_gateway;
grant select, insert, delete on model_download to cupola_as_gateway;
grant select, insert, update (title, models), delete on featured_list to cupola_as_gateway;
-- the counts and tiers alone: all else comes by the triggers
grant select, update (downloads, likes, predictions, trending, tier) on public_model to cupola_as_gateway;
grant select on model_facts, model_tally to cupola_search;
grant select, insert, update, delete on public_model to cupola_search;
grant select, insert on search_word to cupola_search;
revoke all on function publish_to_search, list_words from public;
grant execute on function publish_to_search, list_words to cupola_search;
-- who owns a function has to be one who may make some
grant create on schema public to cupola_search;
alter function model_changed owner to cupola_search;
alter function model_version_changed owner to cupola_search;
revoke create on schema public from cupola_search;

-- what is public already
set local role cupola_search;
do $$ begin perform publish_to_search(id) from model where visibility = 'public'; end $$;
reset role;

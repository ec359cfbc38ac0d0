-- Serving replicas: processes that answer predictions for the gateways. Each has a row for as long as it runs, by
-- which gateways find it.

create table serving_replica (
    id           uuid primary key,
    -- where gateways reach it; a process that starts there takes the place of the one before
    url          text not null unique,
    -- what gateways say to it, so that it answers nobody else: wrapped by this master key, or as it is without one
    master       text,
    secret       bytea not null,
    -- it finishes what it was asked, and is asked no more
    leaving      boolean not null default false,
    started_at   timestamptz not null default now(),
    heartbeat_at timestamptz not null default now()
);

-- cupola_serving  what replicas log in as; may take cupola_as_serving
do $$
begin
    if not exists (select from pg_roles where rolname = 'cupola_serving') then
        create role cupola_serving login noinherit nobypassrls;
    end if;
    if not exists (select from pg_roles where rolname = 'cupola_as_serving') then
        create role cupola_as_serving nologin nobypassrls;
    end if;
exception when duplicate_object or unique_violation then
    -- another database of this cluster was migrated at the same moment
    null;
end $$;
grant cupola_as_serving to cupola_serving, cupola_app;
grant usage on schema public to cupola_as_serving;

-- A replica is told what to load, and by whom, with each request: it reads no table of tenants' but the keys that
-- their bytes are under. Nor does it read what is said to the other replicas.
grant
    select (id, url, heartbeat_at), insert (id, url, master, secret), update (leaving, heartbeat_at), delete
    on serving_replica to cupola_as_serving;
grant select, insert on tenant_key to cupola_as_serving;
create policy every_row_of_serving on tenant_key to cupola_as_serving using (true) with check (true);

grant select on serving_replica to cupola_as_gateway;

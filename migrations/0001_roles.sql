-- Roles first, because policies name them. They belong to the whole cluster, so they may exist already.
--
-- cupola_app     what the services log in as; it owns nothing and may do nothing by itself
-- cupola_tenant  taken for work inside one tenant: row-level security shows that tenant alone
-- cupola_system  taken by the scheduler, the workers and authentication: sees every row
--
-- `cupola_app` is a member of the other two without inheriting from them: a transaction that forgot to
-- take a role is refused, instead of seeing too much. None of them may bypass row-level security.
do $$
begin
    if not exists (select from pg_roles where rolname = 'cupola_app') then
        create role cupola_app login noinherit nobypassrls;
    end if;
    if not exists (select from pg_roles where rolname = 'cupola_tenant') then
        create role cupola_tenant nologin nobypassrls;
    end if;
    if not exists (select from pg_roles where rolname = 'cupola_system') then
        create role cupola_system nologin nobypassrls;
    end if;
exception when duplicate_object or unique_violation then
    -- another database of this cluster was migrated at the same moment
    null;
end $$;

grant cupola_tenant, cupola_system to cupola_app;
grant usage on schema public to cupola_tenant, cupola_system;

-- The tenant of this transaction. An unset or ended setting reads '' or null: both mean nobody.
create function current_tenant() returns uuid
    language sql stable parallel safe
    return nullif(current_setting('app.tenant_id', true), '')::uuid;

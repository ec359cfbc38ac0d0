-- Who reads what is public without having shown who they are.
--
-- cupola_visitor  taken by the gateway for such a read: it may read models, their versions and what is searched, and
--                 of those row-level security shows it what is public. Of every other table it may read nothing, so
--                 that what a statement forgets is refused and not shown.
do $$
begin
    if not exists (select from pg_roles where rolname = 'cupola_visitor') then
        create role cupola_visitor nologin nobypassrls;
    end if;
exception when duplicate_object or unique_violation then
    -- another database of this cluster was migrated at the same moment
    null;
end $$;
grant cupola_visitor to cupola_gateway, cupola_app;
grant usage on schema public to cupola_visitor;

-- Whatever hangs on a model is seen with it: these look at `model` as the visitor does.
create policy public_rows on model for select to cupola_visitor using (visibility = 'public');
create policy public_rows on model_version for select to cupola_visitor using (
    state not in ('draft', 'deleted')
    and exists (select from model m where m.id = model_version.model_id));
create policy public_rows on model_alias for select to cupola_visitor using (
    exists (select from model m where m.id = model_alias.model_id));
create policy public_rows on model_tally for select to cupola_visitor using (
    exists (select from model m where m.id = model_tally.model_id));
create policy public_rows on tenant for select to cupola_visitor using (
    exists (select from model m where m.tenant_id = tenant.id));

grant select on model, model_version, model_alias, model_tally, public_model, search_word to cupola_visitor;
grant select (id, slug) on tenant to cupola_visitor;

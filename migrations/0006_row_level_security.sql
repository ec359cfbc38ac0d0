-- Every tenant table: forced, also for its owner. `cupola_tenant` sees the current tenant's rows,
-- `cupola_system` every row. A test walks the catalogue and fails on a table without this.
do $$
declare
    t text;
begin
    foreach t in array array[
        'membership', 'api_key', 'idempotency_key', 'dataset', 'dataset_version', 'job', 'attempt',
        'job_event', 'job_metric', 'job_log', 'model', 'model_version'
    ] loop
        execute format('alter table %I enable row level security', t);
        execute format('alter table %I force row level security', t);
        execute format(
            'create policy own_rows on %I to cupola_tenant
                 using (tenant_id = (select current_tenant()))
                 with check (tenant_id = (select current_tenant()))', t);
        execute format('create policy every_row on %I to cupola_system using (true) with check (true)', t);
    end loop;
end $$;

alter table tenant enable row level security;
alter table tenant force row level security;
create policy own_rows on tenant for select to cupola_tenant using (id = (select current_tenant()));
create policy every_row on tenant to cupola_system using (true) with check (true);

-- A colleague is whoever shares the current tenant.
alter table app_user enable row level security;
alter table app_user force row level security;
create policy own_rows on app_user for select to cupola_tenant using (
    exists (select from membership m where m.user_id = app_user.id and m.tenant_id = (select current_tenant())));
create policy every_row on app_user to cupola_system using (true) with check (true);

-- What is public can be read by every tenant: the model, its versions, and who publishes it.
create policy public_rows on model for select to cupola_tenant using (visibility = 'public');
create policy public_rows on model_version for select to cupola_tenant using (
    exists (select from model m where m.id = model_version.model_id and m.visibility = 'public'));
create policy publishers on tenant for select to cupola_tenant using (
    exists (select from model m where m.tenant_id = tenant.id and m.visibility = 'public'));

grant select on tenant, app_user to cupola_tenant;
grant select, update, delete on membership to cupola_tenant;
grant select, update on api_key to cupola_tenant;
grant select, insert on idempotency_key, dataset, dataset_version, job_event to cupola_tenant;
grant select, insert, update on job, model to cupola_tenant;
grant select on attempt, job_metric, job_log, model_version to cupola_tenant;

grant select, insert, update, delete on all tables in schema public to cupola_system;
revoke all on _sqlx_migrations from cupola_system;

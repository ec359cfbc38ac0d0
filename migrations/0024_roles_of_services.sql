-- Each service logs in as itself, and takes for its system work a role that may do what its own statements do and
-- no more. A test has the list (services/store/tests/store/grants.rs).
--
-- cupola_gateway    may take cupola_tenant and cupola_as_gateway
-- cupola_scheduler  may take cupola_as_scheduler
-- cupola_worker     may take cupola_as_worker
-- cupola_app        may take all of them: for `cupola up` with a database of one's own, and for services that
--                   have not been given a login of their own yet
--
-- `cupola_system`, which could do all that these can together, stays for services of the release before this one.
-- The next release drops it; nothing new is granted to it.
do $$
declare
    service text;
begin
    foreach service in array array['gateway', 'scheduler', 'worker'] loop
        if not exists (select from pg_roles where rolname = 'cupola_' || service) then
            execute format('create role %I login noinherit nobypassrls', 'cupola_' || service);
        end if;
        if not exists (select from pg_roles where rolname = 'cupola_as_' || service) then
            execute format('create role %I nologin nobypassrls', 'cupola_as_' || service);
        end if;
    end loop;
exception when duplicate_object or unique_violation then
    -- another database of this cluster was migrated at the same moment
    null;
end $$;

grant cupola_tenant, cupola_as_gateway to cupola_gateway;
grant cupola_as_scheduler to cupola_scheduler;
grant cupola_as_worker to cupola_worker;
grant cupola_as_gateway, cupola_as_scheduler, cupola_as_worker to cupola_app;
grant usage on schema public to cupola_as_gateway, cupola_as_scheduler, cupola_as_worker;

-- Of the tables that they may touch at all they see every row.
do $$
declare
    name text;
begin
    for name in select tablename from pg_policies where schemaname = 'public' and policyname = 'every_row' loop
        execute format('alter policy every_row on %I
            to cupola_system, cupola_as_gateway, cupola_as_scheduler, cupola_as_worker', name);
    end loop;
end $$;
create or replace procedure close_to_other_tenants(name text) language plpgsql as $$
begin
    execute format('alter table %I enable row level security', name);
    execute format('alter table %I force row level security', name);
    execute format(
        'create policy own_rows on %I to cupola_tenant
             using (tenant_id = (select current_tenant()))
             with check (tenant_id = (select current_tenant()))', name);
    execute format(
        'create policy every_row on %I to cupola_as_gateway, cupola_as_scheduler, cupola_as_worker
             using (true) with check (true)', name);
end $$;

-- Who may end a job runs the statement that also assigns jobs, and so may name `attempt`; the scheduler alone
-- adds rows to it.
alter policy every_row on attempt to cupola_system, cupola_as_scheduler;
create policy rows_that_are_there on attempt for select to cupola_as_gateway, cupola_as_worker using (true);
create policy changed_rows on attempt for update to cupola_as_gateway, cupola_as_worker using (true);

-- What every transition of a job does, whoever tells of it.
grant select, insert, update (ended_at, outcome, cause, millis, paid_millis, micro_credits, accelerator_ms)
    on attempt to cupola_as_gateway, cupola_as_scheduler, cupola_as_worker;
grant select on job_dependency to cupola_as_gateway, cupola_as_scheduler, cupola_as_worker;
grant insert on change, job_event, queue_change to cupola_as_gateway, cupola_as_scheduler, cupola_as_worker;
grant select, update (left_at) on seat to cupola_as_gateway, cupola_as_scheduler, cupola_as_worker;
grant update (spent_micro_credits, spent_accelerator_ms)
    on budget to cupola_as_gateway, cupola_as_scheduler, cupola_as_worker;
grant select (dataset_id, number, profile), update (problem)
    on dataset_version to cupola_as_gateway, cupola_as_scheduler, cupola_as_worker;
grant
    select (id, tenant_id, kind, dataset_id, dataset_version, status, attempt, tries, not_before, worker_id, devices,
        workers, cpu_milli, memory_bytes, accelerator_milli, max_runtime, blocked, cause, stop_reason, preempted_for,
        rate_micro_credits, rate_accelerator_milli, assigned_at, saved_at, deadline, started_at, finished_at, last_event),
    update (status, attempt, tries, not_before, worker_id, devices, blocked, cause, stop_reason, preempted_for,
        wait_reason, rate_micro_credits, rate_accelerator_milli, assigned_at, saved_at, deadline, started_at,
        finished_at, last_event)
    on job to cupola_as_gateway, cupola_as_scheduler, cupola_as_worker;

-- The scheduler: who leads, what has changed, and everything that a plan is made of. Of a tenant's datasets and
-- models it sees how large they are, once an hour, and of its jobs not what they are to do.
grant select, insert, update (holder, term, until) on leader to cupola_as_scheduler;
grant select on change to cupola_as_scheduler;
grant select, truncate on change_0, change_1, change_2, change_3 to cupola_as_scheduler;
grant select (pool_id, priority, created_at, concurrency_key, concurrency_limit, wait_reason)
    on job to cupola_as_scheduler;
grant insert on seat to cupola_as_scheduler;
grant select on worker, pool, quota, budget to cupola_as_scheduler;
grant update (state, heartbeat_at) on worker to cupola_as_scheduler;
grant select (id, max_running_jobs, max_queued_jobs, closed_at) on tenant to cupola_as_scheduler;
grant select, insert, update (average) on usage_average to cupola_as_scheduler;
grant select, update (unfinished, live, horizon, counted_at) on queue_bound to cupola_as_scheduler;
grant select, delete on queue_change to cupola_as_scheduler;
grant select (tenant_id, bytes) on dataset_version to cupola_as_scheduler;
grant select (tenant_id, bytes, state) on model_version to cupola_as_scheduler;
grant insert on storage_usage to cupola_as_scheduler;

-- A worker: what attempts are to do, what becomes of them, and the keys that tenants' bytes are under.
grant select, insert, update (state, heartbeat_at) on worker to cupola_as_worker;
grant select (id, name) on pool to cupola_as_worker;
grant
    select (spec, step, checkpoint_path, checkpoint_step),
    update (step, total_steps, checkpoint_path, checkpoint_step)
    on job to cupola_as_worker;
grant update (started_at, resumed_from_step) on attempt to cupola_as_worker;
grant update (started_at) on seat to cupola_as_worker;
grant select (job_id, name, step, value), insert, update (value, at) on job_metric to cupola_as_worker;
grant insert on job_log to cupola_as_worker;
grant select (sha256, bytes, format, compression, problem), update (profile) on dataset_version to cupola_as_worker;
grant select (id, tenant_id, name, licence), insert (id, tenant_id, name), update (name) on model to cupola_as_worker;
grant
    select (model_id, number, job_id),
    insert (model_id, number, tenant_id, job_id, attempt, weights_sha256, weights_bytes, config_sha256, config, metrics,
        dataset_id, dataset_version, dataset_sha256, files, bytes, licence, state, base_model_id, base_number)
    on model_version to cupola_as_worker;
grant select (tenant_id, spent_micro_credits, spent_accelerator_ms) on budget to cupola_as_worker;
grant select, insert on tenant_key to cupola_as_worker;

-- The gateway, where no tenant is named: who somebody is, what operators do, the audit log, and secrets.
grant select, insert, update (email, password_hash, platform_role) on app_user to cupola_as_gateway;
grant select, insert on membership to cupola_as_gateway;
grant select, insert, update (expires_at, revoked_at, last_used_at) on api_key to cupola_as_gateway;
grant select, insert, update (expires_at, last_used_at, ended_at), delete on session to cupola_as_gateway;
grant select, insert, update (used_at) on refresh_token to cupola_as_gateway;
grant select, insert, update (accepted_at, revoked_at) on invitation to cupola_as_gateway;
grant select, insert, update (used_at) on password_reset to cupola_as_gateway;
grant select, insert, update (private_pem, master, wrapped), delete on signing_key to cupola_as_gateway;
grant select, insert, update (master, wrapped, destroyed_at) on tenant_key to cupola_as_gateway;
grant select, insert, update (place, hash) on audit_record to cupola_as_gateway;
grant select, insert, update (place, hash) on audit_head to cupola_as_gateway;
grant select, insert, update (max_running_jobs, max_queued_jobs, max_storage_bytes, closed_at)
    on tenant to cupola_as_gateway;
grant select (tenant_id), update (unfinished) on queue_bound to cupola_as_gateway;
grant select, insert, update (cpu_hour_price, gib_hour_price, accelerator_hour_price) on pool to cupola_as_gateway;
grant select, insert, delete on quota to cupola_as_gateway;
grant update (guaranteed_cpu_milli, guaranteed_memory_bytes, guaranteed_accelerator_milli, limit_cpu_milli,
        limit_memory_bytes, limit_accelerator_milli, weight, cohort, max_running, max_queued, max_job_cpu_milli,
        max_job_memory_bytes, max_job_accelerator_milli)
    on quota to cupola_as_gateway;
grant select, insert, update (granted_micro_credits, granted_accelerator_ms), delete on budget to cupola_as_gateway;
grant select, update (state) on worker to cupola_as_gateway;
grant select on usage_average, storage_usage to cupola_as_gateway;
grant select (pool_id, priority, created_at, concurrency_key, concurrency_limit) on job to cupola_as_gateway;
grant select (id, tenant_id, paused, next_at) on schedule to cupola_as_gateway;
-- It seals every tenant's versions: what a manifest says, and the names in it.
grant select, update (files, bytes, revision, manifest) on model_version to cupola_as_gateway;
grant select (id, name) on model to cupola_as_gateway;
grant select (id, name) on dataset to cupola_as_gateway;
grant select (model_id, alias, number) on model_alias to cupola_as_gateway;
grant select (model_id, with_tenant_id) on model_share to cupola_as_gateway;

-- Nor may work in a tenant's name do more than it does: a key's digest stays where it is, and a row that is changed
-- stays what it is.
revoke select, update on api_key from cupola_tenant;
grant
    select (id, tenant_id, user_id, name, prefix, created_at, expires_at, revoked_at, last_used_at, scopes,
        allowed_addresses),
    update (revoked_at)
    on api_key to cupola_tenant;
revoke update on membership, schedule, job, queue_bound, model, model_alias, model_share from cupola_tenant;
revoke select on seat, usage_average from cupola_tenant;
grant update (role) on membership to cupola_tenant;
grant update (name, visibility, description, card, licence, tags) on model to cupola_tenant;
grant update (number, changed_at) on model_alias to cupola_tenant;
grant update (paused, next_at, last_at, last_job, problem) on schedule to cupola_tenant;
grant update (unfinished, live, horizon, counted_at) on queue_bound to cupola_tenant;
grant update (status, attempt, tries, not_before, worker_id, devices, blocked, cause, stop_reason, preempted_for,
        wait_reason, rate_micro_credits, rate_accelerator_milli, assigned_at, saved_at, deadline, started_at,
        finished_at, last_event)
    on job to cupola_tenant;

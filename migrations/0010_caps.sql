-- Caps of a quota, prices and budgets, what each attempt cost, and concurrency keys.

alter table quota
    -- null: no cap
    add column max_running int check (max_running >= 0),
    add column max_queued int check (max_queued >= 0),
    add column max_job_cpu_milli bigint check (max_job_cpu_milli >= 0),
    add column max_job_memory_bytes bigint check (max_job_memory_bytes >= 0),
    add column max_job_accelerator_milli bigint check (max_job_accelerator_milli >= 0);

-- millionths of a credit for an hour
alter table pool
    add column cpu_hour_price bigint not null default 0 check (cpu_hour_price >= 0),
    add column gib_hour_price bigint not null default 0 check (gib_hour_price >= 0),
    add column accelerator_hour_price bigint not null default 0 check (accelerator_hour_price >= 0);

-- What a tenant may spend, from `since` on. What it has spent grows in the transaction that ends an
-- attempt, by what that attempt's row says. Without a row: no limit, and nothing is counted here.
create table budget (
    tenant_id              uuid primary key references tenant,
    since                  timestamptz not null default now(),
    -- null: no limit
    granted_micro_credits  bigint check (granted_micro_credits >= 0),
    granted_accelerator_ms bigint check (granted_accelerator_ms >= 0),
    spent_micro_credits    bigint not null default 0 check (spent_micro_credits >= 0),
    spent_accelerator_ms   bigint not null default 0 check (spent_accelerator_ms >= 0)
) with (fillfactor = 50);

-- What a tenant's files took, looked at once an hour.
create table storage_usage (
    tenant_id uuid not null references tenant,
    hour      timestamptz not null,
    bytes     bigint not null check (bytes >= 0),
    primary key (tenant_id, hour)
);

-- What every table with a `tenant_id` has: its own rows for a tenant, all of them for the system.
create procedure close_to_other_tenants(name text) language plpgsql as $$
begin
    execute format('alter table %I enable row level security', name);
    execute format('alter table %I force row level security', name);
    execute format(
        'create policy own_rows on %I to cupola_tenant
             using (tenant_id = (select current_tenant()))
             with check (tenant_id = (select current_tenant()))', name);
    execute format('create policy every_row on %I to cupola_system using (true) with check (true)', name);
end $$;
revoke all on procedure close_to_other_tenants from public;

call close_to_other_tenants('budget');
call close_to_other_tenants('storage_usage');
grant select on budget, storage_usage to cupola_tenant;
grant select, insert, update, delete on budget to cupola_system;
grant select, insert on storage_usage to cupola_system;

alter table job
    -- the live attempt's price, as it was when it began
    add column rate_micro_credits bigint not null default 0 check (rate_micro_credits >= 0),
    add column rate_accelerator_milli bigint not null default 0 check (rate_accelerator_milli >= 0),
    add column concurrency_key text check (length(concurrency_key) between 1 and 100),
    add column concurrency_limit int check (concurrency_limit > 0),
    add constraint concurrency_is_whole
        check ((concurrency_key is null) = (concurrency_limit is null));

-- An attempt's row is the record of what it used, written when it ends and never again: from being
-- assigned to its end, but no longer than its `max_runtime`; and of that, what its tenant pays for.
alter table attempt
    add column millis         bigint check (millis >= 0),
    add column paid_millis    bigint check (paid_millis between 0 and millis),
    add column micro_credits  bigint check (micro_credits >= 0),
    add column accelerator_ms bigint check (accelerator_ms >= 0);
drop index attempt_tenant;
create index attempt_of_tenant on attempt (tenant_id, ended_at);

alter table change
    drop constraint change_kind_check,
    add constraint change_kind_check check (kind in ('job', 'worker', 'tenant', 'quota', 'pool'));

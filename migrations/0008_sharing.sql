-- Pools, quotas, and what the scheduler needs to follow changes instead of reading everything again.

-- A pool is a kind of capacity: workers join one, and a job is submitted to one.
create table pool (
    id          uuid primary key,
    name        text not null unique,
    -- the kind of accelerator that its workers have, if any
    accelerator text,
    created_at  timestamptz not null default now()
);
-- where everything is until an operator says otherwise
insert into pool (id, name) values ('00000000-0000-7000-8000-000000000001', 'default');

-- What a tenant may use of a pool. Without a row: nothing guaranteed, no limit, weight 1.
create table quota (
    tenant_id uuid not null references tenant,
    pool_id   uuid not null references pool,
    guaranteed_cpu_milli         bigint not null default 0 check (guaranteed_cpu_milli >= 0),
    guaranteed_memory_bytes      bigint not null default 0 check (guaranteed_memory_bytes >= 0),
    guaranteed_accelerator_milli bigint not null default 0 check (guaranteed_accelerator_milli >= 0),
    -- guaranteed and borrowed together; null: no limit
    limit_cpu_milli         bigint check (limit_cpu_milli >= 0),
    limit_memory_bytes      bigint check (limit_memory_bytes >= 0),
    limit_accelerator_milli bigint check (limit_accelerator_milli >= 0),
    weight    int not null default 1 check (weight between 0 and 1000000),
    cohort    text check (length(cohort) between 1 and 100),
    primary key (tenant_id, pool_id)
);

-- Each tenant's decayed share of each pool, so that a new leader begins where the last one ended.
create table usage_average (
    tenant_id uuid not null references tenant,
    pool_id   uuid not null references pool,
    average   double precision not null check (average >= 0),
    primary key (tenant_id, pool_id)
);

do $$
declare
    t text;
begin
    foreach t in array array['quota', 'usage_average'] loop
        execute format('alter table %I enable row level security', t);
        execute format('alter table %I force row level security', t);
        execute format(
            'create policy own_rows on %I to cupola_tenant
                 using (tenant_id = (select current_tenant()))
                 with check (tenant_id = (select current_tenant()))', t);
        execute format('create policy every_row on %I to cupola_system using (true) with check (true)', t);
    end loop;
end $$;
grant select on pool, quota, usage_average to cupola_tenant;
grant select, insert, update, delete on pool, quota, usage_average to cupola_system;

alter table worker
    add column pool_id uuid not null default '00000000-0000-7000-8000-000000000001' references pool,
    add column accelerators int not null default 0 check (accelerators between 0 and 64),
    drop constraint worker_state_check,
    -- up and cordoned by itself or an operator; gone once it left or was silent for a lease
    add constraint worker_state_check check (state in ('up', 'cordoned', 'draining', 'gone'));

-- A lease is the worker's, renewed by its heartbeat: one row a worker, however many jobs it runs.
alter table job drop constraint live_has_a_worker;
drop index job_waiting, job_live;
alter table job
    drop column lease_until,
    add column pool_id uuid not null default '00000000-0000-7000-8000-000000000001' references pool,
    add column accelerator_milli int not null default 0 check (accelerator_milli >= 0),
    -- the live attempt's: a set of the worker's accelerators, when it was given the job, and until when
    -- its work is kept if it is stopped
    add column devices bigint not null default 0,
    add column assigned_at timestamptz,
    add column saved_at timestamptz,
    -- the job for which it is being stopped
    add column preempted_for uuid,
    add constraint live_has_a_worker check (
        (status in ('starting', 'running', 'stopping')) =
        (worker_id is not null and assigned_at is not null and saved_at is not null
         and deadline is not null));
-- The scheduler reads this once, when it begins to lead. No column that changes while a job lives is in
-- an index, so that its updates stay in their page (HOT) and its last one alone touches an index.
create index job_unfinished on job (tenant_id, id) where finished_at is null;
create index attempt_live on attempt (worker_id) where ended_at is null;

-- What has changed, for the scheduler to look at: a hint with the writing transaction's number, by which
-- a reader misses none, in whatever order they commit. Rows are never updated or deleted: the part of
-- two minutes ago is emptied as a whole, so no reader's open snapshot can make it grow.
create table change (
    number bigint generated always as identity,
    xid    xid8 not null default pg_current_xact_id(),
    part   smallint not null default ((extract(epoch from now())::bigint / 60) % 4)::smallint,
    kind   text not null check (kind in ('job', 'worker', 'tenant', 'quota')),
    id     uuid not null
) partition by list (part);
create table change_0 partition of change for values in (0);
create table change_1 partition of change for values in (1);
create table change_2 partition of change for values in (2);
create table change_3 partition of change for values in (3);
create index change_xid on change (xid);
grant insert on change to cupola_tenant;
grant select, insert on change to cupola_system;
grant truncate on change_0, change_1, change_2, change_3 to cupola_system;
grant select on change_0, change_1, change_2, change_3 to cupola_system;

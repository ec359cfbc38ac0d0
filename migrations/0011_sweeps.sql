-- One specification at many points, and trainings that are submitted by the clock.

create table sweep (
    id           uuid primary key,
    tenant_id    uuid not null references tenant,
    name         text not null,
    submitted_by uuid references app_user,
    -- how many of its jobs run at once
    parallelism  int not null check (parallelism > 0),
    -- what is looked at to find the best of them, and whether less of it is better
    metric       text not null,
    minimize     boolean not null,
    created_at   timestamptz not null default now()
);
create index sweep_of_tenant on sweep (tenant_id, id desc);

alter table job
    add column sweep_id uuid references sweep,
    -- the values that differ from its sweep's specification
    add column point jsonb,
    add constraint point_of_a_sweep check ((sweep_id is null) = (point is null));
create index job_of_sweep on job (sweep_id) where sweep_id is not null;

-- A training that is submitted whenever its time has come. All times are UTC.
create table schedule (
    id         uuid primary key,
    tenant_id  uuid not null references tenant,
    name       text not null,
    created_by uuid not null references app_user,
    cron       text not null,
    draft      jsonb not null,
    -- whether a run is left out while the one before has not ended
    skip_overlap boolean not null,
    paused     boolean not null default false,
    next_at    timestamptz not null,
    last_at    timestamptz,
    last_job   uuid references job,
    -- why the last run was not submitted
    problem    text,
    created_at timestamptz not null default now(),
    unique (tenant_id, name)
);
create index schedule_due on schedule (next_at) where not paused;

call close_to_other_tenants('sweep');
call close_to_other_tenants('schedule');
grant select, insert on sweep to cupola_tenant;
grant select, insert, update, delete on schedule to cupola_tenant;
grant select, insert, update, delete on sweep, schedule to cupola_system;

-- A tenant that is closed submits and runs nothing more; what it has stays until it is purged.
alter table tenant add column closed_at timestamptz;

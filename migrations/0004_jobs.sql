create table worker (
    id           uuid primary key,
    -- one process at a time speaks under a name; a newer one with it replaces the older
    name         text not null,
    cpu_milli    int not null check (cpu_milli > 0),
    memory_bytes bigint not null check (memory_bytes > 0),
    state        text not null default 'up' check (state in ('up', 'draining', 'gone')),
    registered_at timestamptz not null default now(),
    heartbeat_at timestamptz not null default now()
);
create unique index worker_name on worker (name) where state <> 'gone';

create table job (
    id           uuid primary key,
    tenant_id    uuid not null references tenant,
    kind         text not null check (kind in ('profile', 'train')),
    name         text not null,
    submitted_by uuid references app_user,
    dataset_id   uuid not null,
    dataset_version int not null,
    -- the resolved specification; a profile job has none
    spec         jsonb,
    priority     int not null default 0,
    cpu_milli    int not null check (cpu_milli > 0),
    memory_bytes bigint not null check (memory_bytes > 0),
    max_runtime  bigint not null check (max_runtime > 0),
    status       text not null default 'queued' check (status in
                     ('queued', 'starting', 'running', 'stopping', 'succeeded', 'failed', 'cancelled')),
    -- attempts so far; the current attempt's number while one is live
    attempt      int not null default 0,
    -- of these, the ones that failed or were lost
    tries        int not null default 0,
    not_before   timestamptz not null default now(),
    -- the live attempt's
    worker_id    uuid references worker,
    lease_until  timestamptz,
    deadline     timestamptz,
    stop_reason  text check (stop_reason in ('cancelled', 'preempted')),
    -- why it failed last, or for good
    cause        jsonb,
    -- why it waits, as of the last plan
    wait_reason  jsonb,
    -- the newest checkpoint: where its bytes are and which step they continue from
    checkpoint_path text,
    checkpoint_step bigint,
    step         bigint,
    total_steps  bigint,
    -- number of the newest event
    last_event   bigint not null default 0,
    created_at   timestamptz not null default now(),
    started_at   timestamptz,
    finished_at  timestamptz,
    foreign key (dataset_id, dataset_version) references dataset_version,
    constraint spec_for_training check ((kind = 'train') = (spec is not null)),
    constraint live_has_a_worker check (
        (status in ('starting', 'running', 'stopping')) =
        (worker_id is not null and lease_until is not null and deadline is not null)),
    constraint stopping_has_a_reason check ((status = 'stopping') = (stop_reason is not null)),
    constraint final_has_a_time check (
        (status in ('succeeded', 'failed', 'cancelled')) = (finished_at is not null)),
    constraint failed_has_a_cause check (status <> 'failed' or cause is not null)
)
-- leases and progress are written often: leave room for updates in place
with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

-- the queue: what waits and what is live, however much has ended
create index job_waiting on job (tenant_id, priority desc, created_at, id) where status = 'queued';
create index job_live on job (worker_id) where status in ('starting', 'running', 'stopping');
create index job_of_tenant on job (tenant_id, id desc);

-- One row per attempt that was started; what each used and how it ended.
create table attempt (
    job_id     uuid not null references job,
    number     int not null check (number > 0),
    tenant_id  uuid not null references tenant,
    worker_id  uuid not null references worker,
    assigned_at timestamptz not null default now(),
    started_at timestamptz,
    ended_at   timestamptz,
    -- succeeded, failed, stopped or lost
    outcome    text check (outcome in ('succeeded', 'failed', 'stopped', 'lost')),
    cause      jsonb,
    resumed_from_step bigint,
    primary key (job_id, number),
    check ((ended_at is null) = (outcome is null))
);
create unique index one_live_attempt on attempt (job_id) where ended_at is null;
create index attempt_tenant on attempt (tenant_id);

-- What happened to a job, numbered without gaps under the job's row lock: a reader that has seen
-- event n misses nothing by asking for those after n.
create table job_event (
    job_id    uuid not null references job,
    number    bigint not null,
    tenant_id uuid not null references tenant,
    at        timestamptz not null default now(),
    kind      text not null,
    data      jsonb not null,
    primary key (job_id, number)
);
create index job_event_tenant on job_event (tenant_id);

-- One value of one metric at one step. An attempt that repeats steps writes the same values again.
create table job_metric (
    job_id    uuid not null references job,
    name      text not null,
    step      bigint not null,
    tenant_id uuid not null references tenant,
    epoch     int not null,
    value     double precision not null,
    at        timestamptz not null default now(),
    primary key (job_id, name, step)
);
create index job_metric_tenant on job_metric (tenant_id);

create table job_log (
    job_id    uuid not null references job,
    attempt   int not null,
    line_no   bigint not null,
    tenant_id uuid not null references tenant,
    at        timestamptz not null default now(),
    line      text not null,
    primary key (job_id, attempt, line_no)
);
create index job_log_tenant on job_log (tenant_id);

-- Who leads, until when, in the database's time. `term` grows with every change of leader.
create table leader (
    name   text primary key,
    holder uuid not null,
    term   bigint not null,
    until  timestamptz not null
);

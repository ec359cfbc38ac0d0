-- What keeps a waiting job from starting, besides room: its owner's pause, and other jobs that it waits for.

alter table job
    drop constraint job_status_check,
    add constraint job_status_check check (status in
        ('queued', 'paused', 'starting', 'running', 'stopping', 'succeeded', 'failed', 'cancelled')),
    drop constraint job_stop_reason_check,
    add constraint job_stop_reason_check check (stop_reason in ('cancelled', 'preempted', 'paused')),
    -- it waits for others to end
    add column blocked boolean not null default false;

-- What a job waits for. A job can only wait for one that is there already, so there are no circles.
create table job_dependency (
    job_id    uuid not null references job,
    on_job_id uuid not null references job,
    tenant_id uuid not null references tenant,
    condition text not null check (condition in ('success', 'failure', 'any')),
    primary key (job_id, on_job_id)
);
create index job_dependency_on on job_dependency (on_job_id);
create index job_dependency_tenant on job_dependency (tenant_id);

alter table job_dependency enable row level security;
alter table job_dependency force row level security;
create policy own_rows on job_dependency to cupola_tenant
    using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy every_row on job_dependency to cupola_system using (true) with check (true);
grant select, insert on job_dependency to cupola_tenant;
grant select, insert, update, delete on job_dependency to cupola_system;

-- Jobs of several workers. They start together or not at all, and their attempt is one: `worker_id` and
-- `devices` of the job and of the attempt are those of rank 0, which speaks for it.

alter table job
    -- each of them has the job's resources
    add column workers int not null default 1 check (workers between 1 and 64);

-- Where the workers of such an attempt are: a row for each, rank 0 included. Attempts of one worker have
-- none. A seat is taken until its process has ended, which may be later than its attempt: others of the
-- attempt may have failed, or their worker may be lost.
create table seat (
    job_id     uuid not null,
    number     int not null,
    rank       int not null check (rank between 0 and 63),
    tenant_id  uuid not null,
    worker_id  uuid not null references worker,
    devices    bigint not null default 0,
    -- its process is up; of rank 0 the attempt's row says that
    started_at timestamptz,
    -- and has ended
    left_at    timestamptz,
    primary key (job_id, number, rank),
    foreign key (job_id, number) references attempt
);
create index seat_taken on seat (worker_id) where left_at is null;

call close_to_other_tenants('seat');
grant select on seat to cupola_tenant;
grant select, insert, update, delete on seat to cupola_system;

-- How many of a tenant's jobs wait is known without counting them. `queue_bound.unfinished` grows with each
-- submission, under its row's lock; whoever lets jobs start, end or come back says so in a row of its own,
-- without a lock. The two together are exact in each snapshot.
alter table queue_bound
    -- of the unfinished
    add column live bigint not null default 0,
    -- What transactions before this one have changed is in the numbers already. Null: they have to be
    -- counted first.
    add column horizon xid8,
    add column counted_at timestamptz not null default now();
-- who has no row from here on has submitted nothing yet
insert into queue_bound (tenant_id, unfinished) select id, 0 from tenant on conflict do nothing;

-- Rows are read from a tenant's horizon on and deleted by the leader once they are behind it, so what a
-- reader's open snapshot keeps of them is not walked over. (A scheduler of an earlier release says nothing
-- here: a queue that is at its limit is counted anew from time to time.)
create table queue_change (
    tenant_id uuid not null,
    xid       xid8 not null default pg_current_xact_id(),
    -- jobs that have ended, and how many more are live than before
    ended     int  not null check (ended >= 0),
    live      int  not null
)
with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);
create index queue_change_since on queue_change (tenant_id, xid);

call close_to_other_tenants('queue_change');
grant select, insert on queue_change to cupola_tenant;
grant select, insert, delete on queue_change to cupola_system;

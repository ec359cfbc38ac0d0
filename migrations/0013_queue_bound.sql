-- Of each tenant, no fewer than its trainings that have not ended: each submission adds what it submits,
-- and nothing takes away what has ended, so that it cannot fall behind the truth. While it is within the
-- tenant's limit of waiting jobs there is room without counting them; beyond it they are counted, and it is
-- set right. (A gateway of an earlier release does not add: while one still submits, the limit is not exact.)
-- Its row is also the lock that lets a tenant's submissions pass one at a time.
create table queue_bound (
    tenant_id  uuid primary key references tenant,
    unfinished bigint not null
)
-- one small row for each tenant, written with each submission: updated in its page
with (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);

call close_to_other_tenants('queue_bound');
grant select, insert, update on queue_bound to cupola_tenant;
grant select, insert, update, delete on queue_bound to cupola_system;

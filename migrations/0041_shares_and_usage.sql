-- How each pool was shared, minute by minute, for those who run the platform. Rows are merged as they get old and
-- go after some time (services/store/src/sharing.rs says when), so that there is an end to them.

-- What all tenants together had, and what there was. Sums over the moments looked at, so that merging rows is adding
-- them, and a minute that nobody looked at is no zero.
create table pool_history (
    pool_id   uuid not null references pool,
    -- that the row is for
    minutes   int not null check (minutes in (1, 10, 60)),
    at        timestamptz not null,
    moments   int not null check (moments > 0),
    cpu_milli bigint not null,
    accelerator_milli bigint not null,
    guaranteed_cpu_milli bigint not null,
    borrowed_cpu_milli   bigint not null,
    guaranteed_accelerator_milli bigint not null,
    borrowed_accelerator_milli   bigint not null,
    primary key (pool_id, minutes, at)
);
create index pool_history_at on pool_history (minutes, at);

-- The same of those tenants that had most at each moment.
create table share_history (
    pool_id   uuid not null references pool,
    minutes   int not null check (minutes in (1, 10, 60)),
    at        timestamptz not null,
    tenant_id uuid not null references tenant,
    guaranteed_cpu_milli bigint not null,
    borrowed_cpu_milli   bigint not null,
    guaranteed_accelerator_milli bigint not null,
    borrowed_accelerator_milli   bigint not null,
    primary key (pool_id, minutes, at, tenant_id)
);
create index share_history_at on share_history (minutes, at);
create index share_history_tenant on share_history (tenant_id);

call close_to_other_tenants('share_history');
grant select on pool_history, share_history to cupola_as_gateway;
grant select, insert, delete,
      update (moments, cpu_milli, accelerator_milli, guaranteed_cpu_milli, borrowed_cpu_milli,
              guaranteed_accelerator_milli, borrowed_accelerator_milli)
    on pool_history to cupola_as_scheduler;
grant select, insert, delete,
      update (guaranteed_cpu_milli, borrowed_cpu_milli, guaranteed_accelerator_milli, borrowed_accelerator_milli)
    on share_history to cupola_as_scheduler;

-- What a tenant has used in a month is summed up over its attempts and what their jobs asked for, which is found here
-- without reading the jobs, whose rows are wide. None of these columns ever changes. It takes the place of the index
-- of the same order.
create index job_of_tenant_sized on job (tenant_id, id desc)
    include (pool_id, cpu_milli, memory_bytes, accelerator_milli, workers);
drop index job_of_tenant;

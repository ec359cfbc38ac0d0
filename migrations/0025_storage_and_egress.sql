-- What a tenant stores includes its models, and what it downloads has an end each month.

alter table tenant
    -- of files, in a month of UTC
    add column max_egress_bytes bigint not null default 1099511627776 check (max_egress_bytes >= 0);

-- What a tenant's people and keys have downloaded of files in each hour: sums that every gateway adds to once a
-- second. What a download was counted for and did not send comes off the hour that it began in.
create table egress_usage (
    tenant_id uuid not null references tenant,
    hour      timestamptz not null,
    bytes     bigint not null,
    primary key (tenant_id, hour)
) with (fillfactor = 50);
call close_to_other_tenants('egress_usage');
grant select on egress_usage to cupola_tenant;
grant select, insert, update (bytes) on egress_usage to cupola_as_gateway;
grant update (max_egress_bytes) on tenant to cupola_as_gateway;

-- How much that is, is looked at whenever something is to be taken: what there was at an hour, and what has come since.
create index dataset_version_of_tenant on dataset_version (tenant_id, created_at);
drop index dataset_version_tenant;
create index model_version_of_tenant on model_version (tenant_id, created_at);
drop index model_version_tenant;

-- What several versions have counts once: the scheduler, who notes it each hour, sees digests.
grant select (files) on model_version to cupola_as_scheduler;
revoke select (bytes) on model_version from cupola_as_scheduler;

-- What tenants have asked of models: only ever added to, by every gateway, some seconds in one row. The id is the
-- gateway's: the same row once more is no second one. A model that is another tenant's may go; what it was asked stays.

create table prediction_usage (
    id        uuid primary key,
    -- who called
    tenant_id uuid not null references tenant,
    model_id  uuid not null,
    number    int not null,
    at        timestamptz not null,
    requests  bigint not null check (requests >= 0),
    rows      bigint not null check (rows >= 0),
    tokens    bigint not null check (tokens >= 0),
    micros    bigint not null check (micros >= 0)
);
call close_to_other_tenants('prediction_usage');
create index prediction_usage_of_tenant on prediction_usage (tenant_id, at);
grant select on prediction_usage to cupola_tenant;
grant select, insert on prediction_usage to cupola_as_gateway;

-- Endpoints: stable names whose calls are shared out among versions of models.

create table endpoint (
    id             uuid primary key,
    tenant_id      uuid not null references tenant,
    name           text not null,
    description    text not null default '' check (length(description) <= 2000),
    -- its versions stay in memory also while nobody calls
    keep_warm      boolean not null,
    max_concurrent int not null check (max_concurrent > 0),
    -- none: as many as the tenant's own limits let through
    per_second     int check (per_second > 0),
    -- which split is in force
    revision       int not null,
    created_at     timestamptz not null default now(),
    unique (tenant_id, name)
);

-- Each split that was ever in force; one is gone back to by making it the newest again.
create table endpoint_revision (
    endpoint_id uuid not null references endpoint on delete cascade,
    number      int not null,
    tenant_id   uuid not null references tenant,
    changed_by  uuid not null references app_user,
    created_at  timestamptz not null default now(),
    primary key (endpoint_id, number)
);
create index endpoint_revision_tenant on endpoint_revision (tenant_id);
create index endpoint_revision_user on endpoint_revision (changed_by);

-- What a split sends to, and what came of it; the gateways add to that about every second.
create table endpoint_target (
    endpoint_id   uuid not null,
    revision      int not null,
    place         smallint not null,
    tenant_id     uuid not null references tenant,
    model_id      uuid not null,
    version       int not null,
    -- of a shadow: of a hundred calls, how many it is given besides
    weight        int not null check (weight >= 0),
    is_shadow     boolean not null,
    requests      bigint not null default 0,
    errors        bigint not null default 0,
    rows_answered bigint not null default 0,
    -- answers of a shadow that were those of the version that answered the caller
    agreed        bigint not null default 0,
    micros        bigint not null default 0,
    primary key (endpoint_id, revision, place),
    foreign key (endpoint_id, revision) references endpoint_revision on delete cascade,
    foreign key (model_id, version) references model_version
) with (fillfactor = 70);
create index endpoint_target_tenant on endpoint_target (tenant_id);
create index endpoint_target_version on endpoint_target (model_id, version);

call close_to_other_tenants('endpoint');
call close_to_other_tenants('endpoint_revision');
call close_to_other_tenants('endpoint_target');
grant select, insert, update (description, keep_warm, max_concurrent, per_second, revision), delete
    on endpoint to cupola_tenant;
grant select, insert on endpoint_revision, endpoint_target to cupola_tenant;
grant select on endpoint to cupola_as_gateway;
grant select, update (requests, errors, rows_answered, agreed, micros) on endpoint_target to cupola_as_gateway;

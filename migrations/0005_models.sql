create table model (
    id         uuid primary key,
    tenant_id  uuid not null references tenant,
    name       text not null,
    visibility text not null default 'private' check (visibility in ('private', 'public')),
    created_at timestamptz not null default now(),
    unique (tenant_id, name)
);
create index model_public on model (id) where visibility = 'public';

create table model_version (
    model_id   uuid not null references model,
    number     int not null check (number > 0),
    tenant_id  uuid not null references tenant,
    -- a job publishes exactly one version
    job_id     uuid not null unique references job,
    attempt    int not null,
    weights_sha256 bytea not null check (length(weights_sha256) = 32),
    weights_bytes  bigint not null check (weights_bytes > 0),
    config_sha256  bytea not null check (length(config_sha256) = 32),
    config     jsonb not null,
    metrics    jsonb not null,
    -- lineage, by content
    dataset_id uuid not null,
    dataset_version int not null,
    dataset_sha256 bytea not null check (length(dataset_sha256) = 32),
    created_at timestamptz not null default now(),
    primary key (model_id, number),
    foreign key (dataset_id, dataset_version) references dataset_version
);
create index model_version_tenant on model_version (tenant_id);

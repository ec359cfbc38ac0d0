create table dataset (
    id         uuid primary key,
    tenant_id  uuid not null references tenant,
    name       text not null,
    created_at timestamptz not null default now(),
    unique (tenant_id, name)
);

-- A version is its content: pushing the same bytes again finds it instead of making another.
create table dataset_version (
    dataset_id  uuid not null references dataset,
    tenant_id   uuid not null references tenant,
    number      int not null check (number > 0),
    sha256      bytea not null check (length(sha256) = 32),
    bytes       bigint not null check (bytes > 0),
    format      text not null check (format in ('csv', 'tsv', 'jsonl')),
    compression text not null check (compression in ('none', 'gzip', 'zstd')),
    created_at  timestamptz not null default now(),
    -- made by a profile job: exactly one of the two once that job has ended well or badly
    profile     jsonb,
    problem     jsonb,
    primary key (dataset_id, number),
    unique (dataset_id, sha256, format),
    check (profile is null or problem is null)
);
create index dataset_version_tenant on dataset_version (tenant_id);

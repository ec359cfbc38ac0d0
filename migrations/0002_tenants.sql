create table tenant (
    id          uuid primary key,
    slug        text not null unique,
    name        text not null,
    -- hard limits, checked at submission and by the planner
    max_running_jobs int not null default 2 check (max_running_jobs >= 0),
    max_queued_jobs  int not null default 1000 check (max_queued_jobs >= 0),
    max_storage_bytes bigint not null default 107374182400 check (max_storage_bytes >= 0),
    created_at  timestamptz not null default now()
);

-- A person, known by e-mail address, who may belong to several tenants.
create table app_user (
    id          uuid primary key,
    email       text not null unique,
    name        text not null,
    is_operator boolean not null default false,
    created_at  timestamptz not null default now()
);

create table membership (
    tenant_id  uuid not null references tenant,
    user_id    uuid not null references app_user,
    role       text not null check (role in ('owner', 'member')),
    created_at timestamptz not null default now(),
    primary key (tenant_id, user_id)
);

-- Shown once when made; only its SHA-256 is kept (a key has 256 random bits, so no slow hash is needed).
create table api_key (
    id           uuid primary key,
    tenant_id    uuid references tenant,
    user_id      uuid not null references app_user,
    name         text not null,
    -- the first characters, by which people recognise a key
    prefix       text not null,
    sha256       bytea not null unique check (length(sha256) = 32),
    created_at   timestamptz not null default now(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz
);
create index api_key_tenant on api_key (tenant_id);

-- The keys that sign access tokens. Old ones stay until the last token they signed has expired.
create table signing_key (
    kid         text primary key,
    private_pem text not null,
    created_at  timestamptz not null default now()
);

-- What a request with an Idempotency-Key has made, for its repetition.
create table idempotency_key (
    tenant_id   uuid not null references tenant,
    key         text not null check (length(key) between 1 and 255),
    -- SHA-256 of route and body: the same key with another request is a mistake
    fingerprint bytea not null check (length(fingerprint) = 32),
    resource_id uuid not null,
    created_at  timestamptz not null default now(),
    primary key (tenant_id, key)
);

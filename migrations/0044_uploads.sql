-- A file on its way, in pieces: what has come of it stays when a connection breaks, and whoever sends it goes on from
-- there. Each piece is an object in the store; once all have come they become a version of a dataset, which the row
-- names until it goes.
create table upload (
    id          uuid primary key,
    tenant_id   uuid not null references tenant,
    dataset     text not null,
    format      text not null,
    compression text not null,
    bytes       bigint not null check (bytes > 0),
    -- by what its sender knows the file again
    fingerprint text not null check (length(fingerprint) between 1 and 400),
    -- what it has to be, where that was said
    sha256      bytea check (length(sha256) = 32),
    received    bigint not null default 0 check (received between 0 and bytes),
    -- in their order
    pieces      uuid[] not null default '{}',
    -- that it has become
    version     int check (version > 0),
    created_at  timestamptz not null,
    -- when something came last
    heard_at    timestamptz not null
);
-- the same file goes on with what has come of it
create unique index upload_of_file on upload (tenant_id, dataset, fingerprint, bytes, format, compression)
    where version is null;
create index upload_heard on upload (tenant_id, heard_at);

call close_to_other_tenants('upload');
grant select, insert, delete, update (received, pieces, version, heard_at) on upload to cupola_tenant;
-- what has not been heard of for long is cleared away
grant select (id, tenant_id, heard_at), delete on upload to cupola_as_gateway;

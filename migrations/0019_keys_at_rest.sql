-- What is encrypted at rest, and by what. Tenants' bytes are in the object store, under a key of each tenant,
-- which is here as a master key has wrapped it; the master key is not in the database.
create table tenant_key (
    tenant_id    uuid primary key references tenant,
    -- the name of the master key that has wrapped it
    master       text not null,
    -- null: destroyed, and what it had encrypted with it
    wrapped      bytea,
    destroyed_at timestamptz,
    created_at   timestamptz not null default now(),
    check ((wrapped is null) = (destroyed_at is not null))
);
call close_to_other_tenants('tenant_key');
grant select, insert, update on tenant_key to cupola_system;

-- a signing key is wrapped too, where there is a master key; one from before is in plain text
alter table signing_key
    alter column private_pem drop not null,
    add column master text,
    add column wrapped bytea,
    add constraint signing_key_is_kept_one_way check (
        (private_pem is null) = (wrapped is not null) and (master is null) = (wrapped is null));

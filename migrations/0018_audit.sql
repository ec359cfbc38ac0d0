-- Who did what, to which object, from where, with what result. Written in the transaction that does it, and
-- never changed: a sealer gives each record, once, its place and hash in the chain of its tenant, soon after
-- the commit, so that writers never wait for each other.
create table audit_record (
    -- '00000000-0000-0000-0000-000000000000' is the platform. Not looked up in `tenant`: who writes a record
    -- has just found the tenant there.
    tenant_id   uuid not null,
    id          uuid not null,
    at          timestamptz not null default now(),
    user_id     uuid,
    -- the credential: one of the two
    key_id      uuid,
    session_id  uuid,
    role        text,
    address     text,
    -- an operation of the API
    action      text not null,
    object_kind text,
    object_id   text,
    -- `done`, or the code of the refusal
    result      text not null,
    request_id  uuid,
    -- set by the sealer
    place       bigint check (place > 0),
    -- SHA-256 of the hash before and this record
    hash        bytea check (length(hash) = 32),
    primary key (tenant_id, id),
    constraint place_and_hash_together check ((place is null) = (hash is null))
);
create unique index audit_record_place on audit_record (tenant_id, place) where place is not null;
create index audit_record_unsealed on audit_record (at) where place is null;

-- The last place of each chain. Kept apart from the records, so that records which are missing at the end
-- are missed.
create table audit_head (
    tenant_id uuid primary key,
    place     bigint not null check (place > 0),
    hash      bytea not null check (length(hash) = 32)
) with (fillfactor = 50);

call close_to_other_tenants('audit_record');
call close_to_other_tenants('audit_head');
grant select, insert on audit_record to cupola_tenant, cupola_system;
grant update (place, hash) on audit_record to cupola_system;
grant select on audit_head to cupola_tenant;
grant select, insert, update on audit_head to cupola_system;

-- What the grants forbid to services, these forbid to everybody, but for an owner who takes them away first.
create function only_sealed_once() returns trigger language plpgsql as $$
declare
    sealed audit_record;
begin
    if tg_op = 'UPDATE' and old.place is null and new.place is not null then
        sealed := old;
        sealed.place := new.place;
        sealed.hash := new.hash;
        if new is not distinct from sealed then
            return new;
        end if;
    end if;
    raise insufficient_privilege using message = 'the audit log is append-only';
end $$;
create trigger only_sealed_once before update or delete on audit_record
    for each row execute function only_sealed_once();

create function only_forward() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and new.tenant_id = old.tenant_id and new.place > old.place then
        return new;
    end if;
    raise insufficient_privilege using message = 'the head of an audit log only moves on';
end $$;
create trigger only_forward before update or delete on audit_head
    for each row execute function only_forward();

create function never_emptied() returns trigger language plpgsql as $$
begin
    raise insufficient_privilege using message = 'the audit log is append-only';
end $$;
create trigger never_emptied before truncate on audit_record execute function never_emptied();
create trigger never_emptied before truncate on audit_head execute function never_emptied();

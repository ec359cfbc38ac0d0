-- Who one is: roles, passwords, sessions, invitations, service accounts, and keys that may do less.

alter table membership drop constraint membership_role_check;
update membership set role = 'developer' where role = 'member';
alter table membership
    add constraint membership_role_check check (role in ('owner', 'admin', 'developer', 'viewer'));

alter table app_user
    -- argon2id, as a PHC string; of somebody who has never chosen one there is none
    add column password_hash text,
    -- of those who run the platform, or look at how it is run
    add column platform_role text check (platform_role in ('operator', 'auditor')),
    -- A service account is a user of one tenant without a password: its address is `name@tenant.service`,
    -- and it has keys only.
    add column service_of uuid references tenant,
    add constraint service_accounts_do_not_sign_in check (service_of is null or password_hash is null),
    add constraint service_accounts_run_no_platform check (service_of is null or platform_role is null);
update app_user set platform_role = 'operator' where is_operator;
alter table app_user drop column is_operator;
-- what a tenant reads of its people must not include what their passwords are checked against
revoke select on app_user from cupola_tenant;
grant select (id, email, name, service_of, created_at) on app_user to cupola_tenant;

alter table api_key
    -- what it may be used for, of what its owner's role grants; null: all of it
    add column scopes text[],
    -- networks that it may be used from; null: all
    add column allowed_addresses text[];

-- From a sign-in until it ends. An access token names its session and is good for nothing without it.
create table session (
    id           uuid primary key,
    -- null: as one who runs the platform
    tenant_id    uuid references tenant,
    user_id      uuid not null references app_user,
    created_at   timestamptz not null,
    last_used_at timestamptz not null,
    expires_at   timestamptz not null,
    ended_at     timestamptz,
    -- by which people recognise a session of theirs
    address      text not null,
    user_agent   text not null
);
create index session_of_user on session (user_id) where ended_at is null;
create index session_expiry on session (expires_at);

-- A session's refresh tokens, each good for one use. Those that were used are kept as long as the session:
-- one that comes a second time was stolen, before or after, and ends it.
create table refresh_token (
    sha256     bytea primary key check (length(sha256) = 32),
    session_id uuid not null references session on delete cascade,
    issued_at  timestamptz not null,
    used_at    timestamptz
);
create index refresh_token_session on refresh_token (session_id);

-- To join a tenant, or those who run the platform. Whoever has the token and the address's password, or
-- chooses one, has accepted it.
create table invitation (
    id          uuid primary key,
    tenant_id   uuid references tenant,
    email       text not null,
    role        text not null check (role in ('owner', 'admin', 'developer', 'viewer', 'operator', 'auditor')),
    sha256      bytea not null unique check (length(sha256) = 32),
    invited_by  uuid references app_user,
    created_at  timestamptz not null,
    expires_at  timestamptz not null,
    accepted_at timestamptz,
    revoked_at  timestamptz,
    check ((tenant_id is null) = (role in ('operator', 'auditor')))
);
create index invitation_tenant on invitation (tenant_id);

-- A new password for who has forgotten theirs, from an operator of the machine.
create table password_reset (
    sha256     bytea primary key check (length(sha256) = 32),
    user_id    uuid not null references app_user,
    expires_at timestamptz not null,
    used_at    timestamptz
);

call close_to_other_tenants('session');
call close_to_other_tenants('invitation');
alter table refresh_token enable row level security;
alter table refresh_token force row level security;
create policy every_row on refresh_token to cupola_system using (true) with check (true);
alter table password_reset enable row level security;
alter table password_reset force row level security;
create policy every_row on password_reset to cupola_system using (true) with check (true);

grant select, insert, update, delete on session, refresh_token, invitation, password_reset to cupola_system;

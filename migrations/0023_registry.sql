-- What the registry knows of a model and of its versions beyond their numbers.

alter table model
    drop constraint model_visibility_check,
    add constraint model_visibility_check check (visibility in ('private', 'shared', 'public')),
    -- a line for lists
    add column description text not null default '' check (length(description) <= 300),
    -- what its people write of it, in Markdown
    add column card text not null default '' check (octet_length(card) <= 262144),
    add column licence text,
    add column tags text[] not null default '{}';
-- names of a tenant that people would take for one another have the same
create index model_look_alike on model (tenant_id, (translate(name, '_.01i', '--oll')));

-- A version is trained by a job, or its files were uploaded, or are those of another version. Of the
-- latter two not every one has what predictions need.
alter table model_version
    alter column job_id drop not null,
    alter column attempt drop not null,
    alter column weights_sha256 drop not null,
    alter column weights_bytes drop not null,
    alter column config_sha256 drop not null,
    alter column config drop not null,
    alter column dataset_id drop not null,
    alter column dataset_version drop not null,
    alter column dataset_sha256 drop not null,
    add column source text not null default 'trained' check (source in ('trained', 'uploaded', 'copied')),
    add column state text not null default 'published'
        check (state in ('draft', 'published', 'deprecated', 'yanked', 'deleted')),
    -- of the state, for people
    add column reason text not null default '' check (length(reason) <= 500),
    -- [{path, sha256, bytes}], by path
    add column files jsonb not null default '[]',
    add column bytes bigint not null default 0 check (bytes >= 0),
    add column base_model_id uuid,
    add column base_number int,
    -- as it was when the version was published
    add column licence text,
    -- the manifest in JWS, and its name; written within a second, and never again
    add column manifest text,
    add column revision text check (length(revision) = 40),
    add constraint model_version_is_trained check (
        num_nulls(job_id, attempt, dataset_id, dataset_version, dataset_sha256) =
        case when source = 'trained' then 0 else 5 end),
    add constraint model_version_predicts check (
        num_nulls(weights_sha256, weights_bytes, config_sha256, config) in (0, 4)),
    add constraint model_version_base_is_whole check ((base_model_id is null) = (base_number is null)),
    add constraint model_version_is_sealed check ((manifest is null) = (revision is null)),
    add constraint model_version_base foreign key (base_model_id, base_number) references model_version;

-- how large the configuration is was not written down: 0 until the version is sealed
update model_version
set bytes = weights_bytes,
    files = jsonb_build_array(
        jsonb_build_object('path', 'config.json', 'sha256', encode(config_sha256, 'hex'), 'bytes', 0),
        jsonb_build_object('path', 'model.safetensors', 'sha256', encode(weights_sha256, 'hex'),
                           'bytes', weights_bytes));

create unique index model_version_revision on model_version (model_id, revision);
create index model_version_unsealed on model_version (created_at) where manifest is null;
create index model_version_built_upon on model_version (base_model_id, base_number)
    where base_model_id is not null;

-- A name of a version that moves.
create table model_alias (
    model_id   uuid not null references model,
    tenant_id  uuid not null references tenant,
    alias      text not null,
    number     int not null,
    changed_at timestamptz not null default now(),
    primary key (model_id, alias),
    foreign key (model_id, number) references model_version
);
create index model_alias_version on model_alias (model_id, number);

-- Whom a model that is `shared` is shown to.
create table model_share (
    model_id       uuid not null references model,
    tenant_id      uuid not null references tenant,
    with_tenant_id uuid not null references tenant,
    primary key (model_id, with_tenant_id),
    check (tenant_id <> with_tenant_id)
);
create index model_share_with on model_share (with_tenant_id);

call close_to_other_tenants('model_alias');
call close_to_other_tenants('model_share');

-- Who may read a model may read its aliases, and those of its versions that are no drafts and not gone.
create policy with_me on model_share for select to cupola_tenant
    using (with_tenant_id = (select current_tenant()));
drop policy public_rows on model;
create policy shown_to_me on model for select to cupola_tenant using (
    visibility = 'public'
    or visibility = 'shared' and exists (
        select from model_share s where s.model_id = model.id and s.with_tenant_id = (select current_tenant())));
drop policy public_rows on model_version;
create policy shown_to_me on model_version for select to cupola_tenant using (
    state not in ('draft', 'deleted')
    and exists (select from model m where m.id = model_version.model_id and m.visibility <> 'private'));
create policy shown_to_me on model_alias for select to cupola_tenant using (
    exists (select from model m where m.id = model_alias.model_id and m.visibility <> 'private'));
drop policy publishers on tenant;
create policy publishers on tenant for select to cupola_tenant using (
    exists (select from model m where m.tenant_id = tenant.id and m.visibility <> 'private'));

grant select, insert, update, delete on model_alias, model_share to cupola_tenant, cupola_system;
-- a version's content never changes: only what is said of it
grant insert on model_version to cupola_tenant;
grant update (state, reason) on model_version to cupola_tenant;

-- Manifests are signed with keys of their own, which are kept: what was signed once is checked for ever.
alter table signing_key
    add column purpose text not null default 'token' check (purpose in ('token', 'manifest'));

-- What a version is asked over a dataset by a job: its answers to all rows, or what its features are worth to it.
-- The job is the caller's, and so is what comes of it, whoever has published the model.
alter table job
    drop constraint job_kind_check,
    add constraint job_kind_check check (kind in ('profile', 'train', 'evaluate', 'predict', 'importance'));

create table inquiry (
    job_id    uuid primary key references job,
    tenant_id uuid not null references tenant,
    model_id  uuid not null,
    number    int not null,
    -- the model's publisher and name when it was asked: it may be hidden since
    named     text not null,
    asked     jsonb not null,
    -- once the job has succeeded
    finding   jsonb,
    found_at  timestamptz,
    -- the file of answers in the tenant's store, where there is one, until it is deleted
    sha256    bytea,
    bytes     bigint check (bytes >= 0),
    check ((sha256 is null) = (bytes is null)),
    foreign key (model_id, number) references model_version
);
create index inquiry_of_version on inquiry (tenant_id, model_id, number);
create index inquiry_of_model on inquiry (model_id, number);
create index inquiry_with_file on inquiry (tenant_id) where sha256 is not null;
call close_to_other_tenants('inquiry');
grant select, insert, update (sha256, bytes) on inquiry to cupola_tenant;
grant select (job_id, tenant_id, model_id, number, asked), update (finding, found_at, sha256, bytes)
    on inquiry to cupola_as_worker;
grant select (tenant_id, sha256) on inquiry to cupola_as_gateway;
grant select (tenant_id, sha256, bytes) on inquiry to cupola_as_scheduler;
-- whether the caller may still see the model when the job begins
grant select (visibility) on model to cupola_as_worker;
grant select (state) on model_version to cupola_as_worker;
grant select (model_id, with_tenant_id) on model_share to cupola_as_worker;
-- answers are metered in the transaction that ends the job
grant select (id), insert on prediction_usage to cupola_as_worker;
create policy counted on model_tally to cupola_as_worker using (true) with check (true);
grant select (model_id, predictions), insert (model_id, predictions), update (predictions, is_settled)
    on model_tally to cupola_as_worker;

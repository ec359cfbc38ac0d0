-- The version whose weights a training starts from.
alter table job
    add column base_model_id uuid,
    add column base_number int,
    add constraint job_base_is_whole check ((base_model_id is null) = (base_number is null)),
    add constraint job_base foreign key (base_model_id, base_number) references model_version;

-- A worker fetches the base from its publisher's store, and publishes what came of it as built upon it.
grant select (base_model_id, base_number) on job to cupola_as_worker;
grant select (tenant_id) on model_version to cupola_as_worker;
create index job_started_from on job (base_model_id, base_number)
    where base_model_id is not null and finished_at is null;

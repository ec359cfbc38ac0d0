-- What a model came from and what came of it.

-- A job that makes a published version again, to see whether the same comes out of it. What it makes is
-- a draft, built upon the version that it is compared with.
alter table job
    add column reproduces_model_id uuid,
    add column reproduces_number int,
    add constraint job_reproduces_is_whole check ((reproduces_model_id is null) = (reproduces_number is null)),
    add constraint job_reproduces foreign key (reproduces_model_id, reproduces_number) references model_version;

create index model_version_trained_on on model_version (dataset_id, dataset_version)
    where dataset_id is not null;

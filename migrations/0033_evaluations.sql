-- Two versions judged again on the same rows: a job like a training, which makes no model.
alter table job
    drop constraint job_kind_check,
    add constraint job_kind_check check (kind in ('profile', 'train', 'evaluate'));

create table evaluation (
    job_id     uuid primary key references job,
    tenant_id  uuid not null references tenant,
    a_model_id uuid not null,
    a_number   int not null,
    b_model_id uuid not null,
    b_number   int not null,
    -- whose rows held back are judged on; all rows if null
    held_back_by text check (held_back_by in ('a', 'b')),
    -- once the job has succeeded
    result     jsonb,
    foreign key (a_model_id, a_number) references model_version,
    foreign key (b_model_id, b_number) references model_version
);
create index evaluation_of_pair on evaluation (tenant_id, a_model_id, a_number, b_model_id, b_number);
create index evaluation_of_b on evaluation (b_model_id, b_number);
call close_to_other_tenants('evaluation');
grant select, insert on evaluation to cupola_tenant;
grant select (job_id, a_model_id, a_number, b_model_id, b_number, held_back_by), update (result)
    on evaluation to cupola_as_worker;
grant select (weights_sha256, config_sha256) on model_version to cupola_as_worker;
grant select (job_id, a_model_id, a_number, b_model_id, b_number) on evaluation to cupola_as_gateway;

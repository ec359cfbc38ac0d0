-- The gateway clears away what lies in the object store and no row names.
grant select (tenant_id, sha256) on dataset_version to cupola_as_gateway;
grant select (base_model_id, base_number) on job to cupola_as_gateway;

-- A worker that publishes looks whether the job makes a version again.
grant select (reproduces_model_id, reproduces_number) on job to cupola_as_worker;

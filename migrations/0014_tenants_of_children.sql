-- These rows are their job's and have its tenant, copied from its row: that the tenant is there is checked
-- once, with the job, and not again with each event. Nobody looks for a tenant's events, metrics or lines
-- without naming the job.
alter table attempt drop constraint attempt_tenant_id_fkey;
alter table job_event drop constraint job_event_tenant_id_fkey;
alter table job_metric drop constraint job_metric_tenant_id_fkey;
alter table job_log drop constraint job_log_tenant_id_fkey;
drop index job_event_tenant, job_metric_tenant, job_log_tenant;

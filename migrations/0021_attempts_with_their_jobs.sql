-- An attempt's row is written in the statement that assigns its job. Tenants run that statement too, when they
-- cancel or pause a job, which begins no attempt: they may name the table and add no row to it.
drop policy own_rows on attempt;
create policy own_rows on attempt for select to cupola_tenant using (tenant_id = (select current_tenant()));
grant insert on attempt to cupola_tenant;
-- A job's worker is its live attempt's: that there is such a worker is checked once, with the attempt, and not
-- once more with each start.
alter table job drop constraint job_worker_id_fkey;

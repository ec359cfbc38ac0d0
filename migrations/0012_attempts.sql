-- A worker looks for what it was given lately: with the time in the index it need not walk over entries of
-- attempts that have ended and that a reader's open snapshot keeps from being removed.
create index attempt_given on attempt (worker_id, assigned_at) where ended_at is null;
drop index attempt_live;

-- An attempt's row is written three times within moments: room for them in its page, and vacuumed as soon
-- as a job's row is.
alter table attempt set (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

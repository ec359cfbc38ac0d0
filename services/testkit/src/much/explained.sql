-- Each plan, with the rows that it has read, is sent to whoever has asked. For connections made from now on: those that
-- are there end.
\set ON_ERROR_STOP on
alter database :"DBNAME" set session_preload_libraries = 'auto_explain';
alter database :"DBNAME" set auto_explain.log_min_duration = 0;
alter database :"DBNAME" set auto_explain.log_analyze = on;
alter database :"DBNAME" set auto_explain.log_timing = off;
alter database :"DBNAME" set auto_explain.log_format = 'json';
alter database :"DBNAME" set auto_explain.log_level = 'notice';
select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid();

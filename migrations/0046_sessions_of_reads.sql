-- What is read by a session is read in the tenant's name, and only if the session has not ended
-- (services/store/src/principals.rs).
grant select (id, tenant_id, user_id, expires_at, ended_at) on session to cupola_tenant;

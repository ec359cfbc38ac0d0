//! What each role of the platform may do, read from the catalogue: whoever grants something has to say it here too.

use std::collections::BTreeSet;

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use store::{Service, Store, StoreError, Tx};

use crate::support::World;

/// Role and table, and what may be done to it; only to these columns, where some are named. A login may do nothing.
const GRANTS: &str = "\
as_gateway api_key: insert; select; update (expires_at, last_used_at, revoked_at)
as_gateway app_user: insert; select; update (email, password_hash, platform_role)
as_gateway attempt: insert; select; update (accelerator_ms, cause, ended_at, micro_credits, millis,
  outcome, paid_millis)
as_gateway audit_head: insert; select; update (hash, place)
as_gateway audit_record: insert; select; update (hash, place)
as_gateway budget: delete; insert; select; update (granted_accelerator_ms, granted_micro_credits,
  spent_accelerator_ms, spent_micro_credits)
as_gateway change: insert
as_gateway dataset: select (id, name)
as_gateway dataset_version: select (dataset_id, number, profile, sha256, tenant_id); update (problem)
as_gateway egress_usage: insert; select; update (bytes)
as_gateway endpoint: select
as_gateway endpoint_target: select; update (agreed, errors, micros, requests, rows_answered)
as_gateway evaluation: select (a_model_id, a_number, b_model_id, b_number, job_id)
as_gateway featured_list: delete; insert; select; update (models, title)
as_gateway inquiry: select (sha256, tenant_id)
as_gateway invitation: insert; select; update (accepted_at, revoked_at)
as_gateway job: select (accelerator_milli, assigned_at, attempt, base_model_id, base_number, blocked, cause, concurrency_key,
  concurrency_limit, cpu_milli, created_at, dataset_id, dataset_version, deadline, devices,
  finished_at, id, kind, last_event, max_runtime, memory_bytes, not_before, pool_id, preempted_for,
  priority, rate_accelerator_milli, rate_micro_credits, saved_at, started_at, status, stop_reason,
  tenant_id, tries, worker_id, workers); update (assigned_at, attempt, blocked, cause, deadline,
  devices, finished_at, last_event, not_before, preempted_for, rate_accelerator_milli,
  rate_micro_credits, saved_at, started_at, status, stop_reason, tries, wait_reason, worker_id)
as_gateway job_dependency: select
as_gateway job_event: insert
as_gateway membership: insert; select
as_gateway model: select (id, name)
as_gateway model_alias: select (alias, model_id, number)
as_gateway model_download: delete; insert; select
as_gateway model_like: delete; insert; select
as_gateway model_share: select (model_id, with_tenant_id)
as_gateway model_tally: insert; select; update (downloads, is_settled, likes, predictions, trending)
as_gateway model_version: select; update (bytes, files, manifest, revision)
as_gateway password_reset: insert; select; update (used_at)
as_gateway pool_history: select
as_gateway pool: insert; select; update (accelerator_hour_price, cpu_hour_price, gib_hour_price)
as_gateway prediction_usage: insert; select
as_gateway public_model: select; update (downloads, likes, predictions, trending)
as_gateway queue_bound: select (tenant_id); update (unfinished)
as_gateway queue_change: insert
as_gateway quota: delete; insert; select; update (cohort, guaranteed_accelerator_milli,
  guaranteed_cpu_milli, guaranteed_memory_bytes, limit_accelerator_milli, limit_cpu_milli,
  limit_memory_bytes, max_job_accelerator_milli, max_job_cpu_milli, max_job_memory_bytes,
  max_queued, max_running, weight)
as_gateway refresh_token: insert; select; update (used_at)
as_gateway schedule: select (id, next_at, paused, tenant_id)
as_gateway seat: select; update (left_at)
as_gateway serving_replica: select
as_gateway session: delete; insert; select; update (ended_at, expires_at, last_used_at)
as_gateway signing_key: delete; insert; select; update (master, private_pem, wrapped)
as_gateway share_history: select
as_gateway storage_usage: select
as_gateway tenant: insert; select; update (closed_at, max_egress_bytes, max_queued_jobs,
  max_running_jobs, max_storage_bytes)
as_gateway tenant_key: insert; select; update (destroyed_at, master, wrapped)
as_gateway upload: delete; select (heard_at, id, tenant_id)
as_gateway usage_average: select
as_gateway worker: select; update (state)
as_scheduler attempt: insert; select; update (accelerator_ms, cause, ended_at, micro_credits,
  millis, outcome, paid_millis)
as_scheduler budget: select; update (spent_accelerator_ms, spent_micro_credits)
as_scheduler change: insert; select
as_scheduler change_0: select; truncate
as_scheduler change_1: select; truncate
as_scheduler change_2: select; truncate
as_scheduler change_3: select; truncate
as_scheduler dataset_version: select (bytes, dataset_id, number, profile, tenant_id); update
  (problem)
as_scheduler inquiry: select (bytes, sha256, tenant_id)
as_scheduler job: select (accelerator_milli, assigned_at, attempt, blocked, cause, concurrency_key,
  concurrency_limit, cpu_milli, created_at, dataset_id, dataset_version, deadline, devices,
  finished_at, id, kind, last_event, max_runtime, memory_bytes, not_before, pool_id, preempted_for,
  priority, rate_accelerator_milli, rate_micro_credits, saved_at, started_at, status, stop_reason,
  tenant_id, tries, wait_reason, worker_id, workers); update (assigned_at, attempt, blocked, cause,
  deadline, devices, finished_at, last_event, not_before, preempted_for, rate_accelerator_milli,
  rate_micro_credits, saved_at, started_at, status, stop_reason, tries, wait_reason, worker_id)
as_scheduler job_dependency: select
as_scheduler job_event: insert
as_scheduler leader: insert; select; update (holder, term, until)
as_scheduler model_version: select (files, state, tenant_id)
as_scheduler pool: select
as_scheduler pool_history: delete; insert; select; update (accelerator_milli, borrowed_accelerator_milli, borrowed_cpu_milli,
  cpu_milli, guaranteed_accelerator_milli, guaranteed_cpu_milli, moments)
as_scheduler queue_bound: select; update (counted_at, horizon, live, unfinished)
as_scheduler queue_change: delete; insert; select
as_scheduler quota: select
as_scheduler seat: insert; select; update (left_at)
as_scheduler share_history: delete; insert; select; update (borrowed_accelerator_milli, borrowed_cpu_milli,
  guaranteed_accelerator_milli, guaranteed_cpu_milli)
as_scheduler storage_usage: insert
as_scheduler tenant: select (closed_at, id, max_queued_jobs, max_running_jobs)
as_scheduler usage_average: insert; select; update (average)
as_scheduler worker: select; update (heartbeat_at, state)
as_serving serving_replica: delete; insert (id, master, secret, url); select (heartbeat_at, id, url);
  update (heartbeat_at, leaving)
as_serving tenant_key: insert; select
as_worker attempt: insert; select; update (accelerator_ms, cause, ended_at, micro_credits, millis,
  outcome, paid_millis, resumed_from_step, started_at)
as_worker budget: select (spent_accelerator_ms, spent_micro_credits, tenant_id); update
  (spent_accelerator_ms, spent_micro_credits)
as_worker change: insert
as_worker dataset_version: select (bytes, compression, dataset_id, format, number, problem, profile,
  sha256); update (problem, profile)
as_worker evaluation: select (a_model_id, a_number, b_model_id, b_number, held_back_by, job_id); update (result)
as_worker inquiry: select (asked, job_id, model_id, number, tenant_id); update (bytes, finding, found_at,
  sha256)
as_worker job: select (accelerator_milli, assigned_at, attempt, base_model_id, base_number, blocked, cause, checkpoint_path,
  checkpoint_step, cpu_milli, dataset_id, dataset_version, deadline, devices, finished_at, id,
  kind, last_event, max_runtime, memory_bytes, not_before, preempted_for, rate_accelerator_milli,
  rate_micro_credits, reproduces_model_id, reproduces_number, saved_at, spec, started_at, status,
  step, stop_reason, tenant_id, tries, worker_id, workers); update (assigned_at, attempt, blocked,
  cause, checkpoint_path, checkpoint_step, deadline, devices, finished_at, last_event, not_before,
  preempted_for, rate_accelerator_milli, rate_micro_credits, saved_at, started_at, status, step,
  stop_reason, total_steps, tries, wait_reason, worker_id)
as_worker job_dependency: select
as_worker job_event: insert
as_worker job_log: insert
as_worker job_metric: insert; select (job_id, name, step, value); update (at, value)
as_worker model: insert (id, name, tenant_id); select (id, licence, name, tenant_id, visibility); update (name)
as_worker model_share: select (model_id, with_tenant_id)
as_worker model_tally: insert (model_id, predictions); select (model_id, predictions); update
  (is_settled, predictions)
as_worker model_version: insert (attempt, base_model_id, base_number, bytes, config,
  config_sha256, dataset_id, dataset_sha256, dataset_version, files, job_id, licence, metrics,
  model_id, number, state, tenant_id, weights_bytes, weights_sha256); select (config_sha256,
  job_id, model_id, number, state, tenant_id, weights_sha256)
as_worker pool: select (id, name)
as_worker prediction_usage: insert; select (id)
as_worker queue_change: insert
as_worker seat: select; update (left_at, started_at)
as_worker tenant_key: insert; select
as_worker worker: insert; select; update (heartbeat_at, state)
search model: select (card, created_at, description, id, licence, name, tags, tenant_id, visibility)
search model_facts: select
search model_tally: select
search model_version: select (bytes, config, created_at, metrics, model_id, number, state)
search public_model: delete; insert; select; update
search search_word: insert; select
search tenant: select (id, slug)
tenant api_key: select (allowed_addresses, created_at, expires_at, id, last_used_at, name, prefix,
  revoked_at, scopes, tenant_id, user_id); update (revoked_at)
tenant app_user: select (created_at, email, id, name, service_of)
tenant attempt: insert; select
tenant audit_head: select
tenant audit_record: insert; select
tenant budget: select
tenant change: insert
tenant collection: delete; insert; select; update (description, models, title, visibility)
tenant dataset: insert; select
tenant dataset_version: insert; select
tenant egress_usage: select
tenant endpoint: delete; insert; select; update (description, keep_warm, max_concurrent, per_second,
  revision)
tenant endpoint_revision: insert; select
tenant endpoint_target: insert; select
tenant evaluation: insert; select
tenant featured_list: select
tenant idempotency_key: insert; select
tenant inquiry: insert; select; update (bytes, sha256)
tenant job: insert; select; update (assigned_at, attempt, blocked, cause, deadline, devices,
  finished_at, last_event, not_before, preempted_for, rate_accelerator_milli, rate_micro_credits,
  saved_at, started_at, status, stop_reason, tries, wait_reason, worker_id)
tenant job_dependency: insert; select
tenant job_event: insert; select
tenant job_log: select
tenant job_metric: select
tenant membership: delete; select; update (role)
tenant model: insert; select; update (card, description, licence, name, tags, visibility)
tenant model_alias: delete; insert; select; update (changed_at, number)
tenant model_facts: select
tenant model_share: delete; insert; select
tenant model_tally: select
tenant model_version: insert; select; update (reason, state)
tenant pool: select
tenant prediction_usage: select
tenant public_model: select
tenant queue_bound: insert; select; update (counted_at, horizon, live, unfinished)
tenant queue_change: insert; select
tenant quota: select
tenant schedule: delete; insert; select; update (last_at, last_job, next_at, paused, problem)
tenant search_word: select
tenant session: select (ended_at, expires_at, id, tenant_id, user_id)
tenant storage_usage: select
tenant sweep: insert; select
tenant tenant: select
tenant upload: delete; insert; select; update (heard_at, pieces, received, version)
visitor model: select
visitor model_alias: select
visitor model_tally: select
visitor model_version: select
visitor public_model: select
visitor search_word: select
visitor tenant: select (id, slug)
";

/// Whose rights others may take.
const TAKEN_BY: [(&str, &str); 14] = [
    ("cupola_as_gateway", "cupola_app"),
    ("cupola_as_gateway", "cupola_gateway"),
    ("cupola_as_scheduler", "cupola_app"),
    ("cupola_as_scheduler", "cupola_scheduler"),
    ("cupola_as_serving", "cupola_app"),
    ("cupola_as_serving", "cupola_serving"),
    ("cupola_as_worker", "cupola_app"),
    ("cupola_as_worker", "cupola_worker"),
    // as it triggers work, and nobody of the services: the one here is the owner of the database
    ("cupola_search", "cupola"),
    // for services of an earlier release: nobody else may do all that it may
    ("cupola_system", "cupola_app"),
    ("cupola_tenant", "cupola_app"),
    ("cupola_tenant", "cupola_gateway"),
    ("cupola_visitor", "cupola_app"),
    ("cupola_visitor", "cupola_gateway"),
];

/// Of every role of ours but the one that goes, and of everybody.
const ACTUAL: &str = "
    with granted as (
        select a.grantee, c.relname, lower(a.privilege_type) as privilege, null as columns
        from pg_class c, aclexplode(c.relacl) a
        where c.relnamespace = 'public'::regnamespace
        union all
        select a.grantee, c.relname, lower(a.privilege_type),
               string_agg(t.attname, ', ' order by t.attname)
        from pg_attribute t join pg_class c on c.oid = t.attrelid, aclexplode(t.attacl) a
        where c.relnamespace = 'public'::regnamespace
        group by 1, 2, 3
    )
    select coalesce(replace(r.rolname, 'cupola_', ''), 'everybody') || ' ' || g.relname || ': '
           || string_agg(g.privilege || coalesce(' (' || g.columns || ')', ''), '; ' order by g.privilege, g.columns nulls first)
    from granted g left join pg_roles r on r.oid = g.grantee
    where g.grantee = 0 or r.rolname like 'cupola\\_%' and r.rolname <> 'cupola_system'
    group by r.rolname, g.relname
    order by 1";

#[tokio::test]
async fn nobody_may_do_more_than_is_written_here() {
    let world = World::create().await;
    let mut owner = PgConnection::connect(&world.db.owner_url()).await.unwrap();
    let actual: Vec<String> = sqlx::query_scalar(ACTUAL).fetch_all(&mut owner).await.unwrap();
    let (actual, stated) = (BTreeSet::from_iter(actual), written());
    let more: Vec<_> = actual.difference(&stated).collect();
    let less: Vec<_> = stated.difference(&actual).collect();
    assert!(more.is_empty() && less.is_empty(), "granted: {more:#?}\nas written: {less:#?}");

    let members = "select r.rolname::text, m.rolname::text from pg_auth_members a
                   join pg_roles r on r.oid = a.roleid join pg_roles m on m.oid = a.member
                   where r.rolname like 'cupola\\_%' order by 1, 2";
    let members: Vec<(String, String)> =
        sqlx::query_as(members).fetch_all(&mut owner).await.unwrap();
    assert_eq!(members, TAKEN_BY.map(|(role, login)| (role.to_owned(), login.to_owned())));
}

/// Each in a line, however it is broken up above.
fn written() -> BTreeSet<String> {
    let mut lines = Vec::<String>::new();
    for line in GRANTS.lines().filter(|line| !line.is_empty()) {
        match line.strip_prefix("  ") {
            None => lines.push(line.to_owned()),
            Some(more) => lines.last_mut().unwrap().push_str(&format!(" {}", more.trim_start())),
        }
    }
    BTreeSet::from_iter(lines)
}

/// What each service must not do, and what the database says: of what it has nothing to do with, and of what is
/// kept from it in a table that it works with.
const REFUSED: [(Service, &[(&str, &str)]); 4] = [
    (
        Service::Worker,
        &[
            ("select sha256 from api_key", "permission denied for table api_key"),
            ("select password_hash from app_user", "permission denied for table app_user"),
            ("select from membership", "permission denied for table membership"),
            ("select from session", "permission denied for table session"),
            ("select from refresh_token", "permission denied for table refresh_token"),
            ("select from invitation", "permission denied for table invitation"),
            ("select from password_reset", "permission denied for table password_reset"),
            ("select from signing_key", "permission denied for table signing_key"),
            ("select from audit_record", "permission denied for table audit_record"),
            ("select from tenant", "permission denied for table tenant"),
            ("select from quota", "permission denied for table quota"),
            ("select from dataset", "permission denied for table dataset"),
            ("select from leader", "permission denied for table leader"),
            ("select from change", "permission denied for table change"),
            ("select line from job_log", "permission denied for table job_log"),
            ("select name from job", "permission denied for table job"),
            ("update job set spec = '{}'", "permission denied for table job"),
            ("delete from job", "permission denied for table job"),
            ("update model set visibility = 'public'", "permission denied for table model"),
            (
                "insert into model (id, tenant_id, name, visibility)
                 select id, tenant_id, 'new', 'public' from model",
                "permission denied for table model",
            ),
            ("select manifest from model_version", "permission denied for table model_version"),
            ("update model_version set manifest = ''", "permission denied for table model_version"),
            ("delete from model_share", "permission denied for table model_share"),
            ("update tenant_key set wrapped = null", "permission denied for table tenant_key"),
            (
                "insert into attempt (job_id, number, tenant_id, worker_id)
                 select job_id, number + 1, tenant_id, worker_id from attempt",
                "new row violates row-level security policy for table \"attempt\"",
            ),
        ],
    ),
    (
        Service::Scheduler,
        &[
            ("select wrapped from tenant_key", "permission denied for table tenant_key"),
            ("select sha256 from api_key", "permission denied for table api_key"),
            ("select email from app_user", "permission denied for table app_user"),
            ("select from session", "permission denied for table session"),
            ("select from signing_key", "permission denied for table signing_key"),
            ("select from audit_record", "permission denied for table audit_record"),
            ("select from dataset", "permission denied for table dataset"),
            ("select sha256 from dataset_version", "permission denied for table dataset_version"),
            (
                "select weights_sha256 from model_version",
                "permission denied for table model_version",
            ),
            ("select spec from job", "permission denied for table job"),
            ("select slug from tenant", "permission denied for table tenant"),
            ("update tenant set max_running_jobs = 9", "permission denied for table tenant"),
            ("update quota set weight = 9", "permission denied for table quota"),
        ],
    ),
    (
        Service::Serving,
        &[
            ("select secret from serving_replica", "permission denied for table serving_replica"),
            ("update serving_replica set url = ''", "permission denied for table serving_replica"),
            ("update tenant_key set wrapped = null", "permission denied for table tenant_key"),
            ("select from model_version", "permission denied for table model_version"),
            ("select from model", "permission denied for table model"),
            ("select from tenant", "permission denied for table tenant"),
            ("select from job", "permission denied for table job"),
            ("select from dataset_version", "permission denied for table dataset_version"),
            ("select from api_key", "permission denied for table api_key"),
            ("select from app_user", "permission denied for table app_user"),
            ("select from session", "permission denied for table session"),
            ("select from signing_key", "permission denied for table signing_key"),
            ("select from audit_record", "permission denied for table audit_record"),
            (
                "insert into prediction_usage default values",
                "permission denied for table prediction_usage",
            ),
        ],
    ),
    (
        Service::Gateway,
        &[
            ("delete from serving_replica", "permission denied for table serving_replica"),
            ("select spec from job", "permission denied for table job"),
            ("select line from job_log", "permission denied for table job_log"),
            ("select created_at from dataset", "permission denied for table dataset"),
            ("select card from model", "permission denied for table model"),
            ("insert into model_alias default values", "permission denied for table model_alias"),
            (
                "update model_version set state = 'yanked'",
                "permission denied for table model_version",
            ),
            ("select from leader", "permission denied for table leader"),
            ("select from change", "permission denied for table change"),
            ("update audit_record set result = 'x'", "permission denied for table audit_record"),
            ("update worker set heartbeat_at = now()", "permission denied for table worker"),
            (
                "insert into attempt (job_id, number, tenant_id, worker_id)
                 select job_id, number + 1, tenant_id, worker_id from attempt",
                "new row violates row-level security policy for table \"attempt\"",
            ),
        ],
    ),
];

fn login(world: &World, login: Service, service: Service) -> Store {
    Store::connect(&world.db.url_as(login.login()), 1, service).unwrap()
}

fn said(error: StoreError) -> String {
    let StoreError::Database(sqlx::Error::Database(error)) = error else { panic!("{error:?}") };
    assert_eq!(error.code().unwrap(), "42501");
    error.message().to_owned()
}

#[tokio::test]
async fn a_service_is_refused_what_it_has_nothing_to_do_with() {
    let world = World::create().await;
    world.running(&world.acme).await;
    for (service, refused) in REFUSED {
        let store = login(&world, service, service);
        for (statement, expected) in refused {
            let mut tx = store.begin().await.unwrap();
            let done = sqlx::query(AssertSqlSafe(*statement)).execute(tx.conn()).await;
            let error = done.expect_err(&format!("{service:?}: {statement}"));
            assert_eq!(said(error.into()), *expected, "{service:?}: {statement}");
        }
        store.close().await;
    }
}

#[tokio::test]
async fn a_service_cannot_become_another() {
    let world = World::create().await;
    for own in Service::ALL {
        for other in Service::ALL.into_iter().filter(|other| *other != own) {
            let store = login(&world, own, other);
            let error = store.begin().await.expect_err("another's role");
            let role = other.login().replace("cupola_", "cupola_as_");
            assert_eq!(said(error), format!("permission denied to set role \"{role}\""));
            store.close().await;
        }
        let store = login(&world, own, own);
        match store.begin_for(world.acme.id).await {
            Ok(_) => assert_eq!(own, Service::Gateway),
            Err(error) => {
                assert_eq!(said(error), "permission denied to set role \"cupola_tenant\"");
                assert_ne!(own, Service::Gateway);
            }
        }
        store.close().await;
        let store = login(&world, own, own);
        match store.begin_for_visitor().await {
            Ok(_) => assert_eq!(own, Service::Gateway),
            Err(error) => {
                assert_eq!(said(error), "permission denied to set role \"cupola_visitor\"");
                assert_ne!(own, Service::Gateway);
            }
        }
        store.close().await;
        // nor does any of them do anything in no role
        let mut bare = PgConnection::connect(&world.db.url_as(own.login())).await.unwrap();
        let error = sqlx::query("select from job").execute(&mut bare).await.unwrap_err();
        assert_eq!(said(error.into()), "permission denied for table job");
    }
}

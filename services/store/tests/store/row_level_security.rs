//! Row-level security with the SQL's own filter removed: whatever a statement forgets, a tenant sees
//! and changes its own rows alone, in every table that there is.

use domain::{TenantId, registry::Visibility};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use store::models::{self, Among, Change, Search};

use crate::{
    filled::{Two, rows},
    support::World,
};

/// What Postgres answers where a right or a policy is missing.
const REFUSED: &str = "42501";
/// Of a tenant's rows, what is not for what works in its name: only signing in, reading bytes, counting and the
/// scheduler look at these.
const CLOSED: [&str; 7] = [
    "invitation",
    "model_download",
    "model_like",
    "seat",
    "share_history",
    "tenant_key",
    "usage_average",
];
/// Of the platform.
const PLATFORM: [&str; 7] = [
    "worker",
    "leader",
    "signing_key",
    "refresh_token",
    "password_reset",
    "serving_replica",
    "pool_history",
];
/// Of each tenant.
const JOBS: u64 = 4;

/// Runs it as `role`, for `tenant` where one is given, and rolls back.
async fn as_role(
    app: &mut PgConnection,
    role: Option<&str>,
    tenant: Option<TenantId>,
    statement: &str,
) -> Result<u64, String> {
    let mut begin = "begin".to_owned();
    if let Some(role) = role {
        begin += &format!("; set local role {role}");
    }
    if let Some(tenant) = tenant {
        begin += &format!("; set local app.tenant_id = '{}'", tenant.uuid());
    }
    let mut tx = app.begin_with(AssertSqlSafe(begin)).await.unwrap();
    let outcome = rows(&mut tx, statement).await;
    tx.rollback().await.unwrap();
    outcome
}

#[tokio::test]
async fn a_tenant_sees_its_own_rows_alone() {
    let two = Two::create().await;
    let (mut app, acme, globex) = (two.app().await, two.world.acme.id, two.globex.id);
    for table in &two.tables {
        let mut ask = async |tenant, condition: String| {
            let select = format!("select from {table} {condition}");
            as_role(&mut app, Some("cupola_tenant"), tenant, &select).await
        };
        if CLOSED.contains(&table.as_str()) {
            assert_eq!(ask(Some(acme), String::new()).await, Err(REFUSED.to_owned()), "{table}");
            continue;
        }
        let mut ask = async |tenant, condition| ask(tenant, condition).await.unwrap();
        let own = ask(Some(acme), String::new()).await;
        assert!(own > 0, "{table}");
        let foreign = format!("where tenant_id <> '{}'", acme.uuid());
        assert_eq!(ask(Some(acme), foreign).await, 0, "{table}");
        let theirs = format!("where tenant_id = '{}'", globex.uuid());
        assert_eq!(ask(Some(acme), theirs).await, 0, "{table}");
        assert_eq!(ask(None, String::new()).await, 0, "{table} without a tenant");
        let nobody = TenantId::generate();
        assert_eq!(ask(Some(nobody), String::new()).await, 0, "{table} for an unknown tenant");
    }
    for table in ["tenant", "app_user"] {
        let select = format!("select from {table}");
        let role = Some("cupola_tenant");
        assert_eq!(as_role(&mut app, role, Some(acme), &select).await, Ok(1), "{table}");
        assert_eq!(as_role(&mut app, role, None, &select).await, Ok(0), "{table}");
    }
}

#[tokio::test]
async fn a_tenant_writes_its_own_rows_alone() {
    let two = Two::create().await;
    let (mut app, acme, globex) = (two.app().await, two.world.acme.id, two.globex.id.uuid());
    for table in &two.tables {
        let mut run = async |statement: String| {
            as_role(&mut app, Some("cupola_tenant"), Some(acme), &statement).await
        };
        let refused = Err(REFUSED.to_owned());
        let given_away = format!(
            "insert into {table}
             select (jsonb_populate_record(t, jsonb_build_object('tenant_id', '{globex}'))).*
             from {table} t limit 1"
        );
        assert_eq!(run(given_away).await, refused, "insert into {table}");
        let handed_over = format!("update {table} set tenant_id = '{globex}'");
        assert_eq!(run(handed_over).await, refused, "update {table}");
        for change in ["delete from {} where {}", "update {} set tenant_id = tenant_id where {}"] {
            let theirs = format!("tenant_id = '{globex}'");
            let statement = change.replacen("{}", table, 1).replacen("{}", &theirs, 1);
            let changed = run(statement.clone()).await;
            assert!(changed == Ok(0) || changed == refused, "{statement}: {changed:?}");
        }
    }
    for statement in [
        "update tenant set max_running_jobs = 1000",
        "update app_user set name = ''",
        "select password_hash from app_user",
        "select platform_role from app_user",
        "insert into attempt (job_id, number, tenant_id, worker_id)
         select job_id, number + 1, tenant_id, worker_id from attempt",
    ] {
        let outcome = as_role(&mut app, Some("cupola_tenant"), Some(acme), statement).await;
        assert_eq!(outcome, Err(REFUSED.to_owned()), "{statement}");
    }
}

#[tokio::test]
async fn without_a_role_nothing_can_be_read() {
    let two = Two::create().await;
    let (mut app, acme) = (two.app().await, two.world.acme.id);
    let others = ["tenant", "app_user"].into_iter().chain(PLATFORM).map(str::to_owned);
    for table in two.tables.iter().cloned().chain(others) {
        let select = format!("select from {table}");
        let outcome = as_role(&mut app, None, Some(acme), &select).await;
        assert_eq!(outcome, Err(REFUSED.to_owned()), "{table}");
    }
    // what belongs to the platform is closed to a tenant's role too
    for table in PLATFORM {
        let select = format!("select from {table}");
        let outcome = as_role(&mut app, Some("cupola_tenant"), Some(acme), &select).await;
        assert_eq!(outcome, Err(REFUSED.to_owned()), "{table}");
    }
}

#[tokio::test]
async fn a_transaction_leaves_nothing_to_the_next_one_on_its_connection() {
    let two = Two::create().await;
    let mut app = two.app().await;
    let select = "select from job";
    let role = Some("cupola_tenant");
    assert_eq!(as_role(&mut app, role, Some(two.world.acme.id), select).await, Ok(JOBS));
    assert_eq!(as_role(&mut app, role, None, select).await, Ok(0));
    assert_eq!(as_role(&mut app, None, None, select).await, Err(REFUSED.to_owned()));
}

#[tokio::test]
async fn what_is_public_is_read_and_no_more() {
    let two = Two::create().await;
    let mut tx = two.world.begin_for(&two.globex).await;
    let model = models::get(&mut tx, "globex", "flowers").await.unwrap().unwrap();
    let change = Change { visibility: Some(Visibility::Public), ..Change::default() };
    assert!(models::update(&mut tx, model.id, change).await.unwrap());
    tx.commit().await.unwrap();
    let (mut app, acme) = (two.app().await, two.world.acme.id);
    let mut run = async |statement: &str| {
        as_role(&mut app, Some("cupola_tenant"), Some(acme), statement).await
    };
    for table in ["model", "model_version", "model_alias", "tenant"] {
        assert_eq!(run(&format!("select from {table}")).await, Ok(2), "{table}");
    }
    assert_eq!(run("select from job").await, Ok(JOBS), "the job behind it stays private");
    let theirs = format!("tenant_id = '{}'", two.globex.id.uuid());
    let hide = format!("update model set visibility = 'private' where {theirs}");
    assert_eq!(run(&hide).await, Ok(0));
}

/// A visitor reads what is public, by the store's own statements too, and no table besides.
#[tokio::test]
async fn who_has_no_credential_sees_what_is_public_alone() {
    let two = Two::create().await;
    let mut tx = two.world.begin_for(&two.globex).await;
    let model = models::get(&mut tx, "globex", "flowers").await.unwrap().unwrap();
    let open = |visibility| Change { visibility: Some(visibility), ..Change::default() };
    assert!(models::update(&mut tx, model.id, open(Visibility::Public)).await.unwrap());
    tx.commit().await.unwrap();
    let mut tx = two.world.begin_for(&two.world.acme).await;
    let ours = models::get(&mut tx, "acme", "flowers").await.unwrap().unwrap();
    assert!(models::update(&mut tx, ours.id, open(Visibility::Shared)).await.unwrap());
    tx.commit().await.unwrap();

    let mut app = two.app().await;
    // whoever it names: a visitor has no tenant
    for named in [None, Some(two.world.acme.id)] {
        let mut run = async |statement: String| {
            as_role(&mut app, Some("cupola_visitor"), named, &statement).await
        };
        for table in two.tables.iter().map(String::as_str).chain(["app_user"]).chain(PLATFORM) {
            let seen = match table {
                "model" | "model_version" | "model_alias" => Ok(1),
                _ => Err(REFUSED.to_owned()),
            };
            assert_eq!(run(format!("select from {table}")).await, seen, "{table}");
            let change = format!("delete from {table}");
            assert_eq!(run(change).await, Err(REFUSED.to_owned()), "{table}");
        }
        for table in ["model_tally", "public_model"] {
            assert_eq!(run(format!("select from {table}")).await, Ok(1), "{table}");
        }
        assert_eq!(run("select id, slug from tenant".to_owned()).await, Ok(1));
        let more = "select name from tenant".to_owned();
        assert_eq!(run(more).await, Err(REFUSED.to_owned()));
    }
    let mut tx = two.world.store.begin_for_visitor().await.unwrap();
    assert!(models::get(&mut tx, "globex", "flowers").await.unwrap().is_some());
    assert!(models::get(&mut tx, "acme", "flowers").await.unwrap().is_none());
    let found = models::search(&mut tx, &Search::of(Among::Public)).await.unwrap();
    assert_eq!(found.items.iter().map(|found| found.id).collect::<Vec<_>>(), [model.id]);
    let versions = models::versions(&mut tx, model.id, None, None).await.unwrap();
    assert_eq!(versions.items.len(), 1);
    assert_eq!(models::aliases(&mut tx, model.id).await.unwrap().len(), 1);
    let relative = models::relative(&mut tx, model.id, 1).await.unwrap();
    assert!(relative.is_some_and(|relative| relative.model == "globex/flowers"));
}

#[tokio::test]
async fn every_tenant_table_is_closed_by_policy_also_to_its_owner() {
    let two = Two::create().await;
    let mut owner = PgConnection::connect(&two.world.db.owner_url()).await.unwrap();
    let others = ["tenant", "app_user"].map(str::to_owned);
    for table in two.tables.iter().chain(&others) {
        let row = sqlx::query(
            "select c.relrowsecurity, c.relforcerowsecurity,
                    (select count(*) from pg_policy p where p.polrelid = c.oid) as policies
             from pg_class c where c.oid = $1::text::regclass",
        );
        let row = row.bind(table).fetch_one(&mut owner).await.unwrap();
        assert!(row.get::<bool, _>("relrowsecurity"), "{table} has no row-level security");
        assert!(row.get::<bool, _>("relforcerowsecurity"), "{table} is open to its owner");
        assert!(row.get::<i64, _>("policies") > 0, "{table} has no policy");
    }
    let open: Vec<String> = sqlx::query_scalar(
        "select tablename || '.' || policyname from pg_policies
         where roles && '{cupola_tenant, cupola_visitor, public}' and (qual = 'true' or with_check = 'true')",
    )
    .fetch_all(&mut owner)
    .await
    .unwrap();
    assert!(open.is_empty(), "policies that show everything: {open:?}");
}

#[tokio::test]
async fn no_role_of_the_services_can_step_around_the_policies() {
    let world = World::create().await;
    let mut owner = PgConnection::connect(&world.db.owner_url()).await.unwrap();
    let roles = sqlx::query(
        "select rolname::text, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb,
                exists (select from pg_class c where c.relowner = r.oid) as owns_something
         from pg_roles r where rolname like 'cupola\\_%' order by 1",
    );
    let roles = roles.fetch_all(&mut owner).await.unwrap();
    let names: Vec<String> = roles.iter().map(|row| row.get("rolname")).collect();
    let expected = [
        "cupola_app",
        "cupola_as_gateway",
        "cupola_as_scheduler",
        "cupola_as_serving",
        "cupola_as_worker",
        "cupola_gateway",
        "cupola_scheduler",
        "cupola_search",
        "cupola_serving",
        "cupola_system",
        "cupola_tenant",
        "cupola_visitor",
        "cupola_worker",
    ];
    assert_eq!(names, expected);
    for role in &roles {
        for right in ["rolsuper", "rolbypassrls", "rolcreaterole", "rolcreatedb", "owns_something"]
        {
            assert!(!role.get::<bool, _>(right), "{}: {right}", role.get::<String, _>("rolname"));
        }
    }
    // as it the triggers work that keep what is searched, and nobody else
    let may_take =
        "select from pg_roles r where rolname like 'cupola\\_%' and rolname <> 'cupola_search'
                    and pg_has_role(r.oid, 'cupola_search', 'member')";
    assert_eq!(rows(&mut owner, may_take).await, Ok(0));
    let inherits =
        "select from pg_roles where rolname like 'cupola\\_%' and rolcanlogin and rolinherit";
    assert_eq!(rows(&mut owner, inherits).await, Ok(0));
}

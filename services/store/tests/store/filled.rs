//! Two tenants with a row in every table that has rows of tenants, by the store's own statements. The list of tables comes
//! from the catalogue, so that a new one without a row is found.

use std::collections::BTreeMap;

use domain::{
    ApiKeyId, Digest, InvitationId, JobId, ModelId, Resources, ScheduleId, SessionId, SweepId,
    access::Role,
    audit::Entry,
    child::Event as Said,
    dataset::{Compression, Format},
    inquiry::{BadRows, Inquiry},
    job::{Attempt, Report},
    registry::Visibility,
    spec::{AfterCondition, DEFAULT_POOL_ID},
    spend::Spend,
    world::Quota,
};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use store::{
    Service, attempts, audit, budgets, cron, egress, endpoints, idempotency, invitations,
    jobs::{self, NewJob, sweeps},
    keys,
    models::{self, Evaluates, Inquires},
    pools, predictions, schedule, sessions, sharing, storage, tenant_keys,
    uploads::{self, NewUpload},
};

use crate::support::{Tenant, World, artifact, new_job, retry};

/// Two tenants with a row in every table.
pub struct Two {
    pub world: World,
    pub globex: Tenant,
    pub tables: Vec<String>,
}

impl Two {
    pub async fn create() -> Self {
        let world = World::create().await;
        let globex = world.tenant("globex").await;
        for tenant in [&world.acme, &globex] {
            fill(&world, tenant).await;
        }
        let mut owner = PgConnection::connect(&world.db.owner_url()).await.unwrap();
        let tables = tenant_tables(&mut owner).await;
        for table in &tables {
            for tenant in [&world.acme, &globex] {
                let count = format!("select from {table} where tenant_id = '{}'", tenant.id.uuid());
                let rows = rows(&mut owner, &count).await.unwrap();
                assert!(rows > 0, "{table} has no row of {}: make one in `fill`", tenant.slug);
            }
        }
        Self { world, globex, tables }
    }

    /// The services' own login.
    pub async fn app(&self) -> PgConnection {
        PgConnection::connect(&self.world.db.url()).await.unwrap()
    }
}

async fn fill(world: &World, tenant: &Tenant) {
    let running = world.running_on(tenant, &[world.worker, world.worker]).await;
    let mut tx = world.begin_for(tenant).await;
    let next = NewJob { after: vec![(running.job, AfterCondition::Any)], ..new_job(tenant) };
    jobs::submit(&mut tx, &next).await.unwrap();
    let sweep = sweeps::NewSweep {
        id: SweepId::generate(),
        name: "sweep".to_owned(),
        submitted_by: tenant.owner,
        parallelism: 1,
        metric: "loss".to_owned(),
        minimize: true,
    };
    sweeps::insert(&mut tx, &sweep).await.unwrap();
    let schedule = cron::NewSchedule {
        id: ScheduleId::generate(),
        name: "nightly".to_owned(),
        created_by: tenant.owner,
        cron: "@daily".to_owned(),
        draft: serde_json::json!({}),
        skip_overlap: false,
        next_at: chrono::DateTime::UNIX_EPOCH,
    };
    cron::insert(&mut tx, &schedule, 1).await.unwrap();
    let fingerprint = Digest::of(b"body");
    idempotency::claim(&mut tx, "key", fingerprint, JobId::generate().uuid()).await.unwrap();
    let file = NewUpload {
        dataset: "rows".parse().unwrap(),
        format: Format::Csv,
        compression: Compression::None,
        bytes: 1,
        fingerprint: "rows.csv".to_owned(),
        sha256: None,
    };
    uploads::begin(&mut tx, &file, chrono::DateTime::UNIX_EPOCH).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = world.begin_as(Service::Gateway).await;
    budgets::grant(&mut tx, tenant.id, &Spend::UNLIMITED).await.unwrap();
    let key = keys::NewKey {
        id: ApiKeyId::generate(),
        tenant: Some(tenant.id),
        user: tenant.owner,
        prefix: "cup_",
        sha256: Digest::of(tenant.slug.as_str().as_bytes()),
        draft: keys::KeyDraft::named("key"),
    };
    keys::create(&mut tx, &key).await.unwrap();
    sign_in(&mut tx, tenant).await;
    assert!(pools::set_quota(&mut tx, tenant.id, "default", &Quota::default()).await.unwrap());
    let sent = egress::Sent { tenant: tenant.id, hour: 0, bytes: 1 };
    egress::add(&mut tx, &[sent]).await.unwrap();
    let asked = (ModelId::generate(), 1);
    let record = predictions::Record::new(
        tenant.id,
        asked,
        chrono::DateTime::UNIX_EPOCH,
        predictions::Predicted::default(),
    );
    predictions::add(&mut tx, &[record]).await.unwrap();
    audit::append(&mut tx, Some(tenant.id), &Entry::default()).await.unwrap();
    assert_eq!(audit::seal(&mut tx, audit::Look::All).await.unwrap(), 1);
    tx.commit().await.unwrap();
    let mut tx = world.begin_as(Service::Scheduler).await;
    storage::note(&mut tx).await.unwrap();
    schedule::keep_averages(&mut tx, &[(tenant.id, DEFAULT_POOL_ID, 0.5)]).await.unwrap();
    let had = sharing::Had { guaranteed: Resources::cpu(1, 0), ..sharing::Had::default() };
    let moment = sharing::Moment { tenants: vec![(tenant.id, had)], ..sharing::Moment::default() };
    let epoch = chrono::DateTime::UNIX_EPOCH;
    sharing::note(&mut tx, epoch, &[(DEFAULT_POOL_ID, moment)]).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = world.begin_as(Service::Worker).await;
    train(&mut tx, running).await;
    tx.commit().await.unwrap();
    of_the_registry(world, tenant).await;
}

async fn sign_in(tx: &mut store::SystemTx<'_>, tenant: &Tenant) {
    let (now, secret) = (chrono::DateTime::UNIX_EPOCH, Digest::of(tenant.slug.as_str().as_bytes()));
    let session = sessions::NewSession {
        id: SessionId::generate(),
        tenant: Some(tenant.id),
        user: tenant.owner,
        now,
        expires_at: now,
        address: "unknown",
        user_agent: "",
        refresh: secret,
    };
    sessions::begin(tx, &session).await.unwrap();
    let invitation = invitations::NewInvitation {
        id: InvitationId::generate(),
        tenant: Some(tenant.id),
        email: "new@example.com",
        role: Role::Viewer,
        sha256: secret,
        invited_by: None,
        now,
        expires_at: now,
    };
    invitations::create(tx, &invitation).await.unwrap();
    let key = tenant_keys::WrappedKey { master: "master".to_owned(), bytes: vec![1] };
    tenant_keys::add(tx, tenant.id, &key).await.unwrap();
}

async fn of_the_registry(world: &World, tenant: &Tenant) {
    let reader = world.tenant(&format!("reader-of-{}", tenant.slug)).await;
    let mut tx = world.begin_for(tenant).await;
    let model = models::get(&mut tx, tenant.slug.as_str(), "flowers").await.unwrap().unwrap();
    let alias = "champion".parse().unwrap();
    let set = models::set_alias(&mut tx, model.id, &alias, 1).await.unwrap();
    assert_eq!(set, models::SetAlias::Set);
    models::share_with(&mut tx, model.id, &[reader.id]).await.unwrap();
    let itself = Evaluates { a: (model.id, 1), b: (model.id, 1), held_back_by: None };
    let judged = NewJob { spec: None, evaluates: Some(itself), ..new_job(tenant) };
    jobs::submit(&mut tx, &judged).await.unwrap();
    let inquiry = Inquiry::Predict { bad_rows: BadRows::Fail };
    let asked = Inquires { version: (model.id, 1), named: "a/flowers".to_owned(), inquiry };
    let asks = NewJob { spec: None, inquires: Some(asked), ..new_job(tenant) };
    jobs::submit(&mut tx, &asks).await.unwrap();
    let collection = models::CollectionDraft {
        title: "The best".to_owned(),
        description: String::new(),
        visibility: Visibility::Private,
        models: vec![model.id],
    };
    models::put_collection(&mut tx, &"best".parse().unwrap(), &collection).await.unwrap();
    let settings = endpoints::Settings {
        description: String::new(),
        keep_warm: true,
        max_concurrent: 1,
        per_second: None,
    };
    let endpoint = endpoints::create(&mut tx, &"live".parse().unwrap(), &settings).await.unwrap();
    let target = endpoints::NewTarget { model: model.id, version: 1, weight: 1, is_shadow: false };
    endpoints::split(&mut tx, endpoint.unwrap(), tenant.owner, &[target]).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = world.begin_as(Service::Gateway).await;
    let (who, now) = ((tenant.id, tenant.owner), chrono::DateTime::UNIX_EPOCH);
    assert_eq!(models::like(&mut tx, model.id, who, true, now).await.unwrap(), 1);
    let downloads = vec![(model.id, tenant.id)];
    let counted = models::Counted { downloads, predictions: vec![(model.id, 3)] };
    models::add(&mut tx, &counted, now).await.unwrap();
    tx.commit().await.unwrap();
}

async fn train(tx: &mut store::SystemTx<'_>, running: Attempt) {
    let metrics = BTreeMap::from([("loss".to_owned(), 1.0)]);
    let said = [Said::Epoch { epoch: 1, step: 1, metrics }, Said::Log { line: "hello".to_owned() }];
    attempts::record(tx, running, &said, 0).await.unwrap();
    models::publish(tx, running, &artifact("weights")).await.unwrap();
    attempts::report(tx, running, Report::Succeeded, &retry()).await.unwrap().unwrap();
}

async fn tenant_tables(owner: &mut PgConnection) -> Vec<String> {
    let tables = sqlx::query_scalar(
        "select c.relname::text from pg_class c
         join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
         where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace
         order by 1",
    );
    let tables: Vec<String> = tables.fetch_all(owner).await.unwrap();
    assert!(tables.len() >= 12, "{tables:?}");
    tables
}

/// How many rows it returned or changed, or Postgres' code for why not.
pub async fn rows(connection: &mut PgConnection, statement: &str) -> Result<u64, String> {
    let done = sqlx::query(AssertSqlSafe(statement)).execute(connection).await;
    done.map(|done| done.rows_affected()).map_err(|error| code(&error))
}

fn code(error: &sqlx::Error) -> String {
    let code = error.as_database_error().and_then(|error| error.code());
    code.map_or_else(|| error.to_string(), |code| code.into_owned())
}

//! Endpoints: stable names whose calls are shared out among versions. Every split stays, with what came of
//! it; which one is in force is one number.

use domain::{EndpointId, ModelId, TenantId, Timestamp, UserId, name::Name};

use crate::{StoreError, SystemTx, TenantTx, Tx, amounts};

/// So many a tenant may have.
pub const MOST: i64 = 1_000;

#[derive(Debug, Clone)]
pub struct Endpoint {
    pub id: EndpointId,
    pub name: String,
    pub settings: Settings,
    /// The split that is in force.
    pub revision: u32,
    /// Those that answer in their order, then the shadow if there is one.
    pub targets: Vec<Target>,
    pub created_at: Timestamp,
}

#[derive(Debug, Clone)]
pub struct Settings {
    pub description: String,
    pub keep_warm: bool,
    pub max_concurrent: u32,
    pub per_second: Option<u32>,
}

#[derive(Debug, Clone)]
pub struct Target {
    pub place: u32,
    /// `tenant/model`; none where its tenant shows it no more.
    pub name: Option<String>,
    pub model: ModelId,
    pub version: u32,
    pub weight: u32,
    pub is_shadow: bool,
    pub tally: EndpointTally,
}

/// What a split sends to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewTarget {
    pub model: ModelId,
    pub version: u32,
    pub weight: u32,
    pub is_shadow: bool,
}

/// What came of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EndpointTally {
    pub requests: u64,
    pub errors: u64,
    pub rows: u64,
    pub agreed: u64,
    /// Of all requests together.
    pub micros: u64,
}

/// One target of one split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetKey {
    pub endpoint: EndpointId,
    pub revision: u32,
    pub place: u32,
}

#[derive(Debug, Clone)]
pub struct EndpointRevision {
    pub number: u32,
    /// By e-mail address.
    pub changed_by: String,
    pub created_at: Timestamp,
    pub targets: Vec<Target>,
}

/// One, or the first thousand by name; splits come with [`targets`].
async fn select(tx: &mut TenantTx<'_>, one: Option<&str>) -> Result<Vec<Endpoint>, StoreError> {
    let tenant = tx.tenant().uuid();
    let rows = sqlx::query!(
        "select id, name, description, keep_warm, max_concurrent, per_second, revision, created_at
         from endpoint where tenant_id = $1 and ($2::text is null or name = $2)
         order by name limit 1000",
        tenant,
        one,
    )
    .fetch_all(tx.conn())
    .await?;
    let endpoints = rows.into_iter().map(|row| Endpoint {
        id: EndpointId::from_uuid(row.id),
        name: row.name,
        settings: Settings {
            description: row.description,
            keep_warm: row.keep_warm,
            max_concurrent: row.max_concurrent.unsigned_abs(),
            per_second: row.per_second.map(i32::unsigned_abs),
        },
        revision: row.revision.unsigned_abs(),
        targets: Vec::new(),
        created_at: row.created_at,
    });
    Ok(endpoints.collect())
}

/// Of some splits, each with the one that it belongs to.
async fn targets(
    tx: &mut TenantTx<'_>,
    splits: &[(EndpointId, u32)],
) -> Result<Vec<(EndpointId, u32, Target)>, StoreError> {
    let tenant = tx.tenant().uuid();
    let (endpoints, revisions): (Vec<_>, Vec<_>) =
        splits.iter().map(|(id, revision)| (id.uuid(), amounts::int(*revision))).unzip();
    let rows = sqlx::query!(
        r#"select s.endpoint_id, s.revision, s.place, s.model_id, s.version, s.weight, s.is_shadow, s.requests,
                  s.errors, s.rows_answered, s.agreed, s.micros,
                  t.slug || '/' || m.name as name
           from unnest($1::uuid[], $2::int[]) asked (endpoint_id, revision)
           join endpoint_target s using (endpoint_id, revision)
           -- another tenant may have hidden it since
           left join model m on m.id = s.model_id
           left join tenant t on t.id = m.tenant_id
           where s.tenant_id = $3
           order by s.endpoint_id, s.revision desc, s.place"#,
        &endpoints,
        &revisions,
        tenant,
    )
    .fetch_all(tx.conn())
    .await?;
    let targets = rows.into_iter().map(|row| {
        let target = Target {
            place: u32::from(row.place.unsigned_abs()),
            name: row.name,
            model: ModelId::from_uuid(row.model_id),
            version: row.version.unsigned_abs(),
            weight: row.weight.unsigned_abs(),
            is_shadow: row.is_shadow,
            tally: EndpointTally {
                requests: row.requests.unsigned_abs(),
                errors: row.errors.unsigned_abs(),
                rows: row.rows_answered.unsigned_abs(),
                agreed: row.agreed.unsigned_abs(),
                micros: row.micros.unsigned_abs(),
            },
        };
        (EndpointId::from_uuid(row.endpoint_id), row.revision.unsigned_abs(), target)
    });
    Ok(targets.collect())
}

async fn with_targets(
    tx: &mut TenantTx<'_>,
    mut endpoints: Vec<Endpoint>,
) -> Result<Vec<Endpoint>, StoreError> {
    let splits: Vec<_> = endpoints.iter().map(|one| (one.id, one.revision)).collect();
    for (id, _, target) in targets(tx, &splits).await? {
        if let Some(endpoint) = endpoints.iter_mut().find(|one| one.id == id) {
            endpoint.targets.push(target);
        }
    }
    Ok(endpoints)
}

/// The tenant's own, by name.
pub async fn list(tx: &mut TenantTx<'_>) -> Result<Vec<Endpoint>, StoreError> {
    let endpoints = select(tx, None).await?;
    with_targets(tx, endpoints).await
}

pub async fn get(tx: &mut TenantTx<'_>, name: &str) -> Result<Option<Endpoint>, StoreError> {
    let endpoints = select(tx, Some(name)).await?;
    Ok(with_targets(tx, endpoints).await?.pop())
}

/// The newest hundred splits, newest first.
pub async fn revisions(
    tx: &mut TenantTx<'_>,
    endpoint: EndpointId,
) -> Result<Vec<EndpointRevision>, StoreError> {
    let tenant = tx.tenant().uuid();
    let rows = sqlx::query!(
        "select r.number, r.created_at, u.email
         from endpoint_revision r join app_user u on u.id = r.changed_by
         where r.endpoint_id = $1 and r.tenant_id = $2
         order by r.number desc limit 100",
        endpoint.uuid(),
        tenant,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut revisions: Vec<_> = rows
        .into_iter()
        .map(|row| EndpointRevision {
            number: row.number.unsigned_abs(),
            changed_by: row.email,
            created_at: row.created_at,
            targets: Vec::new(),
        })
        .collect();
    let splits: Vec<_> = revisions.iter().map(|one| (endpoint, one.number)).collect();
    for (_, number, target) in targets(tx, &splits).await? {
        if let Some(revision) = revisions.iter_mut().find(|one| one.number == number) {
            revision.targets.push(target);
        }
    }
    Ok(revisions)
}

/// What one split sends to; nothing where there was none.
pub async fn revision(
    tx: &mut TenantTx<'_>,
    endpoint: EndpointId,
    number: u32,
) -> Result<Vec<Target>, StoreError> {
    let found = targets(tx, &[(endpoint, number)]).await?;
    Ok(found.into_iter().map(|(_, _, target)| target).collect())
}

/// The name for changing it: others that change it wait, and see what this one has made of it.
pub async fn lock(tx: &mut TenantTx<'_>, name: &Name) -> Result<Option<Endpoint>, StoreError> {
    let tenant = tx.tenant().uuid();
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtextextended($1 || '/' || $2, 0))",
        tenant.to_string(),
        name.as_str(),
    )
    .execute(tx.conn())
    .await?;
    get(tx, name.as_str()).await
}

/// `None` if it would be one too many.
pub async fn create(
    tx: &mut TenantTx<'_>,
    name: &Name,
    settings: &Settings,
) -> Result<Option<EndpointId>, StoreError> {
    let tenant = tx.tenant().uuid();
    let id = EndpointId::generate();
    let made = sqlx::query!(
        "insert into endpoint
             (id, tenant_id, name, description, keep_warm, max_concurrent, per_second, revision)
         select $1, $2, $3, $4, $5, $6, $7, 0
         where (select count(*) from endpoint where tenant_id = $2) < $8",
        id.uuid(),
        tenant,
        name.as_str(),
        settings.description,
        settings.keep_warm,
        amounts::int(settings.max_concurrent),
        settings.per_second.map(amounts::int),
        MOST,
    )
    .execute(tx.conn())
    .await?;
    Ok((made.rows_affected() == 1).then_some(id))
}

pub async fn change(
    tx: &mut TenantTx<'_>,
    id: EndpointId,
    settings: &Settings,
) -> Result<(), StoreError> {
    let tenant = tx.tenant().uuid();
    sqlx::query!(
        "update endpoint set description = $3, keep_warm = $4, max_concurrent = $5, per_second = $6
         where id = $1 and tenant_id = $2",
        id.uuid(),
        tenant,
        settings.description,
        settings.keep_warm,
        amounts::int(settings.max_concurrent),
        settings.per_second.map(amounts::int),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Puts a split in force, and says its number.
pub async fn split(
    tx: &mut TenantTx<'_>,
    id: EndpointId,
    by: UserId,
    to: &[NewTarget],
) -> Result<u32, StoreError> {
    let tenant = tx.tenant().uuid();
    let number = sqlx::query_scalar!(
        "update endpoint set revision = revision + 1 where id = $1 and tenant_id = $2 returning revision",
        id.uuid(),
        tenant,
    )
    .fetch_one(tx.conn())
    .await?;
    sqlx::query!(
        "insert into endpoint_revision (endpoint_id, number, tenant_id, changed_by) values ($1, $2, $3, $4)",
        id.uuid(),
        number,
        tenant,
        by.uuid(),
    )
    .execute(tx.conn())
    .await?;
    let models: Vec<_> = to.iter().map(|one| one.model.uuid()).collect();
    let versions: Vec<_> = to.iter().map(|one| amounts::int(one.version)).collect();
    let weights: Vec<_> = to.iter().map(|one| amounts::int(one.weight)).collect();
    let shadows: Vec<_> = to.iter().map(|one| one.is_shadow).collect();
    sqlx::query!(
        "insert into endpoint_target
             (endpoint_id, revision, place, tenant_id, model_id, version, weight, is_shadow)
         select $1, $2, place - 1, $3, model, version, weight, is_shadow
         from unnest($4::uuid[], $5::int[], $6::int[], $7::bool[]) with ordinality
             target (model, version, weight, is_shadow, place)",
        id.uuid(),
        number,
        tenant,
        &models,
        &versions,
        &weights,
        &shadows,
    )
    .execute(tx.conn())
    .await?;
    Ok(number.unsigned_abs())
}

/// With its splits and what came of them. `false` if there was none.
pub async fn remove(tx: &mut TenantTx<'_>, name: &str) -> Result<bool, StoreError> {
    let tenant = tx.tenant().uuid();
    let gone =
        sqlx::query!("delete from endpoint where tenant_id = $1 and name = $2", tenant, name)
            .execute(tx.conn())
            .await?;
    Ok(gone.rows_affected() == 1)
}

/// Adds what came of calls. Rows are locked in one order, so that several gateways never wait in a circle.
pub async fn add(
    tx: &mut SystemTx<'_>,
    tallies: &[(TargetKey, EndpointTally)],
) -> Result<(), StoreError> {
    let endpoints: Vec<_> = tallies.iter().map(|(key, _)| key.endpoint.uuid()).collect();
    let revisions: Vec<_> = tallies.iter().map(|(key, _)| amounts::int(key.revision)).collect();
    let places: Vec<_> = tallies.iter().map(|(key, _)| amounts::int(key.place)).collect();
    let of = |count: fn(&EndpointTally) -> u64| -> Vec<i64> {
        tallies.iter().map(|(_, tally)| count(tally).cast_signed()).collect()
    };
    sqlx::query!(
        "with counted as (
             select * from unnest($1::uuid[], $2::int[], $3::int[], $4::bigint[], $5::bigint[], $6::bigint[],
                                  $7::bigint[], $8::bigint[])
                 counted (endpoint_id, revision, place, requests, errors, answered, agreed, micros)
         ), held as (
             select t.endpoint_id, t.revision, t.place
             from endpoint_target t join counted using (endpoint_id, revision, place)
             order by 1, 2, 3 for update of t
         )
         update endpoint_target t
         set requests = t.requests + c.requests, errors = t.errors + c.errors,
             rows_answered = t.rows_answered + c.answered, agreed = t.agreed + c.agreed,
             micros = t.micros + c.micros
         from counted c join held using (endpoint_id, revision, place)
         where t.endpoint_id = c.endpoint_id and t.revision = c.revision and t.place = c.place",
        &endpoints,
        &revisions,
        &places,
        &of(|tally| tally.requests),
        &of(|tally| tally.errors),
        &of(|tally| tally.rows),
        &of(|tally| tally.agreed),
        &of(|tally| tally.micros),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The versions that endpoints want kept in memory, each with the tenant whose endpoint it is.
pub async fn kept_warm(tx: &mut SystemTx<'_>) -> Result<Vec<(TenantId, ModelId, u32)>, StoreError> {
    let rows = sqlx::query!(
        "select distinct s.tenant_id, s.model_id, s.version
         from endpoint e join endpoint_target s on s.endpoint_id = e.id and s.revision = e.revision
         where e.keep_warm
         order by 1, 2, 3 limit 10000"
    )
    .fetch_all(tx.conn())
    .await?;
    let version = |row: (uuid::Uuid, uuid::Uuid, i32)| {
        (TenantId::from_uuid(row.0), ModelId::from_uuid(row.1), row.2.unsigned_abs())
    };
    Ok(rows.into_iter().map(|row| version((row.tenant_id, row.model_id, row.version))).collect())
}

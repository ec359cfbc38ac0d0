//! The audit log. A record is written in the transaction that does what it tells of, without a place:
//! writers of one tenant do not wait for each other. Soon after, [`seal`] gives each its place and hash
//! in the chain of its tenant, once; the database lets nobody change anything else.

use domain::{
    ApiKeyId, RecordId, RequestId, SessionId, TenantId, Timestamp, UserId,
    audit::{Chain, Entry, Finding, Record, Seal},
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Page, PageRequest, StoreError, SystemTx, Tx, datasets::digest};

/// Of the lock that one sealer holds at a time.
const SEALER: i64 = 0x6175_6469_7401;
/// No transaction of ours takes so long, and if one does its record is found by a look at all.
const RECENT_SECS: f64 = 600.0;
/// Records that are sealed in one transaction, or read at once.
const BATCH: i64 = 1_000;

/// Whose log: a tenant's, or the platform's.
fn chain_of(tenant: Option<TenantId>) -> Uuid {
    tenant.unwrap_or(TenantId::NIL).uuid()
}

fn tenant_of(chain: Uuid) -> Option<TenantId> {
    Some(TenantId::from_uuid(chain)).filter(|tenant| *tenant != TenantId::NIL)
}

/// Lands with what the transaction does, or not at all.
pub async fn append(
    tx: &mut impl Tx,
    tenant: Option<TenantId>,
    entry: &Entry,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into audit_record
             (tenant_id, id, user_id, key_id, session_id, role, address, action, object_kind, object_id,
              result, request_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        chain_of(tenant),
        RecordId::generate().uuid(),
        entry.user.map(UserId::uuid),
        entry.key.map(ApiKeyId::uuid),
        entry.session.map(SessionId::uuid),
        entry.role.as_deref(),
        entry.address.as_deref(),
        entry.action,
        entry.object_kind.as_deref(),
        entry.object.as_deref(),
        entry.result,
        entry.request.map(RequestId::uuid),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

struct Row {
    tenant_id: Uuid,
    id: Uuid,
    at: Timestamp,
    user_id: Option<Uuid>,
    key_id: Option<Uuid>,
    session_id: Option<Uuid>,
    role: Option<String>,
    address: Option<String>,
    action: String,
    object_kind: Option<String>,
    object_id: Option<String>,
    result: String,
    request_id: Option<Uuid>,
    place: Option<i64>,
    hash: Option<Vec<u8>>,
}

impl TryFrom<Row> for Record {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let seal =
            row.place.zip(row.hash).map(|(place, hash)| seal_of(place, &hash)).transpose()?;
        let entry = Entry {
            user: row.user_id.map(UserId::from_uuid),
            key: row.key_id.map(ApiKeyId::from_uuid),
            session: row.session_id.map(SessionId::from_uuid),
            role: row.role,
            address: row.address,
            action: row.action,
            object_kind: row.object_kind,
            object: row.object_id,
            result: row.result,
            request: row.request_id.map(RequestId::from_uuid),
        };
        let (id, tenant) = (RecordId::from_uuid(row.id), tenant_of(row.tenant_id));
        Ok(Self { id, tenant, at: row.at, entry, seal })
    }
}

fn seal_of(place: i64, hash: &[u8]) -> Result<Seal, StoreError> {
    let hash = digest(hash, "audit_record", "hash")?;
    Ok(Seal { place: place.unsigned_abs(), hash })
}

/// Where to look for records that have no place yet. What was sealed stays in the index that finds them
/// while somebody's snapshot is open, an hour's worth in an hour: looking at all of it each time would take
/// longer and longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// From the beginning.
    All,
    /// Those of transactions that began within the last minutes.
    Recent,
}

/// Gives the oldest records that have none their place and hash; how many these were. Zero also while
/// another process does it.
pub async fn seal(tx: &mut SystemTx<'_>, look: Look) -> Result<usize, StoreError> {
    let alone = sqlx::query_scalar!(r#"select pg_try_advisory_xact_lock($1) as "alone!""#, SEALER);
    if !alone.fetch_one(tx.conn()).await? {
        return Ok(0);
    }
    let rows = sqlx::query_as!(
        Row,
        "select tenant_id, id, at, user_id, key_id, session_id, role, address, action, object_kind,
                object_id, result, request_id, place, hash
         from audit_record
         where place is null and at >= coalesce(now() - make_interval(secs => $2), '-infinity')
         order by at, id
         limit $1",
        BATCH,
        (look == Look::Recent).then_some(RECENT_SECS),
    )
    .fetch_all(tx.conn())
    .await?;
    let mut records = rows.into_iter().map(Record::try_from).collect::<Result<Vec<_>, _>>()?;
    // each chain in one go, its records still in their order
    records.sort_by_key(|record| record.tenant);
    for chain in records.chunk_by(|one, next| one.tenant == next.tenant) {
        seal_chain(tx.conn(), chain).await?;
    }
    Ok(records.len())
}

/// All of one tenant, and at least one.
async fn seal_chain(conn: &mut PgConnection, records: &[Record]) -> Result<(), StoreError> {
    let chain = chain_of(records[0].tenant);
    let mut last = head_of(conn, chain).await?.unwrap_or_default();
    let (mut ids, mut places, mut hashes) = (Vec::new(), Vec::new(), Vec::new());
    for record in records {
        last = last.next(record);
        ids.push(record.id.uuid());
        places.push(last.place as i64);
        hashes.push(last.hash.as_bytes().to_vec());
    }
    sqlx::query!(
        "update audit_record r set place = s.place, hash = s.hash
         from unnest($2::uuid[], $3::bigint[], $4::bytea[]) as s (id, place, hash)
         where r.tenant_id = $1 and r.id = s.id",
        chain,
        &ids,
        &places,
        &hashes,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "insert into audit_head (tenant_id, place, hash) values ($1, $2, $3)
         on conflict (tenant_id) do update set place = excluded.place, hash = excluded.hash",
        chain,
        last.place as i64,
        last.hash.as_bytes(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn head_of(conn: &mut PgConnection, chain: Uuid) -> Result<Option<Seal>, StoreError> {
    let row = sqlx::query!("select place, hash from audit_head where tenant_id = $1", chain)
        .fetch_optional(conn)
        .await?;
    row.map(|row| seal_of(row.place, &row.hash)).transpose()
}

/// The last place and hash of a tenant's log, or of the platform's; `None` before the first.
pub async fn head(tx: &mut impl Tx, tenant: Option<TenantId>) -> Result<Option<Seal>, StoreError> {
    head_of(tx.conn(), chain_of(tenant)).await
}

/// Every log that has a record or a head.
pub async fn chains(tx: &mut SystemTx<'_>) -> Result<Vec<Option<TenantId>>, StoreError> {
    // one look into the index for each: there are many records, and few logs
    let chains = sqlx::query_scalar!(
        r#"with recursive chain as (
               (select tenant_id from audit_record order by tenant_id limit 1)
               union all
               select (select r.tenant_id from audit_record r
                       where r.tenant_id > chain.tenant_id order by r.tenant_id limit 1)
               from chain where chain.tenant_id is not null)
           select tenant_id as "tenant_id!" from chain where tenant_id is not null
           union select tenant_id from audit_head
           order by 1"#,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(chains.into_iter().map(tenant_of).collect())
}

/// What is wrong with a log, and its head. `kept` are heads of earlier times.
pub async fn verify(
    tx: &mut SystemTx<'_>,
    tenant: Option<TenantId>,
    kept: Vec<Seal>,
) -> Result<(Option<Seal>, Vec<Finding>), StoreError> {
    // a snapshot of its own for each statement: what is sealed meanwhile is left for the next time
    let state = sqlx::query!(
        r#"select (select max(place) from audit_record where tenant_id = $1) as last,
                  h.place as "place?", h.hash as "hash?"
           from (select) one left join audit_head h on h.tenant_id = $1"#,
        chain_of(tenant),
    )
    .fetch_one(tx.conn())
    .await?;
    let head =
        state.place.zip(state.hash).map(|(place, hash)| seal_of(place, &hash)).transpose()?;
    let last = state.last.map_or(0, i64::unsigned_abs);
    let mut chain = Chain::new(head, kept);
    while chain.place() <= last {
        let records = sealed(tx, tenant, chain.place(), &Filter::default()).await?;
        let found = records.len();
        for record in records.iter().filter(|record| record.seal.is_some_and(|s| s.place <= last)) {
            chain.follow(record.seal.unwrap_or_default(), record);
        }
        if (found as i64) < BATCH {
            break;
        }
    }
    Ok((head, chain.end()))
}

/// What of a log is asked for; what is absent is not asked about.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub user: Option<UserId>,
    pub action: Option<String>,
    pub object: Option<String>,
    pub result: Option<String>,
    pub from: Option<Timestamp>,
    /// The first moment after.
    pub until: Option<Timestamp>,
}

/// The newest first.
pub async fn list(
    tx: &mut impl Tx,
    tenant: Option<TenantId>,
    filter: &Filter,
    page: PageRequest,
) -> Result<Page<Record>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        "select tenant_id, id, at, user_id, key_id, session_id, role, address, action, object_kind,
                object_id, result, request_id, place, hash
         from audit_record
         where tenant_id = $1
           and ($2::uuid is null or id < $2)
           and ($3::uuid is null or user_id = $3)
           and ($4::text is null or action = $4)
           and ($5::text is null or object_id = $5)
           and ($6::text is null or result = $6)
           and ($7::timestamptz is null or at >= $7)
           and ($8::timestamptz is null or at < $8)
         order by id desc
         limit $9",
        chain_of(tenant),
        page.before,
        filter.user.map(UserId::uuid),
        filter.action.as_deref(),
        filter.object.as_deref(),
        filter.result.as_deref(),
        filter.from,
        filter.until,
        page.fetch(),
    )
    .fetch_all(tx.conn())
    .await?;
    let records = rows.into_iter().map(Record::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::of(records, page))
}

/// The next ones in the order of the chain, from a place on; fewer than all only where there are more.
pub async fn sealed(
    tx: &mut impl Tx,
    tenant: Option<TenantId>,
    from: u64,
    filter: &Filter,
) -> Result<Vec<Record>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        "select tenant_id, id, at, user_id, key_id, session_id, role, address, action, object_kind,
                object_id, result, request_id, place, hash
         from audit_record
         where tenant_id = $1 and place >= $2
           and ($3::uuid is null or user_id = $3)
           and ($4::text is null or action = $4)
           and ($5::text is null or object_id = $5)
           and ($6::text is null or result = $6)
           and ($7::timestamptz is null or at >= $7)
           and ($8::timestamptz is null or at < $8)
         order by place
         limit $9",
        chain_of(tenant),
        i64::try_from(from).unwrap_or(i64::MAX),
        filter.user.map(UserId::uuid),
        filter.action.as_deref(),
        filter.object.as_deref(),
        filter.result.as_deref(),
        filter.from,
        filter.until,
        BATCH,
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(Record::try_from).collect()
}

/// How many wait for their place.
pub async fn unsealed(tx: &mut SystemTx<'_>) -> Result<u64, StoreError> {
    let count =
        sqlx::query_scalar!(r#"select count(*) as "count!" from audit_record where place is null"#);
    Ok(count.fetch_one(tx.conn()).await?.unsigned_abs())
}

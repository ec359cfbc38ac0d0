//! What has changed, for the scheduler: everybody who changes what it decides by notes it in the same
//! transaction, and the scheduler reads from where it was.
//!
//! Transactions do not commit in the order of their numbers. A reader therefore remembers the oldest
//! transaction that was still running when it looked, and looks again at everything from there on; what
//! it has seen, it skips.

use std::collections::BTreeMap;

use domain::{JobId, PoolId, TenantId, WorkerId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{StoreError, SystemTx, Tx};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    Job(JobId),
    Worker(WorkerId),
    /// How many jobs it may run, and at what cost.
    Tenant(TenantId),
    /// Its quotas, in every pool.
    Quota(TenantId),
    /// What an hour costs in it.
    Pool(PoolId),
}

impl Change {
    const fn row(self) -> (&'static str, Uuid) {
        match self {
            Self::Job(id) => ("job", id.uuid()),
            Self::Worker(id) => ("worker", id.uuid()),
            Self::Tenant(id) => ("tenant", id.uuid()),
            Self::Quota(id) => ("quota", id.uuid()),
            Self::Pool(id) => ("pool", id.uuid()),
        }
    }
}

/// A change as it was noted.
#[derive(sqlx::FromRow)]
pub(crate) struct Note {
    number: i64,
    /// The transaction that wrote it.
    xid: i64,
    kind: String,
    changed: Uuid,
}

impl Note {
    fn change(&self) -> Option<Change> {
        let id = self.changed;
        match self.kind.as_str() {
            "job" => Some(Change::Job(JobId::from_uuid(id))),
            "worker" => Some(Change::Worker(WorkerId::from_uuid(id))),
            "tenant" => Some(Change::Tenant(TenantId::from_uuid(id))),
            "quota" => Some(Change::Quota(TenantId::from_uuid(id))),
            "pool" => Some(Change::Pool(PoolId::from_uuid(id))),
            _ => None,
        }
    }
}

pub(crate) async fn note(conn: &mut PgConnection, changes: &[Change]) -> Result<(), StoreError> {
    if changes.is_empty() {
        return Ok(());
    }
    let (kinds, ids): (Vec<_>, Vec<_>) =
        changes.iter().map(|change| change.row()).map(|(kind, id)| (kind.to_owned(), id)).unzip();
    sqlx::query!(
        "insert into change (kind, id) select * from unnest($1::text[], $2::uuid[])",
        &kinds,
        &ids,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A part's three statements: a table's name cannot be a parameter.
macro_rules! parted {
    ($name:literal) => {
        (
            concat!("lock table ", $name, " in access exclusive mode nowait"),
            concat!(
                "select exists (select from ",
                $name,
                " where xid >= $1::bigint::text::xid8 and number <> all ($2))"
            ),
            concat!("truncate ", $name),
        )
    };
}

/// Up to where a reader has followed.
#[derive(Debug, Clone, Default)]
pub struct Cursor {
    /// Every transaction before this one has been seen whole.
    horizon: i64,
    /// Notes of later ones that have been seen, with their transactions.
    seen: BTreeMap<i64, i64>,
}

impl Cursor {
    /// From now on: for a reader that reads everything in the same transaction.
    pub async fn at_present(tx: &mut SystemTx<'_>) -> Result<Self, StoreError> {
        let horizon = sqlx::query_scalar!(
            r#"select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as "xmin!""#
        )
        .fetch_one(tx.conn())
        .await?;
        // what this transaction sees of later ones, it sees in all that it reads
        let notes: Vec<Note> = sqlx::query_as(
            "select number, xid::text::bigint as xid, kind, id as changed from change
             where xid >= $1::bigint::text::xid8",
        )
        .bind(horizon)
        .fetch_all(tx.conn())
        .await?;
        let mut cursor = Self { horizon, seen: BTreeMap::new() };
        cursor.advance(horizon, &notes);
        Ok(cursor)
    }

    pub(crate) const fn horizon(&self) -> i64 {
        self.horizon
    }

    /// Notes from the horizon on that need not be read again.
    pub(crate) fn seen(&self) -> Vec<i64> {
        self.seen.keys().copied().collect()
    }

    /// Past these notes, of a look before which all transactions up to `horizon` had ended: what has changed,
    /// each once.
    pub(crate) fn advance(&mut self, horizon: i64, notes: &[Note]) -> Vec<Change> {
        let unseen = notes.iter().filter(|note| self.seen.insert(note.number, note.xid).is_none());
        let mut changes: Vec<_> = unseen.filter_map(Note::change).collect();
        self.horizon = horizon;
        self.seen.retain(|_, xid| *xid >= horizon);
        changes.sort_unstable();
        changes.dedup();
        changes
    }

    /// Empties the part of two minutes ago, if everything in it has been read and nobody is looking at
    /// it; otherwise another time will do.
    pub async fn truncate(&self, tx: &mut SystemTx<'_>) -> Result<bool, StoreError> {
        let part = sqlx::query_scalar!(
            r#"select ((extract(epoch from now())::bigint / 60 + 2) % 4)::int as "part!""#
        )
        .fetch_one(tx.conn())
        .await?;
        let (lock, unread, truncate) = match part {
            0 => parted!("change_0"),
            1 => parted!("change_1"),
            2 => parted!("change_2"),
            _ => parted!("change_3"),
        };
        let locked = sqlx::query(lock).execute(tx.conn()).await;
        if let Err(error) = locked {
            let busy =
                error.as_database_error().is_some_and(|e| e.code().as_deref() == Some("55P03"));
            return if busy { Ok(false) } else { Err(error.into()) };
        }
        let unread: bool = sqlx::query_scalar(unread)
            .bind(self.horizon)
            .bind(self.seen())
            .fetch_one(tx.conn())
            .await?;
        if !unread {
            sqlx::query(truncate).execute(tx.conn()).await?;
        }
        Ok(!unread)
    }
}

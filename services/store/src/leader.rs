//! Who leads: a lease in the database's time. A leader that was paused past its lease finds, at its
//! next write, that the term is no longer its own.

use std::time::Duration;

use domain::Timestamp;
use uuid::Uuid;

use crate::{StoreError, SystemTx, Tx};

/// Proof that this process holds the lead, good for the transaction that checked it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaderLease {
    pub(crate) name: &'static str,
    pub(crate) holder: Uuid,
    pub(crate) term: i64,
}

/// Takes or renews the lead; `None` while somebody else holds it.
pub async fn acquire(
    tx: &mut SystemTx<'_>,
    name: &'static str,
    holder: Uuid,
    lease: Duration,
) -> Result<Option<LeaderLease>, StoreError> {
    let term = sqlx::query_scalar!(
        "insert into leader (name, holder, term, until)
         values ($1, $2, 1, now() + make_interval(secs => $3))
         on conflict (name) do update
             set holder = excluded.holder,
                 term = leader.term + (leader.holder <> excluded.holder)::int,
                 until = excluded.until
             -- ours already, or free, or given by a clock that has gone back since
             where leader.holder = excluded.holder or leader.until < now()
                or leader.until > now() + 2 * make_interval(secs => $3)
         returning term",
        name,
        holder,
        lease.as_secs_f64(),
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(term.map(|term| LeaderLease { name, holder, term }))
}

/// Who has led last, and in which term; `None` before the first.
pub async fn holder(tx: &mut SystemTx<'_>, name: &str) -> Result<Option<(Uuid, i64)>, StoreError> {
    let row = sqlx::query!("select holder, term from leader where name = $1", name)
        .fetch_optional(tx.conn())
        .await?;
    Ok(row.map(|row| (row.holder, row.term)))
}

/// Proof that nobody else can take the lead until the transaction ends that found it so: see
/// [`follow`](crate::schedule::follow).
#[derive(Debug, Clone, Copy)]
pub struct Held {
    /// The present, and not the beginning of the transaction: no earlier than anything that it has seen, so
    /// that what starts by a plan starts after what the plan knows to have ended.
    pub now: Timestamp,
}

/// Lets go of the lead, so that the next one need not wait for the lease to run out.
pub async fn release(tx: &mut SystemTx<'_>, lease: &LeaderLease) -> Result<(), StoreError> {
    sqlx::query!(
        "update leader set until = now() where name = $1 and holder = $2 and term = $3",
        lease.name,
        lease.holder,
        lease.term,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

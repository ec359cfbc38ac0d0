//! Serving replicas, as gateways find them.

use std::time::Duration;

use domain::{ReplicaId, Timestamp};

use crate::{StoreError, SystemTx, Tx, tenant_keys::WrappedKey};

/// What gateways say to a replica.
#[derive(Clone)]
pub enum Secret {
    /// There was no master key.
    Plain(Vec<u8>),
    Wrapped(WrappedKey),
}

pub struct Replica {
    pub id: ReplicaId,
    /// Where gateways reach it.
    pub url: String,
    pub secret: Secret,
    /// It finishes what it was asked, and is asked no more.
    pub leaving: bool,
    pub heartbeat_at: Timestamp,
}

/// A replica introduces itself. Whoever was at its address is gone, and so is whoever has been silent for an hour.
pub async fn register(
    tx: &mut SystemTx<'_>,
    id: ReplicaId,
    url: &str,
    secret: &Secret,
) -> Result<(), StoreError> {
    sqlx::query!(
        "delete from serving_replica
         where url = $1 or heartbeat_at < now() - interval '1 hour'",
        url,
    )
    .execute(tx.conn())
    .await?;
    let (master, bytes) = match secret {
        Secret::Plain(bytes) => (None, bytes),
        Secret::Wrapped(WrappedKey { master, bytes }) => (Some(master), bytes),
    };
    sqlx::query!(
        "insert into serving_replica (id, url, master, secret) values ($1, $2, $3, $4)",
        id.uuid(),
        url,
        master,
        bytes,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// It is still there. `false` if its row is not.
pub async fn beat(tx: &mut SystemTx<'_>, id: ReplicaId, leaving: bool) -> Result<bool, StoreError> {
    let heard = sqlx::query!(
        "update serving_replica set heartbeat_at = now(), leaving = $2 where id = $1",
        id.uuid(),
        leaving,
    )
    .execute(tx.conn())
    .await?;
    Ok(heard.rows_affected() == 1)
}

/// It has ended.
pub async fn remove(tx: &mut SystemTx<'_>, id: ReplicaId) -> Result<(), StoreError> {
    sqlx::query!("delete from serving_replica where id = $1", id.uuid()).execute(tx.conn()).await?;
    Ok(())
}

/// Those that were heard within `silence`.
pub async fn live(tx: &mut SystemTx<'_>, silence: Duration) -> Result<Vec<Replica>, StoreError> {
    let rows = sqlx::query!(
        "select id, url, master, secret, leaving, heartbeat_at from serving_replica
         where heartbeat_at between now() - make_interval(secs => $1)
                                and now() + make_interval(secs => $1)
         order by url",
        silence.as_secs_f64(),
    )
    .fetch_all(tx.conn())
    .await?;
    let replica = rows.into_iter().map(|row| Replica {
        id: ReplicaId::from_uuid(row.id),
        url: row.url,
        secret: match row.master {
            Some(master) => Secret::Wrapped(WrappedKey { master, bytes: row.secret }),
            None => Secret::Plain(row.secret),
        },
        leaving: row.leaving,
        heartbeat_at: row.heartbeat_at,
    });
    Ok(replica.collect())
}

//! Workers: who is there, with how much, and whether it still answers.

use std::time::Duration;

use domain::{Timestamp, WorkerId, spec::Resources};

use crate::{StoreError, SystemTx, Tx};

#[derive(Debug, Clone)]
pub struct Worker {
    pub id: WorkerId,
    pub name: String,
    pub capacity: Resources,
    /// `up`, `draining` or `gone`.
    pub state: String,
    pub registered_at: Timestamp,
    pub heartbeat_at: Timestamp,
    pub running: i64,
}

/// A process introduces itself. An earlier process under the same name is gone: its attempts are
/// taken back at the scheduler's next tick instead of when their leases run out.
pub async fn register(
    tx: &mut SystemTx<'_>,
    id: WorkerId,
    name: &str,
    capacity: Resources,
) -> Result<(), StoreError> {
    sqlx::query!("update worker set state = 'gone' where name = $1 and state <> 'gone'", name)
        .execute(tx.conn())
        .await?;
    sqlx::query!(
        "insert into worker (id, name, cpu_milli, memory_bytes) values ($1, $2, $3, $4)",
        id.uuid(),
        name,
        i32::try_from(capacity.cpu_milli).unwrap_or(i32::MAX),
        i64::try_from(capacity.memory_bytes).unwrap_or(i64::MAX),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// No new work for this one: it is about to leave.
pub async fn drain(tx: &mut SystemTx<'_>, id: WorkerId) -> Result<(), StoreError> {
    sqlx::query!("update worker set state = 'draining' where id = $1 and state = 'up'", id.uuid())
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub async fn leave(tx: &mut SystemTx<'_>, id: WorkerId) -> Result<(), StoreError> {
    sqlx::query!("update worker set state = 'gone' where id = $1", id.uuid())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// How the platform sees a process that thinks it is a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Registered,
    /// It was silent for too long and has been given up.
    GivenUp,
    /// A newer process speaks under its name.
    Replaced,
}

pub async fn standing(tx: &mut SystemTx<'_>, id: WorkerId) -> Result<Standing, StoreError> {
    let row = sqlx::query!(
        r#"select w.state = 'gone' as "gone!",
                  exists (select from worker n
                          where n.name = w.name and n.id <> w.id and n.state <> 'gone') as "replaced!"
           from worker w where w.id = $1"#,
        id.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(match row {
        Some(row) if !row.gone => Standing::Registered,
        Some(row) if row.replaced => Standing::Replaced,
        _ => Standing::GivenUp,
    })
}

/// Those that have not answered for `silence` are gone.
pub async fn bury_silent(tx: &mut SystemTx<'_>, silence: Duration) -> Result<u64, StoreError> {
    let buried = sqlx::query!(
        "update worker set state = 'gone'
         where state <> 'gone' and heartbeat_at < now() - make_interval(secs => $1)",
        silence.as_secs_f64(),
    )
    .execute(tx.conn())
    .await?;
    Ok(buried.rows_affected())
}

/// Those that are up or draining, and those that left within the last day.
pub async fn list(tx: &mut SystemTx<'_>) -> Result<Vec<Worker>, StoreError> {
    let rows = sqlx::query!(
        r#"select w.id, w.name, w.cpu_milli, w.memory_bytes, w.state, w.registered_at, w.heartbeat_at,
                  (select count(*) from job j
                   where j.worker_id = w.id and j.status in ('starting', 'running', 'stopping'))
                      as "running!"
           from worker w
           where w.state <> 'gone' or w.heartbeat_at > now() - interval '1 day'
           order by w.state <> 'up', w.name, w.id
           limit 1000"#,
    )
    .fetch_all(tx.conn())
    .await?;
    let worker = rows.into_iter().map(|row| Worker {
        id: WorkerId::from_uuid(row.id),
        name: row.name,
        capacity: Resources {
            cpu_milli: row.cpu_milli.unsigned_abs(),
            memory_bytes: row.memory_bytes.unsigned_abs(),
        },
        state: row.state,
        registered_at: row.registered_at,
        heartbeat_at: row.heartbeat_at,
        running: row.running,
    });
    Ok(worker.collect())
}

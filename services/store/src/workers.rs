//! Workers: who is there, with how much, and whether it still answers.

use std::time::Duration;

use domain::{Resources, Timestamp, WorkerId, world::WorkerState};
use uuid::Uuid;

use crate::{
    StoreError, SystemTx, Tx,
    changes::{self, Change},
};

#[derive(Debug, Clone)]
pub struct Worker {
    pub id: WorkerId,
    pub name: String,
    pub pool: String,
    pub capacity: Resources,
    /// `up`, `cordoned`, `draining` or `gone`.
    pub state: String,
    pub registered_at: Timestamp,
    pub heartbeat_at: Timestamp,
    pub running: i64,
}

/// What a process says of itself when it introduces itself.
#[derive(Debug, Clone)]
pub struct NewWorker<'a> {
    pub id: WorkerId,
    pub name: &'a str,
    pub pool: &'a str,
    pub capacity: Resources,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registered {
    Registered,
    /// There is no pool of that name.
    NoSuchPool,
}

/// A process introduces itself. An earlier process under the same name is gone: its attempts are
/// taken back at the scheduler's next tick instead of when their leases run out.
pub async fn register(
    tx: &mut SystemTx<'_>,
    worker: &NewWorker<'_>,
) -> Result<Registered, StoreError> {
    let replaced = sqlx::query_scalar!(
        "update worker set state = 'gone' where name = $1 and state <> 'gone' returning id",
        worker.name,
    )
    .fetch_all(tx.conn())
    .await?;
    empty_seats(tx, &replaced).await?;
    let accelerators = worker.capacity.accelerator_milli / 1_000;
    let made = sqlx::query!(
        "insert into worker (id, name, cpu_milli, memory_bytes, accelerators, pool_id)
         select $1, $2, $3, $4, $5, id from pool where name = $6",
        worker.id.uuid(),
        worker.name,
        i32::try_from(worker.capacity.cpu_milli).unwrap_or(i32::MAX),
        i64::try_from(worker.capacity.memory_bytes).unwrap_or(i64::MAX),
        i32::try_from(accelerators.min(64)).unwrap_or(64),
        worker.pool,
    )
    .execute(tx.conn())
    .await?;
    if made.rows_affected() == 0 {
        return Ok(Registered::NoSuchPool);
    }
    let replaced = replaced.into_iter().map(|id| Change::Worker(WorkerId::from_uuid(id)));
    let news: Vec<_> = replaced.chain([Change::Worker(worker.id)]).collect();
    changes::note(tx.conn(), &news).await?;
    Ok(Registered::Registered)
}

/// Says what may be placed on a worker; false if it is gone, or there is none of that id.
pub async fn set_state(
    tx: &mut SystemTx<'_>,
    id: WorkerId,
    state: WorkerState,
) -> Result<bool, StoreError> {
    let set = sqlx::query!(
        "update worker set state = $2 where id = $1 and state <> 'gone'",
        id.uuid(),
        state.as_str(),
    )
    .execute(tx.conn())
    .await?;
    if state == WorkerState::Gone {
        empty_seats(tx, &[id.uuid()]).await?;
    }
    changes::note(tx.conn(), &[Change::Worker(id)]).await?;
    Ok(set.rows_affected() > 0)
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

/// Those that have not answered for `silence` are gone; who they are. A heartbeat from the future, by a
/// clock that has gone back since, counts from now on.
pub async fn bury_silent(
    tx: &mut SystemTx<'_>,
    silence: Duration,
) -> Result<Vec<WorkerId>, StoreError> {
    let rows = sqlx::query!(
        r#"update worker set
             state = case when heartbeat_at < now() then 'gone' else state end,
             heartbeat_at = least(heartbeat_at, now())
           where state <> 'gone'
             and heartbeat_at not between now() - make_interval(secs => $1)
                                      and now() + make_interval(secs => $1)
           returning id, state = 'gone' as "gone!""#,
        silence.as_secs_f64(),
    )
    .fetch_all(tx.conn())
    .await?;
    let buried: Vec<_> = rows.into_iter().filter(|row| row.gone).map(|row| row.id).collect();
    empty_seats(tx, &buried).await?;
    Ok(buried.into_iter().map(WorkerId::from_uuid).collect())
}

/// Of workers that are gone, no process counts any more.
async fn empty_seats(tx: &mut SystemTx<'_>, gone: &[Uuid]) -> Result<(), StoreError> {
    if !gone.is_empty() {
        sqlx::query!(
            "update seat set left_at = now() where worker_id = any($1) and left_at is null",
            gone,
        )
        .execute(tx.conn())
        .await?;
    }
    Ok(())
}

/// Those that are up or draining, and those that left within the last day.
pub async fn list(tx: &mut SystemTx<'_>) -> Result<Vec<Worker>, StoreError> {
    let rows = sqlx::query!(
        r#"select w.id, w.name, w.cpu_milli, w.memory_bytes, w.state, w.registered_at, w.heartbeat_at,
                  w.accelerators, p.name as pool,
                  (select count(*) from attempt a
                   where a.worker_id = w.id and a.ended_at is null)
                  + (select count(*) from seat s
                     where s.worker_id = w.id and s.rank > 0 and s.left_at is null) as "running!"
           from worker w join pool p on p.id = w.pool_id
           where w.state <> 'gone' or w.heartbeat_at > now() - interval '1 day'
           order by w.state <> 'up', w.name, w.id
           limit 1000"#,
    )
    .fetch_all(tx.conn())
    .await?;
    let worker = rows.into_iter().map(|row| Worker {
        id: WorkerId::from_uuid(row.id),
        name: row.name,
        pool: row.pool,
        capacity: Resources {
            cpu_milli: row.cpu_milli.unsigned_abs().into(),
            memory_bytes: row.memory_bytes.unsigned_abs(),
            accelerator_milli: u64::from(row.accelerators.unsigned_abs()) * 1_000,
        },
        state: row.state,
        registered_at: row.registered_at,
        heartbeat_at: row.heartbeat_at,
        running: row.running,
    });
    Ok(worker.collect())
}

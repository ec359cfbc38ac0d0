//! Workers: who is there, with how much, and whether it still answers.

use std::time::Duration;

use domain::{Resources, Timestamp, WorkerId, world::WorkerState};
use uuid::Uuid;

use crate::{
    Page, StoreError, SystemTx, Tx, amounts,
    changes::{self, Change},
};

/// On one page.
pub const MOST: i64 = 1_000;

#[derive(Debug, Clone)]
pub struct Worker {
    pub id: WorkerId,
    pub name: String,
    pub pool: String,
    /// The kind that it has, if it has any.
    pub accelerator: Option<String>,
    pub capacity: Resources,
    /// By live attempts, and by what is left of others until their processes have ended.
    pub used: Resources,
    /// `up`, `cordoned`, `draining` or `gone`.
    pub state: String,
    pub registered_at: Timestamp,
    pub heartbeat_at: Timestamp,
    pub running: i64,
}

/// How full the workers of a pool are: each by the resource that it has least left of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    pub pool: String,
    /// Workers by tenths of it: the first less than a tenth full, the last nine tenths and more.
    pub tenths: Vec<i64>,
    pub idle: i64,
    pub cordoned: i64,
    pub draining: i64,
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

/// Those that are there, and those that left within the last day, by pool and name.
pub async fn list(
    tx: &mut SystemTx<'_>,
    after: Option<WorkerId>,
    limit: i64,
) -> Result<Page<Worker>, StoreError> {
    let limit = limit.clamp(1, MOST);
    let rows = sqlx::query!(
        r#"with page as (
               select w.*, p.name as pool, p.accelerator
               from worker w join pool p on p.id = w.pool_id
               where (w.state <> 'gone' or w.heartbeat_at > now() - interval '1 day')
                 and ($1::uuid is null or (p.name, w.name, w.id) > (
                     select q.name, v.name, v.id from worker v join pool q on q.id = v.pool_id
                     where v.id = $1))
               order by p.name, w.name, w.id
               limit $2
           )
           select w.id, w.name, w.pool, w.accelerator, w.cpu_milli, w.memory_bytes, w.accelerators, w.state,
                  w.registered_at, w.heartbeat_at, u.running as "running!",
                  u.cpu_milli as "used_cpu_milli!", u.memory_bytes as "used_memory_bytes!",
                  u.accelerator_milli as "used_accelerator_milli!"
           from page w cross join lateral use_of(w.id) u
           order by w.pool, w.name, w.id"#,
        after.map(WorkerId::uuid),
        limit + 1,
    )
    .fetch_all(tx.conn())
    .await?;
    let has_more = rows.len() as i64 > limit;
    let worker = rows.into_iter().map(|row| Worker {
        id: WorkerId::from_uuid(row.id),
        name: row.name,
        pool: row.pool,
        accelerator: row.accelerator.filter(|_| row.accelerators > 0),
        capacity: amounts::resources(
            row.cpu_milli.into(),
            row.memory_bytes,
            i64::from(row.accelerators) * 1_000,
        ),
        used: amounts::resources(
            row.used_cpu_milli,
            row.used_memory_bytes,
            row.used_accelerator_milli,
        ),
        state: row.state,
        registered_at: row.registered_at,
        heartbeat_at: row.heartbeat_at,
        running: row.running,
    });
    let mut items: Vec<_> = worker.collect();
    items.truncate(limit as usize);
    Ok(Page { items, has_more })
}

/// How full every pool is, however many workers it has.
pub async fn loads(tx: &mut SystemTx<'_>) -> Result<Vec<Load>, StoreError> {
    let rows = sqlx::query!(
        r#"with worker_share as (
               select w.pool_id, w.state,
                      greatest(u.cpu_milli::float8 / w.cpu_milli, u.memory_bytes::float8 / w.memory_bytes,
                               u.accelerator_milli::float8 / nullif(w.accelerators * 1000, 0)) as share
               from worker w cross join lateral use_of(w.id) u
               where w.state <> 'gone'
           )
           select p.name,
                  array[count(*) filter (where s.tenth = 0),
                        count(*) filter (where s.tenth = 1),
                        count(*) filter (where s.tenth = 2),
                        count(*) filter (where s.tenth = 3),
                        count(*) filter (where s.tenth = 4),
                        count(*) filter (where s.tenth = 5),
                        count(*) filter (where s.tenth = 6),
                        count(*) filter (where s.tenth = 7),
                        count(*) filter (where s.tenth = 8),
                        count(*) filter (where s.tenth = 9)] as "tenths!",
                  count(*) filter (where s.share = 0) as "idle!",
                  count(*) filter (where s.state = 'cordoned') as "cordoned!",
                  count(*) filter (where s.state = 'draining') as "draining!"
           from (select *, least(floor(share * 10), 9) as tenth from worker_share) s
           join pool p on p.id = s.pool_id
           group by p.name
           order by p.name
           limit 1000"#,
    )
    .fetch_all(tx.conn())
    .await?;
    let load = rows.into_iter().map(|row| Load {
        pool: row.name,
        tenths: row.tenths,
        idle: row.idle,
        cordoned: row.cordoned,
        draining: row.draining,
    });
    Ok(load.collect())
}

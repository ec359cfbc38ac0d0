//! How pools were shared over time: what each tenant used of what is guaranteed to it, and what it had borrowed.
//! The scheduler writes down what it knows once a minute. What is older is merged, to ten minutes and then to an
//! hour, and goes in the end: a pool's history has at most `(24 · 60 + 7 · 144 + 90 · 24) · (TENANTS + 1)` rows.

use std::{cmp::Reverse, collections::BTreeMap};

use chrono::{Duration, DurationRound, TimeDelta};
use domain::{PoolId, Resources, TenantId, Timestamp};

use crate::{StoreError, SystemTx, Tx, amounts};

/// Of a moment, so many tenants have rows of their own: those that had most.
pub const TENANTS: usize = 50;
/// Rows of so many minutes become rows of so many once they are older than this.
const MERGED: [(i32, i32, Duration); 2] =
    [(1, 10, TimeDelta::hours(24)), (10, 60, TimeDelta::days(7))];
/// Rows of hours go after this.
pub const KEPT: Duration = TimeDelta::days(90);

/// CPUs and accelerators that a tenant, or all of them, had.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Had {
    /// Of what is guaranteed to it.
    pub guaranteed: Resources,
    /// Beyond that.
    pub borrowed: Resources,
}

impl Had {
    /// CPUs and accelerators of each, as columns have them.
    fn of(guaranteed: (i64, i64), borrowed: (i64, i64)) -> Self {
        let [guaranteed, borrowed] = [guaranteed, borrowed]
            .map(|(cpu, accelerator)| amounts::resources(cpu, 0, accelerator));
        Self { guaranteed, borrowed }
    }
}

/// A pool at a moment.
#[derive(Debug, Clone, Default)]
pub struct Moment {
    pub capacity: Resources,
    pub tenants: Vec<(TenantId, Had)>,
}

/// A pool on average, in the time that begins at `at`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub at: Timestamp,
    pub capacity: Resources,
    /// All tenants together.
    pub all: Had,
    /// Those that were asked for and had something, by name.
    pub tenants: BTreeMap<String, Had>,
}

/// Writes down how pools are shared at this moment; once in each minute.
pub async fn note(
    tx: &mut SystemTx<'_>,
    now: Timestamp,
    pools: &[(PoolId, Moment)],
) -> Result<(), StoreError> {
    let at = now.duration_trunc(TimeDelta::minutes(1)).unwrap_or(now);
    let (mut ids, mut capacities, mut all) = (vec![], vec![], Columns::default());
    let (mut of, mut tenants, mut each) = (vec![], vec![], Columns::default());
    for (pool, moment) in pools {
        ids.push(pool.uuid());
        capacities.push(moment.capacity);
        all.push(&moment.tenants.iter().fold(Had::default(), |sum, (_, had)| Had {
            guaranteed: sum.guaranteed.plus(had.guaranteed),
            borrowed: sum.borrowed.plus(had.borrowed),
        }));
        for (tenant, had) in most(&moment.tenants) {
            of.push(pool.uuid());
            tenants.push(tenant.uuid());
            each.push(had);
        }
    }
    let cpus: Vec<_> = capacities.iter().map(|whole| amounts::big(whole.cpu_milli)).collect();
    let accelerators: Vec<_> =
        capacities.iter().map(|whole| amounts::big(whole.accelerator_milli)).collect();
    sqlx::query!(
        "insert into pool_history (pool_id, minutes, at, moments, cpu_milli, accelerator_milli,
             guaranteed_cpu_milli, borrowed_cpu_milli, guaranteed_accelerator_milli, borrowed_accelerator_milli)
         select n.pool_id, 1, $1, 1, n.cpu, n.accelerator, n.guaranteed_cpu, n.borrowed_cpu,
                n.guaranteed_accelerator, n.borrowed_accelerator
         from unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[])
             as n (pool_id, cpu, accelerator, guaranteed_cpu, borrowed_cpu, guaranteed_accelerator,
                   borrowed_accelerator)
         where exists (select from pool p where p.id = n.pool_id)
         on conflict do nothing",
        at,
        &ids,
        &cpus,
        &accelerators,
        &all.guaranteed_cpu,
        &all.borrowed_cpu,
        &all.guaranteed_accelerator,
        &all.borrowed_accelerator,
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "insert into share_history (pool_id, minutes, at, tenant_id,
             guaranteed_cpu_milli, borrowed_cpu_milli, guaranteed_accelerator_milli, borrowed_accelerator_milli)
         select n.pool_id, 1, $1, n.tenant_id, n.guaranteed_cpu, n.borrowed_cpu, n.guaranteed_accelerator,
                n.borrowed_accelerator
         from unnest($2::uuid[], $3::uuid[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
             as n (pool_id, tenant_id, guaranteed_cpu, borrowed_cpu, guaranteed_accelerator, borrowed_accelerator)
         where exists (select from pool p where p.id = n.pool_id)
           and exists (select from tenant t where t.id = n.tenant_id)
         on conflict do nothing",
        at,
        &of,
        &tenants,
        &each.guaranteed_cpu,
        &each.borrowed_cpu,
        &each.guaranteed_accelerator,
        &each.borrowed_accelerator,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Column by column.
#[derive(Default)]
struct Columns {
    guaranteed_cpu: Vec<i64>,
    borrowed_cpu: Vec<i64>,
    guaranteed_accelerator: Vec<i64>,
    borrowed_accelerator: Vec<i64>,
}

impl Columns {
    fn push(&mut self, had: &Had) {
        self.guaranteed_cpu.push(amounts::big(had.guaranteed.cpu_milli));
        self.borrowed_cpu.push(amounts::big(had.borrowed.cpu_milli));
        self.guaranteed_accelerator.push(amounts::big(had.guaranteed.accelerator_milli));
        self.borrowed_accelerator.push(amounts::big(had.borrowed.accelerator_milli));
    }
}

/// Those that had something, the greatest first.
fn most(tenants: &[(TenantId, Had)]) -> Vec<(TenantId, &Had)> {
    let amounts = |had: &Had| {
        let both = had.guaranteed.plus(had.borrowed);
        (both.cpu_milli, both.accelerator_milli)
    };
    let some = tenants.iter().map(|(tenant, had)| (*tenant, had));
    let mut some: Vec<_> = some.filter(|(_, had)| amounts(had) != (0, 0)).collect();
    some.sort_by_key(|(tenant, had)| (Reverse(amounts(had)), *tenant));
    some.truncate(TENANTS);
    some
}

/// Merges what is old, and lets go of what is older than anybody looks back.
pub async fn thin(tx: &mut SystemTx<'_>, now: Timestamp) -> Result<(), StoreError> {
    for (from, to, age) in MERGED {
        // whole ones of what they become
        let before = now - age;
        let before = before.duration_trunc(TimeDelta::minutes(i64::from(to))).unwrap_or(before);
        merge(tx, (from, to), before).await?;
    }
    let before = now - KEPT;
    sqlx::query!("delete from pool_history where minutes = 60 and at < $1", before)
        .execute(tx.conn())
        .await?;
    sqlx::query!("delete from share_history where minutes = 60 and at < $1", before)
        .execute(tx.conn())
        .await?;
    Ok(())
}

async fn merge(
    tx: &mut SystemTx<'_>,
    (from, to): (i32, i32),
    before: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query!(
        "with old as (delete from pool_history where minutes = $1 and at < $3 returning *)
         insert into pool_history as h (pool_id, minutes, at, moments, cpu_milli, accelerator_milli,
             guaranteed_cpu_milli, borrowed_cpu_milli, guaranteed_accelerator_milli, borrowed_accelerator_milli)
         select pool_id, $2::int, date_bin(make_interval(mins => $2::int), at, timestamptz 'epoch'), sum(moments),
                sum(cpu_milli)::bigint, sum(accelerator_milli)::bigint,
                sum(guaranteed_cpu_milli)::bigint, sum(borrowed_cpu_milli)::bigint,
                sum(guaranteed_accelerator_milli)::bigint, sum(borrowed_accelerator_milli)::bigint
         from old group by 1, 2, 3
         on conflict (pool_id, minutes, at) do update set
             moments = h.moments + excluded.moments,
             cpu_milli = h.cpu_milli + excluded.cpu_milli,
             accelerator_milli = h.accelerator_milli + excluded.accelerator_milli,
             guaranteed_cpu_milli = h.guaranteed_cpu_milli + excluded.guaranteed_cpu_milli,
             borrowed_cpu_milli = h.borrowed_cpu_milli + excluded.borrowed_cpu_milli,
             guaranteed_accelerator_milli =
                 h.guaranteed_accelerator_milli + excluded.guaranteed_accelerator_milli,
             borrowed_accelerator_milli =
                 h.borrowed_accelerator_milli + excluded.borrowed_accelerator_milli",
        from,
        to,
        before,
    )
    .execute(tx.conn())
    .await?;
    sqlx::query!(
        "with old as (delete from share_history where minutes = $1 and at < $3 returning *)
         insert into share_history as h (pool_id, minutes, at, tenant_id,
             guaranteed_cpu_milli, borrowed_cpu_milli, guaranteed_accelerator_milli, borrowed_accelerator_milli)
         select pool_id, $2::int, date_bin(make_interval(mins => $2::int), at, timestamptz 'epoch'), tenant_id,
                sum(guaranteed_cpu_milli)::bigint, sum(borrowed_cpu_milli)::bigint,
                sum(guaranteed_accelerator_milli)::bigint, sum(borrowed_accelerator_milli)::bigint
         from old group by 1, 2, 3, 4
         on conflict (pool_id, minutes, at, tenant_id) do update set
             guaranteed_cpu_milli = h.guaranteed_cpu_milli + excluded.guaranteed_cpu_milli,
             borrowed_cpu_milli = h.borrowed_cpu_milli + excluded.borrowed_cpu_milli,
             guaranteed_accelerator_milli =
                 h.guaranteed_accelerator_milli + excluded.guaranteed_accelerator_milli,
             borrowed_accelerator_milli =
                 h.borrowed_accelerator_milli + excluded.borrowed_accelerator_milli",
        from,
        to,
        before,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What is asked of a pool's history.
#[derive(Debug, Clone, Copy)]
pub struct Period {
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
    /// Of a step: a multiple of what rows of that age are for.
    pub minutes: i32,
    /// So many tenants, those that had most in all of it.
    pub tenants: i64,
}

/// Step by step; times that nobody has looked at are left out.
pub async fn history(
    tx: &mut SystemTx<'_>,
    pool: PoolId,
    period: &Period,
) -> Result<Vec<Step>, StoreError> {
    let Period { from, until, minutes, tenants } = *period;
    let rows = sqlx::query!(
        r#"select date_bin(make_interval(mins => $4::int), at, timestamptz 'epoch') as "at!",
                  (sum(cpu_milli) / sum(moments))::bigint as "cpu_milli!",
                  (sum(accelerator_milli) / sum(moments))::bigint as "accelerator_milli!",
                  (sum(guaranteed_cpu_milli) / sum(moments))::bigint as "guaranteed_cpu_milli!",
                  (sum(borrowed_cpu_milli) / sum(moments))::bigint as "borrowed_cpu_milli!",
                  (sum(guaranteed_accelerator_milli) / sum(moments))::bigint
                      as "guaranteed_accelerator_milli!",
                  (sum(borrowed_accelerator_milli) / sum(moments))::bigint as "borrowed_accelerator_milli!"
           from pool_history
           where pool_id = $1 and minutes in (1, 10, 60) and at >= $2 and at < $3
           group by 1 order by 1"#,
        pool.uuid(),
        from,
        until,
        minutes,
    )
    .fetch_all(tx.conn())
    .await?;
    let steps = rows.into_iter().map(|row| Step {
        at: row.at,
        capacity: amounts::resources(row.cpu_milli, 0, row.accelerator_milli),
        all: Had::of(
            (row.guaranteed_cpu_milli, row.guaranteed_accelerator_milli),
            (row.borrowed_cpu_milli, row.borrowed_accelerator_milli),
        ),
        tenants: BTreeMap::new(),
    });
    let mut steps: Vec<_> = steps.collect();
    let rows = sqlx::query!(
        r#"with held as (
               select date_bin(make_interval(mins => $4::int), at, timestamptz 'epoch') as step, tenant_id,
                      sum(guaranteed_cpu_milli) as guaranteed_cpu, sum(borrowed_cpu_milli) as borrowed_cpu,
                      sum(guaranteed_accelerator_milli) as guaranteed_accelerator,
                      sum(borrowed_accelerator_milli) as borrowed_accelerator
               from share_history
               where pool_id = $1 and minutes in (1, 10, 60) and at >= $2 and at < $3
               group by 1, 2
           ), most as (
               select tenant_id from held group by tenant_id
               order by sum(guaranteed_cpu + borrowed_cpu) desc,
                        sum(guaranteed_accelerator + borrowed_accelerator) desc, tenant_id
               limit $5
           ), looked as (
               select date_bin(make_interval(mins => $4::int), at, timestamptz 'epoch') as step,
                      sum(moments) as moments
               from pool_history
               where pool_id = $1 and minutes in (1, 10, 60) and at >= $2 and at < $3
               group by 1
           )
           select h.step as "at!", t.slug,
                  (guaranteed_cpu / moments)::bigint as "guaranteed_cpu_milli!",
                  (borrowed_cpu / moments)::bigint as "borrowed_cpu_milli!",
                  (guaranteed_accelerator / moments)::bigint as "guaranteed_accelerator_milli!",
                  (borrowed_accelerator / moments)::bigint as "borrowed_accelerator_milli!"
           from held h join most using (tenant_id) join looked l on l.step = h.step
           join tenant t on t.id = h.tenant_id"#,
        pool.uuid(),
        from,
        until,
        minutes,
        tenants,
    )
    .fetch_all(tx.conn())
    .await?;
    for row in rows {
        let had = Had::of(
            (row.guaranteed_cpu_milli, row.guaranteed_accelerator_milli),
            (row.borrowed_cpu_milli, row.borrowed_accelerator_milli),
        );
        if let Ok(place) = steps.binary_search_by_key(&row.at, |step| step.at) {
            steps[place].tenants.insert(row.slug, had);
        }
    }
    Ok(steps)
}

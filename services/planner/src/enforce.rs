//! What must end, whoever's turn it is: attempts whose worker is gone or whose time is up, those on
//! workers that are being drained, and those beyond a limit that was lowered.

use std::collections::BTreeMap;

use domain::{
    JobId, PoolId, TenantId, Timestamp,
    world::{Command, Live, Phase, PlannedJob, PreemptReason, Stopping},
};

use crate::{
    books::Books,
    pool::{Pool, View},
    queue::change,
    reclaim::loss,
};

pub fn ended(books: &Books, now: Timestamp) -> Vec<Command> {
    let attempt =
        |id: &JobId| books.jobs.get(id).and_then(PlannedJob::live).map(|live| live.attempt);
    let lost = books.lost.iter().filter_map(attempt);
    let late = books.deadlines.iter().take_while(|(deadline, _)| *deadline < now);
    let late = late.filter(|(_, id)| !books.lost.contains(id)).filter_map(|(_, id)| attempt(id));
    lost.map(|attempt| Command::Lose { attempt })
        .chain(late.map(|attempt| Command::TimeOut { attempt }))
        .collect()
}

/// Asks to stop what is to move or to go.
pub fn stop(
    pools: &mut BTreeMap<PoolId, Pool>,
    books: &mut Books,
    view: View,
    commands: &mut Vec<Command>,
) {
    for id in books.moving.clone() {
        let pool = books.jobs.get(&id).and_then(|job| pools.get_mut(&job.pool));
        let Some(pool) = pool else { continue };
        commands.extend(preempt(pool, books, view, id, PreemptReason::Drained));
    }
    for pool in pools.values_mut() {
        for tenant in pool.over.clone() {
            while let Some(id) = beyond_limit(pool, books, view, tenant) {
                commands.extend(preempt(pool, books, view, id, PreemptReason::OverLimit));
            }
        }
    }
}

/// The attempt that loses least, while the tenant uses more than its limit.
fn beyond_limit(pool: &Pool, books: &Books, view: View, tenant: TenantId) -> Option<JobId> {
    let account = pool.accounts.get(&tenant)?;
    let staying = account.used.minus(account.leaving);
    let beyond = staying.first_beyond(&account.quota.limit)?;
    let whole = pool.rooms.capacity();
    let jobs = account.live.iter().filter_map(|id| Some((*id, books.jobs.get(id)?)));
    let able = jobs.filter(|(_, job)| job.needs.get(beyond) > 0);
    let stoppable = able.filter_map(|(id, job)| Some((id, job, job.live()?)));
    stoppable
        .filter(|(.., live)| live.stopping.is_none())
        .map(|(id, job, live)| (loss(live, &job.total(), &whole, view.now), id))
        .min()
        .map(|(_, id)| id)
}

/// Marks the attempt as stopping; nothing if it is already, or not live.
pub fn preempt(
    pool: &mut Pool,
    books: &mut Books,
    view: View,
    id: JobId,
    why: PreemptReason,
) -> Option<Command> {
    let live = books.jobs.get(&id)?.live().filter(|live| live.stopping.is_none())?;
    let (attempt, stopping) = (live.attempt, Some(Stopping { for_job: why.for_job() }));
    let live = Live { stopping, ..live.clone() };
    change(pool, books, view, id, Phase::Live(Box::new(live)));
    Some(Command::Preempt { attempt, why })
}

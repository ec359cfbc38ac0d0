//! What an agent asks of the database, each in a transaction of its own.

use domain::{
    Timestamp, WorkerId,
    job::{Attempt, Cause, Report},
    world::WorkerState,
};
use store::{
    StoreError,
    attempts::{self, Assignment, Directive, Word},
    workers::{self, NewWorker, Registered, Standing},
};

use crate::{AgentConfig, Context};

pub(crate) async fn register(context: &Context, id: WorkerId) -> Result<Registered, StoreError> {
    let AgentConfig { name, pool, capacity, .. } = &context.config;
    let mut tx = context.store.begin().await?;
    let new = NewWorker { id, name, pool, capacity: *capacity };
    let registered = workers::register(&mut tx, &new).await?;
    if registered == Registered::Registered {
        tx.commit().await?;
    }
    Ok(registered)
}

pub(crate) async fn assigned_to(
    context: &Context,
    id: WorkerId,
    since: Option<Timestamp>,
) -> Result<Vec<Assignment>, StoreError> {
    let mut tx = context.store.begin().await?;
    // nothing is written, and the attempts need not wait for an end of the transaction
    attempts::assigned_to(&mut tx, id, since).await
}

pub(crate) async fn heartbeat(
    context: &Context,
    id: WorkerId,
    running: &[(Attempt, Option<u64>)],
) -> Result<(Vec<Directive>, Standing), StoreError> {
    let mut tx = context.store.begin().await?;
    let directives = attempts::heartbeat(&mut tx, id, running).await?;
    let standing = workers::standing(&mut tx, id).await?;
    tx.commit().await?;
    Ok((directives, standing))
}

pub(crate) async fn give_up_forgotten(
    context: &Context,
    id: WorkerId,
    known: &[Attempt],
) -> Result<(), StoreError> {
    let mut tx = context.store.begin().await?;
    let lost = Cause::retryable("lost_by_worker", "its worker has lost track of it");
    let known: Vec<_> = known.iter().map(|attempt| (*attempt, 0)).collect();
    let mut forgotten = attempts::forgotten(&mut tx, id, &known).await?;
    forgotten.sort_unstable();
    for (attempt, rank) in &forgotten {
        attempts::leave(&mut tx, *attempt, *rank).await?;
    }
    forgotten.dedup_by_key(|(attempt, _)| *attempt);
    let words: Vec<_> = forgotten
        .into_iter()
        .map(|(attempt, _)| (attempt, Word::Ended(Report::Failed(lost.clone()))))
        .collect();
    // an attempt that has been superseded meanwhile needs no report
    let _ = attempts::tell(&mut tx, &words, &context.config.retry).await?;
    tx.commit().await
}

/// No more work, please; what was never started goes back at once.
pub(crate) async fn give_back(
    context: &Context,
    id: WorkerId,
    live: &[Attempt],
) -> Result<(), StoreError> {
    let mut tx = context.store.begin().await?;
    let retry = &context.config.retry;
    workers::set_state(&mut tx, id, WorkerState::Draining).await?;
    let assigned = attempts::assigned_to(&mut tx, id, None).await?;
    let mut ours: Vec<_> = live.iter().copied().chain(assigned.iter().map(|a| a.attempt)).collect();
    // in the order of ids, as every bulk writer does
    ours.sort();
    ours.dedup();
    for attempt in ours {
        if live.contains(&attempt) {
            attempts::ask_to_move(&mut tx, attempt, retry).await?;
        } else {
            // an attempt that has been superseded meanwhile is not ours to give back
            let _ = attempts::report(&mut tx, attempt, Report::Stopped, retry).await?;
        }
    }
    tx.commit().await
}

pub(crate) async fn gone(context: &Context, id: WorkerId) -> Result<(), StoreError> {
    let mut tx = context.store.begin().await?;
    workers::set_state(&mut tx, id, WorkerState::Gone).await?;
    tx.commit().await
}

//! What an agent asks of the database, each in a transaction of its own.

use std::collections::BTreeSet;

use domain::{
    Timestamp, WorkerId,
    job::{Attempt, Cause, Report},
    world::WorkerState,
};
use store::{
    StoreError,
    attempts::{self, Assignment, Directive, Recorded, Word},
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
    renews: bool,
) -> Result<(Vec<Directive>, Standing), StoreError> {
    let mut tx = context.store.begin().await?;
    let directives = if renews {
        attempts::heartbeat(&mut tx, id, running).await?
    } else {
        attempts::progress(&mut tx, id, running).await?
    };
    let standing = workers::standing(&mut tx, id).await?;
    tx.commit().await?;
    Ok((directives, standing))
}

pub(crate) async fn give_up_forgotten(
    context: &Context,
    id: WorkerId,
    known: &[(Attempt, u32)],
) -> Result<(), StoreError> {
    let mut tx = context.store.begin().await?;
    let lost = Cause::retryable("lost_by_worker", "its worker has lost track of it");
    let forgotten = attempts::forgotten(&mut tx, id, known).await?;
    let attempts: BTreeSet<_> = forgotten.iter().map(|(attempt, _)| *attempt).collect();
    let words: Vec<_> = attempts
        .into_iter()
        .map(|attempt| (attempt, Word::Ended(Report::Failed(lost.clone()))))
        .collect();
    // an attempt that has been superseded meanwhile needs no report
    let _ = attempts::tell(&mut tx, &words, &context.config.retry).await?;
    for (attempt, rank) in forgotten {
        attempts::leave(&mut tx, attempt, rank).await?;
    }
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
    let mut assigned = attempts::assigned_to(&mut tx, id, None).await?;
    assigned.retain(|assignment| !live.contains(&assignment.attempt));
    let ours: BTreeSet<_> =
        live.iter().copied().chain(assigned.iter().map(|a| a.attempt)).collect();
    // in the order of ids, as every bulk writer does
    for attempt in ours {
        if live.contains(&attempt) {
            attempts::ask_to_move(&mut tx, attempt, retry).await?;
        } else {
            // an attempt that has been superseded meanwhile is not ours to give back
            let _ = attempts::report(&mut tx, attempt, Report::Stopped, retry).await?;
        }
    }
    for Assignment { attempt, rank, .. } in assigned {
        attempts::leave(&mut tx, attempt, rank).await?;
    }
    tx.commit().await
}

/// The process of a part that does not lead is up.
pub(crate) async fn taken(
    context: &Context,
    attempt: Attempt,
    rank: u32,
) -> Result<Recorded, StoreError> {
    let mut tx = context.store.begin().await?;
    let recorded = attempts::taken(&mut tx, attempt, rank).await?;
    tx.commit().await?;
    Ok(recorded)
}

/// One of several workers has done its part, or can do no more.
pub(crate) async fn leave(
    context: &Context,
    attempt: Attempt,
    rank: u32,
) -> Result<(), StoreError> {
    let mut tx = context.store.begin().await?;
    attempts::leave(&mut tx, attempt, rank).await?;
    tx.commit().await
}

pub(crate) async fn gone(context: &Context, id: WorkerId) -> Result<(), StoreError> {
    let mut tx = context.store.begin().await?;
    workers::set_state(&mut tx, id, WorkerState::Gone).await?;
    tx.commit().await
}

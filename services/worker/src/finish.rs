//! The end of an attempt: bytes first, then one transaction that publishes and reports together, so
//! that an attempt which is no longer the current one leaves nothing behind.

use std::path::Path;

use domain::{
    child::{CONFIG_FILE, WEIGHTS_FILE},
    dataset::Profile,
    hint::Hint,
    job::{Cause, JobState, Refused, Report},
};
use store::{
    StoreError,
    attempts::{self, Assignment},
    datasets,
    models::{self, Artifact},
};
use tracing::{error, info, warn};

use crate::{
    Context,
    decide::{Ending, blob_cause},
    patience::{MANY, Orders, SOME, killed, until_answered, with_tries},
};

/// What is committed with the report.
#[derive(Debug)]
enum Outcome {
    Profiled(Profile),
    Published(Box<Artifact>),
    Stopped,
    Failed(Cause),
}

/// Reports `ending`; keeps at it while the attempt is this worker's.
pub(crate) async fn finish(
    context: &Context,
    assignment: &Assignment,
    folder: &Path,
    ending: Ending,
    orders: &mut Orders,
) {
    let outcome = match ending {
        Ending::Superseded => return,
        Ending::Profiled(profile) => Outcome::Profiled(profile),
        Ending::Stopped => Outcome::Stopped,
        Ending::Failed(cause) => Outcome::Failed(cause),
        Ending::Trained => tokio::select! {
            outcome = upload(context, assignment, folder) => outcome,
            () = killed(orders) => return,
        },
    };
    if let Some(ended) = report(context, assignment, outcome, orders).await {
        clean_up(context, assignment, ended).await;
    }
}

async fn upload(context: &Context, assignment: &Assignment, folder: &Path) -> Outcome {
    let put = || registry::upload_model(&context.blobs, assignment.tenant, folder);
    match with_tries(MANY, put).await {
        Ok(artifact) => Outcome::Published(Box::new(artifact)),
        Err(error) => {
            warn!(job.id = %assignment.attempt.job, %error, "{WEIGHTS_FILE} or {CONFIG_FILE} was not stored");
            Outcome::Failed(blob_cause(&error))
        }
    }
}

/// Whether the job has ended with it; `None` if the attempt was not this worker's to report.
async fn report(
    context: &Context,
    assignment: &Assignment,
    mut outcome: Outcome,
    orders: &mut Orders,
) -> Option<bool> {
    let attempt = assignment.attempt;
    loop {
        let write = || commit(context, assignment, &outcome);
        match until_answered(orders, write).await? {
            Ok(Ok(state)) => {
                let status = state.status().as_str();
                info!(job.id = %attempt.job, attempt = attempt.number, status, "attempt ended");
                return Some(matches!(state, JobState::Finished { .. }));
            }
            Ok(Err(Refused::Finished)) => return Some(true),
            Ok(Err(refused)) => {
                info!(job.id = %attempt.job, attempt = attempt.number, %refused, "not reported");
                return None;
            }
            Err(error) => {
                error!(job.id = %attempt.job, attempt = attempt.number, %error, "refused");
                if matches!(outcome, Outcome::Failed(_)) {
                    return None;
                }
                outcome = Outcome::Failed(Cause::fatal(
                    "result_not_storable",
                    "the database does not take the result; look for control characters in the \
                     data's header and values",
                ));
            }
        }
    }
}

async fn commit(
    context: &Context,
    assignment: &Assignment,
    outcome: &Outcome,
) -> Result<Result<JobState, Refused>, StoreError> {
    let attempt = assignment.attempt;
    let report = match outcome {
        Outcome::Profiled(_) | Outcome::Published(_) => Report::Succeeded,
        Outcome::Stopped => Report::Stopped,
        Outcome::Failed(cause) => Report::Failed(cause.clone()),
    };
    let mut tx = context.store.begin().await?;
    let state = match attempts::report(&mut tx, attempt, report, &context.config.retry).await? {
        Ok(state) => state,
        Err(refused) => return Ok(Err(refused)),
    };
    match outcome {
        Outcome::Profiled(profile) => datasets::set_profile(&mut tx, attempt.job, profile).await?,
        Outcome::Published(artifact) => {
            let version = models::publish(&mut tx, attempt, artifact).await?;
            let model = artifact.config.spec.registered_model_name.as_str();
            info!(job.id = %attempt.job, model, version, "publishing");
        }
        Outcome::Stopped | Outcome::Failed(_) => {}
    }
    tx.commit().await?;
    Ok(Ok(state))
}

async fn clean_up(context: &Context, assignment: &Assignment, job_ended: bool) {
    let job = assignment.attempt.job;
    context.bus.publish(Hint::Job(job));
    context.bus.publish(Hint::Queue);
    if job_ended {
        let delete = || context.blobs.delete_checkpoints(assignment.tenant, job);
        if let Err(error) = with_tries(SOME, delete).await {
            warn!(job.id = %job, %error, "the checkpoints of an ended job were not deleted");
        }
    }
}

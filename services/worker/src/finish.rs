//! The end of an attempt: bytes first, then one transaction that publishes and reports together, so
//! that an attempt which is no longer the current one leaves nothing behind.

use std::path::Path;

use domain::{
    child::{CONFIG_FILE, WEIGHTS_FILE},
    dataset::Profile,
    job::{Attempt, Cause, Report},
};
use store::{
    attempts::{self, Assignment},
    datasets,
    models::{self, Artifact},
};
use tracing::{info, warn};

use crate::{
    Context,
    decide::{Ending, blob_cause},
    patience::{MANY, SOME, killed, until_answered, with_tries},
    reports::Answer,
    work::Work,
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
pub(crate) async fn finish(work: &mut Work, folder: &Path, ending: Ending) {
    let outcome = match ending {
        Ending::Superseded => return,
        Ending::Profiled(profile) => Outcome::Profiled(profile),
        Ending::Stopped => Outcome::Stopped,
        Ending::Failed(cause) => Outcome::Failed(cause),
        Ending::Trained => tokio::select! {
            outcome = upload(&work.context, &work.assignment, folder) => outcome,
            () = killed(&mut work.orders) => return,
        },
    };
    if report(work, outcome).await == Some(true) {
        clean_up(work).await;
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
async fn report(work: &mut Work, outcome: Outcome) -> Option<bool> {
    match outcome {
        Outcome::Stopped => return work.ended(Report::Stopped).await,
        Outcome::Failed(cause) => return work.ended(Report::Failed(cause)).await,
        Outcome::Profiled(_) | Outcome::Published(_) => {}
    }
    let (context, attempt) = (work.context.clone(), work.assignment.attempt);
    let write = || commit(&context, attempt, &outcome);
    let answer = until_answered(&mut work.orders, write).await?;
    let refused = answer.is_err();
    let ended = work.heard(answer);
    if !refused {
        return ended;
    }
    let cause = Cause::fatal(
        "result_not_storable",
        "the database does not take the result; look for control characters in the data's header \
         and values",
    );
    work.ended(Report::Failed(cause)).await
}

/// In a transaction of its own: a success that publishes is not to wait for others, nor they for it.
async fn commit(context: &Context, attempt: Attempt, outcome: &Outcome) -> Answer {
    let mut tx = context.store.begin().await?;
    let retry = &context.config.retry;
    let state = match attempts::report(&mut tx, attempt, Report::Succeeded, retry).await? {
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

/// The job has ended, so that nothing continues from its checkpoints.
async fn clean_up(work: &Work) {
    let (tenant, job) = (work.assignment.tenant, work.assignment.attempt.job);
    let delete = || work.context.blobs.delete_checkpoints(tenant, job);
    if let Err(error) = with_tries(SOME, delete).await {
        warn!(job.id = %job, %error, "the checkpoints of an ended job were not deleted");
    }
}

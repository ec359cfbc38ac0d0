//! The end of an attempt: bytes first, then one transaction that publishes and reports together, so
//! that an attempt which is no longer the current one leaves nothing behind.

use std::path::Path;

use domain::{
    child::{CONFIG_FILE, Member, WEIGHTS_FILE},
    comparison::Comparison,
    dataset::Profile,
    inquiry::{ANSWERS_FILE, Finding},
    job::{Attempt, Cause, Report},
};
use store::{
    attempts::{self, Assignment},
    datasets,
    models::{self, Answers, Artifact, evaluations, inquiries},
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
    Evaluated(Comparison),
    Found(Finding, Option<Answers>),
    Stopped,
    Failed(Cause),
}

/// Reports `ending`; keeps at it while the attempt is this worker's. Of several workers one speaks for
/// the attempt; all that another has to say is why it has failed, which ends the attempt.
pub(crate) async fn finish(work: &mut Work, folder: &Path, ending: Ending) {
    let ending = match (ending, work.member()) {
        (ending, Some(member)) if member.rank > 0 => of_other(ending, member),
        (ending, _) => ending,
    };
    let outcome = match ending {
        Ending::Superseded => return,
        Ending::Profiled(profile) => Outcome::Profiled(profile),
        Ending::Evaluated(comparison) => Outcome::Evaluated(comparison),
        Ending::Stopped => Outcome::Stopped,
        Ending::Failed(cause) => Outcome::Failed(cause),
        Ending::Trained => tokio::select! {
            outcome = upload(&work.context, &work.assignment, folder) => outcome,
            () = killed(&mut work.orders) => return,
        },
        Ending::Found(finding) => tokio::select! {
            outcome = keep(&work.context, &work.assignment, folder, finding) => outcome,
            () = killed(&mut work.orders) => return,
        },
    };
    if report(work, outcome).await == Some(true) {
        clean_up(work).await;
    }
}

/// Whoever has done its part, or was asked to stop, goes without a word.
fn of_other(ending: Ending, Member { rank, of }: Member) -> Ending {
    match ending {
        Ending::Superseded | Ending::Stopped => Ending::Superseded,
        Ending::Failed(cause) => {
            let message = format!("worker {rank} of 0 to {}: {}", of - 1, cause.message);
            Ending::Failed(Cause { message, ..cause })
        }
        Ending::Trained | Ending::Profiled(_) | Ending::Evaluated(_) | Ending::Found(_) => {
            Ending::Failed(Cause::retryable(
                "internal_error",
                format!("worker {rank} has spoken for all {of}, which the first one does"),
            ))
        }
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

/// A finding whose answers are in a file, and that file in the store of whoever has asked.
async fn keep(
    context: &Context,
    assignment: &Assignment,
    folder: &Path,
    finding: Finding,
) -> Outcome {
    let Finding::Predicted(_) = finding else { return Outcome::Found(finding, None) };
    let path = folder.join(ANSWERS_FILE);
    let put = || context.blobs.put_file(assignment.tenant, &path);
    match with_tries(MANY, put).await {
        Ok(stored) => {
            let file = Answers { sha256: stored.sha256, bytes: stored.bytes };
            Outcome::Found(finding, Some(file))
        }
        Err(error) => {
            warn!(job.id = %assignment.attempt.job, %error, "{ANSWERS_FILE} was not stored");
            Outcome::Failed(blob_cause(&error))
        }
    }
}

/// Whether the job has ended with it; `None` if the attempt was not this worker's to report.
async fn report(work: &mut Work, outcome: Outcome) -> Option<bool> {
    match outcome {
        Outcome::Stopped => return work.ended(Report::Stopped).await,
        Outcome::Failed(cause) => return work.ended(Report::Failed(cause)).await,
        Outcome::Profiled(_)
        | Outcome::Published(_)
        | Outcome::Evaluated(_)
        | Outcome::Found(..) => {}
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
        Outcome::Evaluated(found) => {
            evaluations::set_result(&mut tx, attempt.job, found).await?;
        }
        Outcome::Found(finding, file) => {
            inquiries::set_finding(&mut tx, attempt.job, finding, *file).await?;
        }
        Outcome::Profiled(profile) => datasets::set_profile(&mut tx, attempt.job, profile).await?,
        Outcome::Published(artifact) => {
            let version = models::publish(&mut tx, attempt, artifact).await?;
            let model = artifact.made.config.spec.registered_model_name.as_str();
            info!(job.id = %attempt.job, model, version, "publishing");
        }
        Outcome::Stopped | Outcome::Failed(_) => {}
    }
    tx.commit().await?;
    Ok(Ok(state))
}

/// The job has ended, so that nothing continues from its checkpoints and nobody waits for a round.
async fn clean_up(work: &Work) {
    let (tenant, job) = (work.assignment.tenant, work.assignment.attempt.job);
    let delete = || work.context.blobs.delete_job(tenant, job);
    if let Err(error) = with_tries(SOME, delete).await {
        warn!(job.id = %job, %error, "what an ended job has kept was not deleted");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_helps_says_nothing_but_why_it_failed() {
        let member = Member { rank: 2, of: 3 };
        assert_eq!(of_other(Ending::Stopped, member), Ending::Superseded);
        let failed = of_other(Ending::Failed(Cause::fatal("no_rows", "no rows")), member);
        let told = Cause::fatal("no_rows", "worker 2 of 0 to 2: no rows");
        assert_eq!(failed, Ending::Failed(told));
        let Ending::Failed(cause) = of_other(Ending::Trained, member) else { panic!("published") };
        assert!(cause.retryable);
    }
}

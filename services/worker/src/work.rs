//! An attempt that this worker was given, as whoever carries it out sees it: what is to be done, what is
//! asked of it meanwhile, and the two things that it has to say.

use domain::{
    child::Member,
    hint::Hint,
    job::{JobState, Refused, Report},
};
use store::attempts::{Assignment, Recorded, Word};
use tracing::{error, info, warn};

use crate::{
    SharedContext, asks,
    attempt::Progress,
    patience::{Orders, SOME, answered, with_tries},
    reports::Answer,
};

pub struct Work {
    pub assignment: Assignment,
    pub(crate) context: SharedContext,
    pub(crate) orders: Orders,
    pub(crate) progress: Progress,
}

/// Where several workers train together.
pub(crate) fn member(assignment: &Assignment) -> Option<Member> {
    let Assignment { rank, workers, .. } = *assignment;
    (workers > 1).then_some(Member { rank, of: workers })
}

impl Work {
    pub(crate) fn member(&self) -> Option<Member> {
        member(&self.assignment)
    }

    /// Whether it speaks for its attempt: of several workers one does.
    pub fn leads(&self) -> bool {
        self.assignment.rank == 0
    }

    /// It runs. False if it is not to: it is no longer this worker's.
    pub async fn started(&self, resumed_from_step: Option<u64>) -> bool {
        let attempt = self.assignment.attempt;
        if !self.leads() {
            return self.taken().await;
        }
        match self.say(Word::Started { resumed_from_step }).await {
            Some(Ok(Ok(_))) => {
                self.context.bus.publish(Hint::Job(attempt.job));
                info!(job.id = %attempt.job, attempt = attempt.number, resumed_from_step, "attempt started");
                true
            }
            Some(Err(error)) => {
                error!(job.id = %attempt.job, attempt = attempt.number, %error, "not started");
                false
            }
            Some(Ok(Err(_))) | None => false,
        }
    }

    /// A part of it runs that does not lead.
    async fn taken(&self) -> bool {
        let Self { assignment: Assignment { attempt, rank, .. }, context, .. } = self;
        match answered(|| asks::taken(context, *attempt, *rank)).await {
            Ok(Recorded::Recorded) => {
                info!(job.id = %attempt.job, attempt = attempt.number, rank, "taking part");
                true
            }
            Ok(Recorded::Superseded) => false,
            Err(error) => {
                error!(job.id = %attempt.job, attempt = attempt.number, rank, %error, "not taken");
                false
            }
        }
    }

    /// It has ended, with nothing to publish. Whether the job has ended with it; `None` if that was not
    /// this worker's to say.
    pub async fn ended(&self, report: Report) -> Option<bool> {
        let answer = self.say(Word::Ended(report)).await?;
        self.heard(answer)
    }

    /// One of several workers frees its seat. What they told each other goes with the one that leads: the
    /// others are of no use without it.
    pub(crate) async fn leave(&self) {
        let Self { assignment: Assignment { attempt, tenant, rank, .. }, context, .. } = self;
        if self.leads() {
            let delete = || context.blobs.delete_rounds(*tenant, *attempt);
            if let Err(error) = with_tries(SOME, delete).await {
                warn!(job.id = %attempt.job, %error, "what was brought to rounds was not deleted");
            }
        }
        let left = answered(|| asks::leave(context, *attempt, *rank)).await;
        if let Err(error) = left {
            error!(job.id = %attempt.job, attempt = attempt.number, rank, %error, "not left");
        }
        self.context.bus.publish(Hint::Queue);
    }

    pub(crate) async fn say(&self, word: Word) -> Option<Answer> {
        self.context.reports.say(self.assignment.attempt, word).await
    }

    /// What the answer to a last word means; tells those whom it concerns.
    pub(crate) fn heard(&self, answer: Answer) -> Option<bool> {
        let attempt = self.assignment.attempt;
        match answer {
            Ok(Ok(state)) => {
                let status = state.status().as_str();
                info!(job.id = %attempt.job, attempt = attempt.number, status, "attempt ended");
                self.announce();
                Some(matches!(state, JobState::Finished { .. }))
            }
            Ok(Err(Refused::Finished)) => {
                self.announce();
                Some(true)
            }
            Ok(Err(refused)) => {
                info!(job.id = %attempt.job, attempt = attempt.number, %refused, "not reported");
                None
            }
            Err(error) => {
                error!(job.id = %attempt.job, attempt = attempt.number, %error, "refused");
                None
            }
        }
    }

    fn announce(&self) {
        self.context.bus.publish(Hint::Job(self.assignment.attempt.job));
        self.context.bus.publish(Hint::Queue);
    }
}

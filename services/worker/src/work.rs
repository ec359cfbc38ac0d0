//! An attempt that this worker was given, as whoever carries it out sees it: what is to be done, what is
//! asked of it meanwhile, and the two things that it has to say.

use domain::{
    hint::Hint,
    job::{JobState, Refused, Report},
};
use store::attempts::{Assignment, Word};
use tracing::{error, info};

use crate::{SharedContext, attempt::Progress, patience::Orders, reports::Answer};

pub struct Work {
    pub assignment: Assignment,
    pub(crate) context: SharedContext,
    pub(crate) orders: Orders,
    pub(crate) progress: Progress,
}

impl Work {
    /// It runs. False if it is not to: it is no longer this worker's.
    pub async fn started(&self, resumed_from_step: Option<u64>) -> bool {
        let attempt = self.assignment.attempt;
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

    /// It has ended, with nothing to publish. Whether the job has ended with it; `None` if that was not
    /// this worker's to say.
    pub async fn ended(&self, report: Report) -> Option<bool> {
        let answer = self.say(Word::Ended(report)).await?;
        self.heard(answer)
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

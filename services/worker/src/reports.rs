//! What attempts say of their beginning and their end, on its way to the database: at once while nothing
//! else is on its way, and otherwise all that has come meanwhile in one transaction. A worker of many
//! short attempts thereby costs few commits, and a single one waits for nobody.

use std::{collections::HashSet, mem};

use domain::job::{Attempt, JobState, Refused, RetryPolicy};
use store::{
    Store, StoreError,
    attempts::{self, Word},
};
use tokio::sync::{mpsc, oneshot};

use crate::patience::answered;

/// In one transaction, which locks their rows.
const MAX_TOGETHER: usize = 500;

/// The job's new state, or why the word did not count.
pub(crate) type Answer = Result<Result<JobState, Refused>, StoreError>;

pub(crate) struct Reports {
    /// No more wait here than there are attempts, since each waits for its answer.
    to: mpsc::UnboundedSender<Entry>,
}

struct Entry {
    attempt: Attempt,
    word: Word,
    answer: oneshot::Sender<Answer>,
}

impl Reports {
    /// Writes until it is dropped.
    pub(crate) fn start(store: Store, retry: RetryPolicy) -> Self {
        let (to, said) = mpsc::unbounded_channel();
        tokio::spawn(Writer { store, retry }.run(said));
        Self { to }
    }

    /// Waits for the answer even if the attempt is to be killed: a heartbeat that was on its way when the
    /// attempt's end was written takes it for superseded. `None` if there will be no answer.
    pub(crate) async fn say(&self, attempt: Attempt, word: Word) -> Option<Answer> {
        let (answer, heard) = oneshot::channel();
        self.to.send(Entry { attempt, word, answer }).ok()?;
        heard.await.ok()
    }
}

struct Writer {
    store: Store,
    retry: RetryPolicy,
}

impl Writer {
    async fn run(self, mut said: mpsc::UnboundedReceiver<Entry>) {
        let mut waiting = Vec::new();
        while !waiting.is_empty() || said.recv_many(&mut waiting, MAX_TOGETHER).await > 0 {
            let (now, later) = one_of_each_job(mem::take(&mut waiting));
            self.deliver(now).await;
            waiting = later;
        }
    }

    /// Together; what the database does not take must not take others with it.
    async fn deliver(&self, entries: Vec<Entry>) {
        let words: Vec<_> = entries.iter().map(|e| (e.attempt, e.word.clone())).collect();
        match answered(|| self.write(&words)).await {
            Ok(outcomes) => {
                for (entry, outcome) in entries.into_iter().zip(outcomes) {
                    // who asked may have been killed meanwhile
                    let _ = entry.answer.send(Ok(outcome));
                }
            }
            Err(error) => match <[Entry; 1]>::try_from(entries) {
                Ok([entry]) => {
                    let _ = entry.answer.send(Err(error));
                }
                Err(entries) => {
                    for entry in entries {
                        Box::pin(self.deliver(vec![entry])).await;
                    }
                }
            },
        }
    }

    async fn write(
        &self,
        words: &[(Attempt, Word)],
    ) -> Result<Vec<Result<JobState, Refused>>, StoreError> {
        let mut tx = self.store.begin().await?;
        let outcomes = attempts::tell(&mut tx, words, &self.retry).await?;
        tx.commit().await?;
        Ok(outcomes)
    }
}

/// The first of each job, and the rest for the next time: a job's row changes once in a transaction.
fn one_of_each_job(entries: Vec<Entry>) -> (Vec<Entry>, Vec<Entry>) {
    let mut jobs = HashSet::new();
    entries.into_iter().partition(|entry| jobs.insert(entry.attempt.job))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use domain::{JobId, job::Report};

    use super::*;

    fn entry(job: JobId, number: u32) -> Entry {
        let attempt = Attempt { job, number: NonZeroU32::new(number).unwrap() };
        let word = Word::Ended(Report::Stopped);
        Entry { attempt, word, answer: oneshot::channel().0 }
    }

    #[test]
    fn two_words_about_one_job_go_one_after_the_other() {
        let (one, other) = (JobId::generate(), JobId::generate());
        let entries = vec![entry(one, 1), entry(other, 1), entry(one, 2)];
        let (now, later) = one_of_each_job(entries);
        let named = |entries: &[Entry]| {
            entries.iter().map(|e| (e.attempt.job, e.attempt.number.get())).collect::<Vec<_>>()
        };
        assert_eq!(named(&now), [(one, 1), (other, 1)]);
        assert_eq!(named(&later), [(one, 2)]);
    }
}

//! What a child says, on its way to the database: in order, in batches, and without ever making the
//! child wait for a database that is away, up to a bound.

use domain::{child::Event, hint::Hint, job::Attempt};
use store::{
    StoreError,
    attempts::{self, Recorded},
};
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{Duration, timeout},
};
use tracing::error;

use crate::{
    Context, MAX_LINE_BYTES, SharedContext,
    patience::{Orders, until_answered},
};

const MAX_BATCH: usize = 100;
const MAX_DELAY: Duration = Duration::from_millis(250);
/// Kept while the database is away.
const MAX_BACKLOG: usize = 10_000;
/// Kept of one attempt's log.
const MAX_LOG_LINES: u64 = 10_000;

pub(crate) struct Recorder {
    to: mpsc::Sender<Event>,
    task: JoinHandle<()>,
    lines: u64,
}

impl Recorder {
    pub(crate) fn start(context: SharedContext, attempt: Attempt, orders: Orders) -> Self {
        let (to, said) = mpsc::channel(MAX_BACKLOG);
        let task = tokio::spawn(record(context, attempt, orders, said));
        Self { to, task, lines: 0 }
    }

    pub(crate) fn has_room(&self) -> bool {
        self.to.capacity() > 0 || self.to.is_closed()
    }

    /// Only while there is room; else the event is lost.
    pub(crate) fn take(&mut self, mut event: Event) {
        if let Event::Log { line } = &mut event {
            line.truncate(line.floor_char_boundary(MAX_LINE_BYTES));
            self.lines += 1;
            match self.lines {
                ..MAX_LOG_LINES => {}
                MAX_LOG_LINES => {
                    let line = format!("the log ends here: {MAX_LOG_LINES} lines are kept");
                    let _ = self.to.try_send(Event::Log { line });
                    return;
                }
                _ => return,
            }
        }
        // closed only once the attempt has been superseded: nobody wants to know any more
        let _ = self.to.try_send(event);
    }

    /// Returns when all that was taken is in the database, or the attempt was superseded.
    pub(crate) async fn finish(self) {
        drop(self.to);
        // a panic there has been reported, and costs log lines, not the result
        let _ = self.task.await;
    }
}

async fn record(
    context: SharedContext,
    attempt: Attempt,
    mut orders: Orders,
    mut said: mpsc::Receiver<Event>,
) {
    let mut first_line = 1;
    loop {
        let batch = next_batch(&mut said).await;
        if batch.is_empty() {
            return;
        }
        let write = || write(&context, attempt, &batch, first_line);
        match until_answered(&mut orders, write).await {
            None | Some(Ok(Recorded::Superseded)) => return,
            Some(Ok(Recorded::Recorded)) => context.bus.publish(Hint::Job(attempt.job)),
            Some(Err(error)) => {
                error!(job.id = %attempt.job, attempt = attempt.number, %error, "events are lost");
            }
        }
        first_line +=
            batch.iter().filter(|event| matches!(event, Event::Log { .. })).count() as u64;
    }
}

/// Empty once there will be no more.
async fn next_batch(said: &mut mpsc::Receiver<Event>) -> Vec<Event> {
    let mut batch = Vec::new();
    said.recv_many(&mut batch, MAX_BATCH).await;
    let fill = async {
        while batch.len() < MAX_BATCH {
            let room = MAX_BATCH - batch.len();
            if said.recv_many(&mut batch, room).await == 0 {
                return;
            }
        }
    };
    // what has not come by then goes with the next batch
    let _ = timeout(MAX_DELAY, fill).await;
    batch
}

async fn write(
    context: &Context,
    attempt: Attempt,
    batch: &[Event],
    first_line: u64,
) -> Result<Recorded, StoreError> {
    let mut tx = context.store.begin().await?;
    let recorded = attempts::record(&mut tx, attempt, batch, first_line).await?;
    tx.commit().await?;
    Ok(recorded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_batch_is_full_or_has_waited() {
        let (to, mut said) = mpsc::channel(MAX_BACKLOG);
        for step in 0..150 {
            to.send(Event::Stopped { step }).await.unwrap();
        }
        assert_eq!(next_batch(&mut said).await.len(), MAX_BATCH);
        assert_eq!(next_batch(&mut said).await.len(), 50);
        to.send(Event::Stopped { step: 0 }).await.unwrap();
        drop(to);
        assert_eq!(next_batch(&mut said).await.len(), 1);
        assert!(next_batch(&mut said).await.is_empty());
    }
}

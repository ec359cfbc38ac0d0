//! What the workers of one attempt tell each other, on its way from a child's folder to the object store
//! and from there to the others': no worker knows where another is, or whether two are on one machine.

use std::{
    future,
    path::{Path, PathBuf},
    time::Duration,
};

use domain::{
    child::{Member, round_file, verdict_file},
    job::Cause,
};
use registry::BlobError;
use store::attempts::Assignment;
use tokio::{sync::mpsc, task::JoinHandle, time::sleep};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{
    SharedContext,
    decide::blob_cause,
    patience::{MANY, SOME, with_tries},
};

/// Between looks for what another worker has not brought yet.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const MAX_PAUSE: Duration = Duration::from_millis(250);
/// For what is on its way while there is nobody for it any more.
const GOODBYE: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// All bring something, and wait for all others.
    Round(u64),
    /// Rank 0 brings something, and the others wait for it.
    Verdict(u64),
}

pub(crate) struct Rounds {
    to: mpsc::UnboundedSender<Call>,
    trouble: mpsc::Receiver<Cause>,
    ended: CancellationToken,
    task: JoinHandle<()>,
}

impl Rounds {
    pub(crate) fn start(
        context: SharedContext,
        assignment: &Assignment,
        member: Member,
        folder: &Path,
    ) -> Self {
        let (to, calls) = mpsc::unbounded_channel();
        let (from, trouble) = mpsc::channel(1);
        let ended = CancellationToken::new();
        let exchange = Exchange {
            ended: ended.clone(),
            context,
            assignment: assignment.clone(),
            member,
            folder: folder.to_owned(),
            brought: Vec::new(),
        };
        let task = tokio::spawn(exchange.run(calls, from));
        Self { to, trouble, ended, task }
    }

    pub(crate) fn take(&self, call: Call) {
        // one that has met trouble hears nothing more
        let _ = self.to.send(call);
    }

    /// Why the attempt cannot go on, once that is so.
    pub(crate) async fn trouble(&mut self) -> Cause {
        match self.trouble.recv().await {
            Some(cause) => cause,
            None => future::pending().await,
        }
    }

    /// The child has ended.
    pub(crate) async fn finish(self) {
        self.ended.cancel();
        // a panic there has been reported, and costs bytes that nobody reads
        let _ = self.task.await;
    }
}

struct Exchange {
    /// The child has.
    ended: CancellationToken,
    context: SharedContext,
    assignment: Assignment,
    member: Member,
    folder: PathBuf,
    /// Of its own, what others may not have read yet.
    brought: Vec<String>,
}

impl Exchange {
    async fn run(mut self, mut calls: mpsc::UnboundedReceiver<Call>, trouble: mpsc::Sender<Cause>) {
        loop {
            let ended = self.ended.clone();
            let call = tokio::select! {
                call = calls.recv() => call,
                // between two calls: what it has brought may be what others wait for, and goes with the
                // attempt
                () = ended.cancelled() => return,
            };
            let Some(call) = call else { return };
            match self.answer(call).await {
                Some(Ok(())) => {}
                Some(Err(cause)) => {
                    // nobody listens to one that is about to end
                    let _ = trouble.send(cause).await;
                    break;
                }
                None => break,
            }
        }
        // without this worker the others cannot finish the round either
        self.forget(0).await;
    }

    /// `None` if the child has ended meanwhile.
    async fn answer(&mut self, call: Call) -> Option<Result<(), Cause>> {
        let Member { rank, .. } = self.member;
        let answer = match call {
            Call::Round(round) => self.meet(round).await?,
            Call::Verdict(round) if rank == 0 => self.bring(&verdict_file(round)).await?,
            Call::Verdict(round) => self.fetch(&verdict_file(round)).await?,
        };
        Some(answer.map_err(|error| blob_cause(&error)))
    }

    async fn meet(&mut self, round: u64) -> Option<Result<(), BlobError>> {
        let brought = self.bring(&round_file(round, self.member.rank)).await?;
        if brought.is_err() {
            return Some(brought);
        }
        for other in self.member.others() {
            let fetched = self.fetch(&round_file(round, other)).await?;
            if fetched.is_err() {
                return Some(fetched);
            }
        }
        // who has brought something to this round has read all of the one before
        self.forget(1).await;
        Some(Ok(()))
    }

    /// What is on its way arrives, even if the child has ended, so that it can be taken back.
    async fn bring(&mut self, name: &str) -> Option<Result<(), BlobError>> {
        let Assignment { attempt, tenant, .. } = self.assignment;
        self.brought.push(name.to_owned());
        let put = || self.context.blobs.put_round(tenant, attempt, &self.folder, name);
        tokio::select! {
            brought = with_tries(MANY, put) => Some(brought),
            () = async { self.ended.cancelled().await; sleep(GOODBYE).await } => None,
        }
    }

    /// Waits for as long as it takes: if the other worker is lost, the attempt is ended by the scheduler.
    async fn fetch(&self, name: &str) -> Option<Result<(), BlobError>> {
        let Assignment { attempt, tenant, .. } = self.assignment;
        let fetched = async {
            let mut pause = FIRST_PAUSE;
            loop {
                let fetch = || self.context.blobs.fetch_round(tenant, attempt, &self.folder, name);
                match with_tries(MANY, fetch).await {
                    Err(BlobError::Missing(_)) => sleep(pause).await,
                    answer => return answer,
                }
                pause = (pause * 2).min(MAX_PAUSE);
            }
        };
        self.ended.run_until_cancelled(fetched).await
    }

    /// All that it has brought but the newest.
    async fn forget(&mut self, newest: usize) {
        let Assignment { attempt, tenant, .. } = self.assignment;
        let old = self.brought.len().saturating_sub(newest);
        for name in self.brought.drain(..old) {
            let delete = || self.context.blobs.delete_round(tenant, attempt, &name);
            if let Err(error) = with_tries(SOME, delete).await {
                warn!(job.id = %attempt.job, name, %error, "what was brought to an old round was not deleted");
            }
        }
    }
}

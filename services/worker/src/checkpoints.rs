//! A child's checkpoints, on their way to the object store. Only the newest matters: those that come
//! while one is on its way are skipped but for the last.

use std::path::{Path, PathBuf};

use domain::{child::CHECKPOINT_FILE, hint::Hint};
use registry::BlobError;
use store::{
    StoreError,
    attempts::{self, Assignment, Checkpoint, Recorded},
};
use tokio::{sync::watch, task::JoinHandle};
use tracing::{error, warn};

use crate::{
    Context, SharedContext,
    patience::{Orders, SOME, killed, until_answered, with_tries},
};

pub(crate) struct Uploader {
    /// The step of the newest one.
    newest: watch::Sender<Option<u64>>,
    task: JoinHandle<()>,
}

impl Uploader {
    pub(crate) fn start(
        context: SharedContext,
        assignment: &Assignment,
        folder: &Path,
        orders: Orders,
    ) -> Self {
        let (newest, steps) = watch::channel(None);
        let upload = Upload {
            context,
            assignment: assignment.clone(),
            path: folder.join(CHECKPOINT_FILE),
            orders,
        };
        Self { newest, task: tokio::spawn(upload.run(steps)) }
    }

    pub(crate) fn take(&self, step: u64) {
        self.newest.send_replace(Some(step));
    }

    /// Returns when the newest one is stored, has been given up, or is of no use any more.
    pub(crate) async fn finish(mut self, orders: &mut Orders) {
        drop(self.newest);
        tokio::select! {
            // a panic there has been reported, and costs a checkpoint, not the result
            _ = &mut self.task => {}
            () = killed(orders) => self.task.abort(),
        }
    }
}

struct Upload {
    context: SharedContext,
    assignment: Assignment,
    path: PathBuf,
    orders: Orders,
}

impl Upload {
    async fn run(mut self, mut steps: watch::Receiver<Option<u64>>) {
        while steps.changed().await.is_ok() {
            let step = *steps.borrow_and_update();
            if let Some(step) = step {
                self.store(step).await;
            }
        }
    }

    /// The child replaces its checkpoint by renaming, so that what is read here is whole. It may be
    /// newer than `step`, which is for people to read; the file itself says where it continues.
    async fn store(&mut self, step: u64) {
        let Assignment { attempt, tenant, .. } = self.assignment;
        let put = || self.context.blobs.put_checkpoint(tenant, attempt, step, &self.path);
        let path = match with_tries(SOME, put).await {
            Ok(path) => path,
            Err(error) => {
                warn!(job.id = %attempt.job, step, %error, "a checkpoint was not stored");
                return;
            }
        };
        let checkpoint = Checkpoint { path, step };
        let context = &self.context;
        let write = || write(context, &self.assignment, &checkpoint);
        let obsolete = match until_answered(&mut self.orders, write).await {
            None => None,
            Some(Ok((Recorded::Recorded, earlier))) => {
                context.bus.publish(Hint::Job(attempt.job));
                earlier
            }
            Some(Ok((Recorded::Superseded, _))) => Some(checkpoint.path),
            Some(Err(error)) => {
                error!(job.id = %attempt.job, step, %error, "a checkpoint was not recorded");
                Some(checkpoint.path)
            }
        };
        if let Some(path) = obsolete
            && let Err(error) = delete(context, &path).await
        {
            warn!(job.id = %attempt.job, path, %error, "an old checkpoint was not deleted");
        }
    }
}

async fn delete(context: &Context, path: &str) -> Result<(), BlobError> {
    with_tries(SOME, || context.blobs.delete(path)).await
}

async fn write(
    context: &Context,
    assignment: &Assignment,
    checkpoint: &Checkpoint,
) -> Result<(Recorded, Option<String>), StoreError> {
    let mut tx = context.store.begin().await?;
    let answer = attempts::checkpointed(&mut tx, assignment.attempt, checkpoint).await?;
    tx.commit().await?;
    Ok(answer)
}

//! Jobs that kill every process which touches them.

use std::{convert::Infallible, path::Path};

use rustix::process::Signal;
use tokio::time::sleep;

use super::{load::Load, report::Tally};
use crate::{system, wait::LOOK_EVERY};

/// For ever. A process is known by its scratch folder below `ground`, which bears its job's id.
pub async fn kill_children(ground: &Path, load: &Load<'_>, tally: &Tally) -> Infallible {
    loop {
        let poisoned = load.poisoned();
        let is_one = |argument: &str| {
            let scratch = argument.strip_prefix(&*ground.to_string_lossy());
            let folder = scratch.and_then(|path| path.rsplit('/').next());
            let job = folder.and_then(|folder| folder.split_once('-'));
            job.is_some_and(|(job, _attempt_and_rank)| poisoned.contains(job))
        };
        if !poisoned.is_empty() {
            for child in system::with_argument(is_one) {
                system::kill(child, Signal::KILL);
                tally.add("processes of poisoned jobs killed", 1);
            }
        }
        sleep(LOOK_EVERY).await;
    }
}

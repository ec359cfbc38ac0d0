//! Hints between processes: "look again". They carry no fact; losing one costs a moment, since
//! everybody also looks from time to time.

use std::{fmt, str::FromStr};

use crate::{JobId, WorkerId};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// For the scheduler: the queue or the workers have changed.
    Queue,
    /// For one worker: it has been given work, or something of its is to stop.
    Worker(WorkerId),
    /// For whoever follows a job: it has new events.
    Job(JobId),
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue => f.write_str("queue"),
            Self::Worker(id) => id.fmt(f),
            Self::Job(id) => id.fmt(f),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("not a hint")]
pub struct NotAHint;

impl FromStr for Hint {
    type Err = NotAHint;
    fn from_str(text: &str) -> Result<Self, NotAHint> {
        let job = || text.parse().map(Self::Job).ok();
        let worker = || text.parse().map(Self::Worker).ok();
        (text == "queue").then_some(Self::Queue).or_else(job).or_else(worker).ok_or(NotAHint)
    }
}

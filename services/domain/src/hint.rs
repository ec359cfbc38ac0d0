//! Hints between processes: "look again". They carry no fact; losing one costs a moment, since
//! everybody also looks from time to time.

use std::{fmt, str::FromStr};

use crate::{JobId, WorkerId};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hint {
    /// For the scheduler: the queue or the workers have changed.
    Queue,
    /// For one worker: it has been given work, or something of its is to stop.
    Worker(WorkerId),
    /// For whoever follows a job: it has new events.
    Job(JobId),
}

/// A notification of Postgres holds up to 8,000 bytes.
const TOGETHER: usize = 150;

impl Hint {
    /// As few messages as they fit into.
    pub fn together(hints: &[Self]) -> impl Iterator<Item = String> {
        let message =
            |some: &[Self]| some.iter().map(Self::to_string).collect::<Vec<_>>().join(" ");
        hints.chunks(TOGETHER).map(message)
    }

    /// Those of a message; what is no hint is left out.
    pub fn each(message: &str) -> impl Iterator<Item = Self> {
        message.split(' ').filter_map(|hint| hint.parse().ok())
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_travel_together_and_what_is_none_is_left_out() {
        let hints = [Hint::Queue, Hint::Worker(WorkerId::generate()), Hint::Job(JobId::generate())];
        let messages: Vec<_> = Hint::together(&hints).collect();
        assert_eq!(messages.len(), 1);
        assert_eq!(Hint::each(&messages[0]).collect::<Vec<_>>(), hints);
        assert!(Hint::together(&[hints[2]; 1_000]).all(|message| message.len() <= 8_000));
        assert_eq!(Hint::each("queue cue").collect::<Vec<_>>(), [Hint::Queue]);
        assert_eq!(Hint::each("").count(), 0);
    }
}

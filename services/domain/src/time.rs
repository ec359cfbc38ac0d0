//! Time as a parameter. Decisions take a [`Timestamp`]; only the top of a process holds a [`Clock`].
//! Leases are the exception: they live in the database's time, so that machines need not agree.

use std::sync::{Arc, Mutex};

pub type Timestamp = chrono::DateTime<chrono::Utc>;

#[derive(Clone, Default)]
pub enum Clock {
    #[default]
    System,
    /// For tests: stands still until moved.
    Manual(Arc<Mutex<Timestamp>>),
}

impl Clock {
    pub fn manual(at: Timestamp) -> Self {
        Self::Manual(Arc::new(Mutex::new(at)))
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => chrono::Utc::now(),
            Self::Manual(at) => *at.lock().expect("no holder of this lock can panic"),
        }
    }

    /// Moves a manual clock; the system's clock is not ours to move.
    pub fn advance(&self, by: chrono::Duration) {
        if let Self::Manual(at) = self {
            *at.lock().expect("no holder of this lock can panic") += by;
        }
    }
}

//! Imaginary workers. A worker runs what it was given whether or not anyone still wants it, until it
//! hears better at a heartbeat, as a real one would behind a broken network.

use std::collections::{BTreeMap, BTreeSet};

use chrono::Duration;
use domain::{
    Resources, Timestamp,
    job::{Attempt, Cause, JobEvent, Report},
};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

pub struct Worker {
    pub capacity: Resources,
    pub mood: Mood,
    pub last_seen: Timestamp,
    pub children: BTreeMap<Attempt, Child>,
    /// Silent for longer than its lease: nothing of it counts any more.
    pub is_buried: bool,
    /// All that it ever began: it begins nothing twice.
    begun: BTreeSet<Attempt>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Up,
    /// Cut off: it works on, but nothing is heard of it and it hears nothing.
    Stalled {
        until: Timestamp,
    },
    /// Asked to leave: it stops its children and takes no more.
    Draining,
    /// Left, and known to have.
    Gone,
    /// Died without a word.
    Dead,
}

pub struct Child {
    pub ends_at: Timestamp,
    pub report: Report,
    pub announced: bool,
}

impl Worker {
    pub fn new(capacity: Resources, now: Timestamp) -> Self {
        let (children, begun) = (BTreeMap::new(), BTreeSet::new());
        Self { capacity, mood: Mood::Up, last_seen: now, children, is_buried: false, begun }
    }

    pub fn is_heard(&self) -> bool {
        matches!(self.mood, Mood::Up | Mood::Draining)
    }

    pub fn lose_everything(&mut self, mood: Mood) {
        self.mood = mood;
        self.children.clear();
    }

    /// What its children have to say by now; those that ended are forgotten.
    pub fn events(&mut self, now: Timestamp) -> Vec<JobEvent> {
        let mut events = Vec::new();
        for (attempt, child) in &mut self.children {
            let attempt = *attempt;
            if !child.announced {
                child.announced = true;
                events.push(JobEvent::Started { attempt });
            }
            if child.ends_at <= now {
                events.push(JobEvent::Reported { attempt, report: child.report.clone() });
            }
        }
        self.children.retain(|_, child| child.ends_at > now);
        events
    }

    pub fn begin(&mut self, attempt: Attempt, child: Child) {
        if self.begun.insert(attempt) {
            self.children.insert(attempt, child);
        }
    }

    /// A child asked to stop does so at its next step, unless it is done by then; an attempt that
    /// never began is given back at once.
    pub fn stop(&mut self, attempt: Attempt, now: Timestamp) {
        self.begin(attempt, Child { ends_at: now, report: Report::Stopped, announced: true });
        if let Some(child) = self.children.get_mut(&attempt)
            && child.ends_at > now + STOPS_WITHIN
        {
            (child.ends_at, child.report) = (now + STOPS_WITHIN, Report::Stopped);
        }
    }
}

const STOPS_WITHIN: Duration = Duration::seconds(1);

impl Child {
    /// In peace most succeed; a failure in trouble may be fatal, and some never end by themselves.
    pub fn chance(rng: &mut ChaCha8Rng, peace: bool, now: Timestamp) -> Self {
        let (report, seconds) = match rng.random_range(0..100) {
            0..70 => (Report::Succeeded, 1..20),
            70..90 => (Report::Failed(Cause::retryable("crashed", "it crashed")), 1..20),
            90..95 => (Report::Failed(Cause::fatal("one_class", "one class")), 1..20),
            _ if peace => (Report::Succeeded, 1..20),
            _ => (Report::Succeeded, 100..1_000),
        };
        let ends_at = now + Duration::seconds(rng.random_range(seconds));
        Self { ends_at, report, announced: false }
    }
}

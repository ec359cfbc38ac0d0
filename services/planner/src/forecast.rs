//! When a job starts: the plans of the time to come, made ahead on a copy of the queue, as if nothing
//! more were submitted and every attempt ran for as long as is expected of it.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    JobId, Timestamp,
    world::{Command, Phase, PlannedJob},
};

use crate::{Queue, after};

/// How many seconds a job is expected to run, from the start of its attempt.
pub type Runtimes<'a> = &'a dyn Fn(JobId, &PlannedJob) -> u64;

impl Queue {
    /// When each of `jobs` starts. One that starts in none of the next `max_events` plans is left out.
    pub fn forecast(
        &self,
        jobs: &BTreeSet<JobId>,
        runtimes: Runtimes,
        max_events: usize,
    ) -> BTreeMap<JobId, Timestamp> {
        let mut ahead = Ahead { queue: self.clone(), ends: BTreeMap::new(), runtimes };
        ahead.expect_ends_of_live();
        let mut starts = BTreeMap::new();
        for _ in 0..max_events {
            for started in ahead.plan() {
                if jobs.contains(&started) {
                    starts.entry(started).or_insert(ahead.queue.now);
                }
            }
            if starts.len() == jobs.len() || !ahead.pass_time() {
                break;
            }
        }
        starts
    }
}

struct Ahead<'a> {
    queue: Queue,
    ends: BTreeMap<(Timestamp, JobId), Ending>,
    runtimes: Runtimes<'a>,
}

#[derive(Clone, Copy)]
enum Ending {
    Done,
    /// It goes back to the queue.
    Stopped,
}

impl Ahead<'_> {
    fn expect_ends_of_live(&mut self) {
        let now = self.queue.now;
        for (id, job) in self.queue.jobs() {
            if let Phase::Live(live) = &job.phase {
                let end = match live.stopping {
                    Some(_) => (self.after_grace(), Ending::Stopped),
                    None => {
                        let end = after(live.started_at, (self.runtimes)(id, job));
                        (end.max(after(now, 1)), Ending::Done)
                    }
                };
                self.ends.insert((end.0, id), end.1);
            }
        }
    }

    fn after_grace(&self) -> Timestamp {
        let grace = self.queue.policy.grace.num_seconds();
        after(self.queue.now, u64::try_from(grace).unwrap_or(0))
    }

    /// Makes one plan and answers with what it starts.
    fn plan(&mut self) -> Vec<JobId> {
        let now = self.queue.now;
        let mut started = Vec::new();
        for command in self.queue.plan(now).commands {
            let id = command.attempt().job;
            match command {
                Command::Start { .. } => {
                    started.push(id);
                    let Some(job) = self.queue.job(id) else { continue };
                    self.ends.insert((after(now, (self.runtimes)(id, job)), id), Ending::Done);
                }
                Command::Preempt { .. } => {
                    self.ends.retain(|(_, job), _| *job != id);
                    self.ends.insert((self.after_grace(), id), Ending::Stopped);
                }
                Command::Lose { .. } | Command::TimeOut { .. } => self.queue.set_job(id, None),
            }
        }
        started
    }

    /// To the next moment at which something ends or may begin; false if nothing more happens.
    fn pass_time(&mut self) -> bool {
        let end = self.ends.first_key_value().map(|((at, _), _)| *at);
        let Some(next) = end.into_iter().chain(self.queue.next_time()).min() else { return false };
        self.queue.advance(next);
        while let Some(entry) = self.ends.first_entry()
            && entry.key().0 <= next
        {
            let ((_, id), ending) = entry.remove_entry();
            let back = self.queue.job(id).and_then(|job| match (&job.phase, ending) {
                (Phase::Live(live), Ending::Stopped) => {
                    let last_attempt = live.attempt.number.get();
                    let phase = Phase::Waiting { not_before: next, last_attempt };
                    Some(PlannedJob { phase, ..job.clone() })
                }
                _ => None,
            });
            if matches!(ending, Ending::Done) {
                self.queue.charge(id);
            }
            self.queue.set_job(id, back);
        }
        true
    }
}

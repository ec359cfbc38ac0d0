//! A job with its state, and what its history may have held: every event goes through
//! [`Job::hear`], which checks the promises of the state machine.

use std::collections::BTreeSet;

use domain::{
    JobId, PoolId, Resources, TenantId, Timestamp,
    job::{Attempt, Cause, JobEvent, JobState, JobStatus, Refused, Report, RetryPolicy},
    world::{Live, Phase, PlannedJob, Stopping},
};

#[derive(Debug)]
pub struct Job {
    pub id: JobId,
    pub tenant: TenantId,
    pub priority: i32,
    pub created_at: Timestamp,
    pub resources: Resources,
    pub workers: u32,
    pub state: JobState,
    /// Of the live attempt, as the planner said when it placed it.
    pub live: Option<Live>,
    cancelled: bool,
    failures: u32,
    started: BTreeSet<u32>,
}

impl Job {
    pub fn new(
        id: JobId,
        tenant: TenantId,
        priority: i32,
        resources: Resources,
        workers: u32,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            tenant,
            priority,
            created_at: now,
            resources,
            workers,
            state: JobState::Queued { not_before: now, tries: 0, last_attempt: 0 },
            live: None,
            cancelled: false,
            failures: 0,
            started: BTreeSet::new(),
        }
    }

    pub fn hear(
        &mut self,
        event: &JobEvent,
        retry: &RetryPolicy,
        now: Timestamp,
    ) -> Result<(), Refused> {
        let before = self.state.clone();
        let after = before.clone().apply(event.clone(), retry, now)?;
        assert!(!before.status().is_final(), "{event:?} changed an ended {self:#?}");
        match event {
            JobEvent::Assigned { attempt, .. } => {
                assert!(!self.cancelled, "{attempt} started after a cancel");
                assert!(self.started.insert(attempt.number.get()), "{attempt} started twice");
                assert_eq!(self.started.last(), Some(&attempt.number.get()), "{attempt} goes back");
            }
            JobEvent::CancelAsked => self.cancelled = true,
            JobEvent::PauseAsked | JobEvent::ResumeAsked | JobEvent::NeverReady { .. } => {}
            JobEvent::Started { attempt }
            | JobEvent::PreemptAsked { attempt, .. }
            | JobEvent::LeaseLost { attempt }
            | JobEvent::Reported { attempt, .. } => {
                let current = before.run().map(|run| run.attempt);
                assert_eq!(current, Some(*attempt), "a superseded attempt was heard");
            }
        }
        let failed = matches!(
            event,
            JobEvent::LeaseLost { .. } | JobEvent::Reported { report: Report::Failed(_), .. }
        );
        self.failures += u32::from(failed);
        assert!(self.failures <= retry.max_tries, "too many tries: {self:#?}");
        if matches!(event, JobEvent::Reported { report: Report::Succeeded, .. }) {
            assert_eq!(after.status(), JobStatus::Succeeded, "a success was thrown away");
        }
        self.state = after;
        Ok(())
    }

    pub fn ended(&self) -> bool {
        self.state.status().is_final()
    }

    pub fn is_current(&self, attempt: Attempt) -> bool {
        self.state.run().is_some_and(|run| run.attempt == attempt)
    }

    /// What the planner sees of it; nothing once it has ended.
    pub fn planned(&self) -> Option<PlannedJob> {
        let phase = match &self.state {
            JobState::Queued { not_before, last_attempt, .. } => {
                Phase::Waiting { not_before: *not_before, last_attempt: *last_attempt }
            }
            JobState::Starting { run }
            | JobState::Running { run }
            | JobState::Stopping { run, .. } => {
                let live = self.live.clone().filter(|live| live.attempt == run.attempt)?;
                let is_stopping = self.state.status() == JobStatus::Stopping;
                let stopping = live.stopping.or(Some(Stopping { for_job: None }));
                let stopping = stopping.filter(|_| is_stopping);
                Phase::Live(Box::new(Live { stopping, ..live }))
            }
            JobState::Paused { .. } | JobState::Finished { .. } => return None,
        };
        let Self { tenant, priority, created_at, resources: needs, workers, .. } = *self;
        let (pool, max_runtime_secs) = (PoolId::NIL, MAX_RUNTIME_SECS);
        Some(PlannedJob {
            tenant,
            pool,
            priority,
            created_at,
            needs,
            workers,
            max_runtime_secs,
            concurrency: None,
            phase,
        })
    }
}

pub const MAX_RUNTIME_SECS: u64 = 60;

pub fn timed_out() -> Report {
    Report::Failed(Cause::fatal("max_runtime", "it ran longer than its max_runtime"))
}

//! The rules of a plan, one test each, in a world small enough to read.

mod properties;

use std::num::NonZeroU32;

use chrono::{DateTime, Duration};
use domain::{
    JobId, TenantId, Timestamp, WorkerId,
    job::Attempt,
    spec::Resources,
    world::{Command, Phase, Plan, PlannedJob, TenantShare, WaitReason, WorkerView, World},
};
use uuid::Uuid;

use crate::{Policy, invariants, plan};

fn at(seconds: i64) -> Timestamp {
    DateTime::UNIX_EPOCH + Duration::seconds(seconds)
}

fn job_id(n: u128) -> JobId {
    JobId::from_uuid(Uuid::from_u128(n))
}

fn tenant_id(n: u128) -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(n))
}

fn worker_id(n: u128) -> WorkerId {
    WorkerId::from_uuid(Uuid::from_u128(n))
}

fn attempt(job: u128, number: u32) -> Attempt {
    Attempt { job: job_id(job), number: NonZeroU32::new(number).unwrap() }
}

fn start(job: u128, worker: u128) -> Command {
    Command::Start { attempt: attempt(job, 1), worker: worker_id(worker) }
}

fn room(cpus: u32, gib: u64) -> Resources {
    Resources { cpu_milli: cpus * 1_000, memory_bytes: gib << 30 }
}

const NOW: i64 = 1_000;

/// Jobs need one CPU and 1 GiB, and are created a second apart in the order of their ids.
#[derive(Default)]
struct Scene(World);

impl Scene {
    fn tenant(mut self, n: u128, max_running: u32) -> Self {
        let share = TenantShare { slug: format!("tenant-{n}"), max_running };
        self.0.tenants.insert(tenant_id(n), share);
        self
    }

    fn worker(mut self, n: u128, capacity: Resources) -> Self {
        let view = WorkerView { capacity, accepts: true, gone: false };
        self.0.workers.insert(worker_id(n), view);
        self
    }

    fn waiting(self, n: u128, tenant: u128) -> Self {
        self.job(n, tenant, Phase::Waiting { not_before: at(0), last_attempt: 0 })
    }

    fn live(self, n: u128, tenant: u128, worker: u128) -> Self {
        let phase = Phase::Live {
            attempt: attempt(n, 1),
            worker: worker_id(worker),
            lease_until: at(NOW + 10),
            deadline: at(NOW + 100),
            stopping: false,
        };
        self.job(n, tenant, phase)
    }

    fn job(mut self, n: u128, tenant: u128, phase: Phase) -> Self {
        let job = PlannedJob {
            tenant: tenant_id(tenant),
            priority: 0,
            created_at: at(n as i64),
            resources: room(1, 1),
            phase,
        };
        self.0.jobs.insert(job_id(n), job);
        self
    }

    fn with_job(mut self, n: u128, change: impl FnOnce(&mut PlannedJob)) -> Self {
        change(self.0.jobs.get_mut(&job_id(n)).unwrap());
        self
    }

    fn with_worker(mut self, n: u128, change: impl FnOnce(&mut WorkerView)) -> Self {
        change(self.0.workers.get_mut(&worker_id(n)).unwrap());
        self
    }

    fn plan(&self) -> Plan {
        self.plan_by(&Policy::default())
    }

    fn plan_by(&self, policy: &Policy) -> Plan {
        let made = plan(&self.0, policy, at(NOW));
        invariants::all(&self.0, policy, at(NOW), &made).unwrap();
        made
    }

    fn starts(&self) -> Vec<Command> {
        let commands = self.plan().commands;
        assert!(commands.iter().all(|command| matches!(command, Command::Start { .. })));
        commands
    }

    fn reason(&self, n: u128) -> WaitReason {
        self.plan().waiting[&job_id(n)].clone()
    }
}

fn leased(until: i64, deadline: i64, stopping: bool) -> impl FnOnce(&mut PlannedJob) {
    let (until, by) = (at(until), at(deadline));
    move |job| match &mut job.phase {
        Phase::Live { lease_until, deadline, stopping: stops, .. } => {
            (*lease_until, *deadline, *stops) = (until, by, stopping);
        }
        Phase::Waiting { .. } => panic!("not a live job"),
    }
}

#[test]
fn an_empty_world_needs_nothing() {
    assert_eq!(Scene::default().plan(), Plan::default());
}

#[test]
fn an_attempt_is_reclaimed_when_its_worker_is_gone_or_absent() {
    let scene = Scene::default().tenant(1, 9).worker(1, room(4, 4)).live(1, 1, 1).live(2, 1, 7);
    let scene = scene.with_worker(1, |worker| worker.gone = true);
    let reclaim = |n| Command::Reclaim { attempt: attempt(n, 1) };
    assert_eq!(scene.plan().commands, [reclaim(1), reclaim(2)]);
}

#[test]
fn an_attempt_is_reclaimed_once_its_lease_has_passed_and_not_before() {
    let scene = Scene::default().tenant(1, 9).worker(1, room(4, 4)).live(1, 1, 1).live(2, 1, 1);
    let scene =
        scene.with_job(1, leased(NOW, NOW + 9, false)).with_job(2, leased(NOW - 1, NOW - 9, true));
    assert_eq!(scene.plan().commands, [Command::Reclaim { attempt: attempt(2, 1) }]);
}

#[test]
fn an_attempt_past_its_deadline_is_timed_out_unless_it_is_stopping() {
    let scene = Scene::default().tenant(1, 9).worker(1, room(4, 4));
    let scene = scene.live(1, 1, 1).live(2, 1, 1).live(3, 1, 1);
    let scene = scene
        .with_job(1, leased(NOW + 9, NOW - 1, false))
        .with_job(2, leased(NOW + 9, NOW - 1, true))
        .with_job(3, leased(NOW + 9, NOW, false));
    assert_eq!(scene.plan().commands, [Command::TimeOut { attempt: attempt(1, 1) }]);
}

#[test]
fn what_this_plan_ends_still_holds_its_room() {
    let scene = Scene::default().tenant(1, 9).worker(1, room(1, 1)).live(1, 1, 1).waiting(2, 1);
    let scene = scene.with_job(1, leased(NOW - 1, NOW + 9, false));
    let made = scene.plan();
    assert_eq!(made.commands, [Command::Reclaim { attempt: attempt(1, 1) }]);
    let none = room(0, 0);
    assert_eq!(scene.reason(2), WaitReason::Resources { needs: room(1, 1), largest_free: none });
    let after = invariants::carried_out(&scene.0, &made);
    assert_eq!(plan(&after, &Policy::default(), at(NOW)).commands, [start(2, 1)]);
}

#[test]
fn a_pause_after_a_failure_is_kept() {
    let pause = |until| Phase::Waiting { not_before: at(until), last_attempt: 3 };
    let scene = Scene::default().tenant(1, 9).worker(1, room(4, 4));
    let scene = scene.job(1, 1, pause(NOW + 1)).job(2, 1, pause(NOW));
    assert_eq!(scene.reason(1), WaitReason::BeginTime { until: at(NOW + 1) });
    let second = Command::Start { attempt: attempt(2, 4), worker: worker_id(1) };
    assert_eq!(scene.starts(), [second]);
}

#[test]
fn the_tenant_that_runs_least_is_served_first_and_equals_take_turns() {
    let scene =
        Scene::default().tenant(1, 9).tenant(2, 9).worker(1, room(1, 9)).worker(2, room(8, 9));
    let scene = scene.live(90, 1, 2).live(91, 1, 2);
    let scene = scene.waiting(1, 1).waiting(2, 1).waiting(3, 2).waiting(4, 2).waiting(5, 2);
    // Tenant 2 catches up from none; then they are level and the older job goes first.
    let order: Vec<_> = scene.starts().iter().map(started).collect();
    assert_eq!(order, [3, 4, 1, 5, 2].map(job_id));
}

fn started(command: &Command) -> JobId {
    match command {
        Command::Start { attempt, .. } => attempt.job,
        other => panic!("{other:?} is not a start"),
    }
}

#[test]
fn within_a_tenant_priority_comes_before_age_and_age_before_id() {
    let scene = Scene::default().tenant(1, 9).worker(1, room(8, 8));
    let scene = scene.waiting(1, 1).waiting(2, 1).waiting(3, 1).waiting(4, 1);
    let scene = scene
        .with_job(4, |job| job.priority = 1)
        .with_job(3, |job| job.created_at = at(0))
        .with_job(2, |job| job.created_at = at(1));
    let order: Vec<_> = scene.starts().iter().map(started).collect();
    assert_eq!(order, [4, 3, 1, 2].map(job_id));
}

#[test]
fn a_tenant_at_its_limit_waits_and_others_go_on() {
    let scene = Scene::default().tenant(1, 2).tenant(2, 9).worker(1, room(8, 8));
    let scene = scene.live(1, 1, 1).waiting(2, 1).waiting(3, 1).waiting(4, 2);
    assert_eq!(scene.plan().commands, [start(4, 1), start(2, 1)]);
    assert_eq!(scene.reason(3), WaitReason::MaxRunningJobs { running: 2, limit: 2 });
}

#[test]
fn a_tenant_out_of_the_picture_may_run_nothing() {
    let scene = Scene::default().worker(1, room(8, 8)).waiting(1, 5);
    assert_eq!(scene.reason(1), WaitReason::MaxRunningJobs { running: 0, limit: 0 });
}

#[test]
fn a_job_goes_where_the_least_cpu_is_left_and_ties_to_the_lowest_id() {
    let scene = Scene::default().tenant(1, 9).waiting(1, 1).waiting(2, 1).waiting(3, 1);
    let scene = scene.worker(1, room(8, 8)).worker(2, room(2, 8)).worker(3, room(2, 8));
    assert_eq!(scene.starts(), [start(1, 2), start(2, 2), start(3, 3)]);
}

#[test]
fn memory_counts_as_much_as_cpu() {
    let scene = Scene::default().tenant(1, 9).worker(1, room(2, 1)).worker(2, room(8, 4));
    let scene = scene.waiting(1, 1).with_job(1, |job| job.resources = room(1, 2));
    assert_eq!(scene.starts(), [start(1, 2)]);
}

#[test]
fn a_job_without_room_waits_and_smaller_ones_pass_it() {
    let scene = Scene::default().tenant(1, 9).worker(1, room(4, 4)).live(1, 1, 1);
    let scene = scene.waiting(2, 1).waiting(3, 1).with_job(2, |job| job.resources = room(4, 1));
    assert_eq!(scene.plan().commands, [start(3, 1)]);
    let needs = room(4, 1);
    assert_eq!(scene.reason(2), WaitReason::Resources { needs, largest_free: room(3, 3) });
}

#[test]
fn a_job_larger_than_every_worker_that_is_up_says_so_and_blocks_nobody() {
    let scene = Scene::default().tenant(1, 9).worker(1, room(4, 4)).worker(2, room(64, 64));
    let scene = scene.with_worker(2, |worker| worker.accepts = false);
    let scene = scene.waiting(1, 1).waiting(2, 1).with_job(1, |job| job.resources = room(5, 1));
    assert_eq!(scene.plan().commands, [start(2, 1)]);
    assert_eq!(scene.reason(1), WaitReason::TooLarge { needs: room(5, 1), largest: room(4, 4) });
}

#[test]
fn without_a_worker_that_is_up_every_job_says_so() {
    let scene = Scene::default().tenant(1, 9).waiting(1, 1);
    assert_eq!(scene.reason(1), WaitReason::NoWorkers);
    let gone = scene.worker(1, room(4, 4)).with_worker(1, |worker| worker.gone = true);
    assert_eq!(gone.reason(1), WaitReason::NoWorkers);
    let draining = gone.worker(1, room(4, 4)).with_worker(1, |worker| worker.accepts = false);
    assert_eq!(draining.reason(1), WaitReason::NoWorkers);
}

#[test]
fn one_plan_starts_no_more_than_the_policy_allows() {
    let scene = Scene::default().tenant(1, 9).worker(1, room(2, 8));
    let scene = scene.waiting(1, 1).waiting(2, 1).waiting(3, 1);
    let made = scene.plan_by(&Policy { max_starts_per_plan: 1 });
    assert_eq!(made.commands, [start(1, 1)]);
    assert_eq!(made.waiting[&job_id(2)], WaitReason::NextPlan);
    assert_eq!(made.waiting[&job_id(3)], WaitReason::NextPlan);
}

#[test]
fn numbers_at_their_end_are_planned_without_overflow() {
    let everything = Resources { cpu_milli: u32::MAX, memory_bytes: u64::MAX };
    let last = Phase::Waiting { not_before: Timestamp::MIN_UTC, last_attempt: u32::MAX };
    let scene = Scene::default().tenant(1, u32::MAX).worker(1, everything).worker(2, everything);
    let scene = scene.live(1, 1, 1).live(2, 1, 1).job(3, 1, last);
    let scene = [1, 2, 3].into_iter().fold(scene, |scene, n| {
        scene.with_job(n, |job| {
            job.resources = everything;
            job.created_at = Timestamp::MAX_UTC;
        })
    });
    let attempt = attempt(3, u32::MAX);
    assert_eq!(scene.starts(), [Command::Start { attempt, worker: worker_id(2) }]);
}

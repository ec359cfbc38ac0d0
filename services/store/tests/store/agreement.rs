//! The state machine against the real thing: random steps through [`JobState::apply`] and through the
//! store's own functions are accepted and refused alike, and lead to the same state.

use domain::{
    JobId, Timestamp,
    job::{Attempt, Cause, JobEvent, JobState, Report, Run},
    spend::Rate,
    world::{Command, Devices, Seats},
};
use proptest::{collection::vec, prelude::*};
use store::{
    Service,
    attempts::{self, Recorded},
    jobs,
};
use tokio::runtime::Runtime;

use crate::support::{World, attempt, retry, start};

const CASES: u32 = 48;

#[derive(Debug, Clone)]
enum Step {
    Assign,
    Start,
    Cancel,
    Pause,
    Resume,
    Move,
    Report(Report),
    Reclaim,
    TimeOut,
}

/// A step that names the attempt so many before the next one: 0 is the next, 1 the current.
fn steps() -> impl Strategy<Value = (u32, Step)> {
    let retryable = Report::Failed(Cause::retryable("crashed", "it crashed"));
    let fatal = Report::Failed(Cause::fatal("bad_label", "the label has one class"));
    prop_oneof![
        8 => (prop_oneof![6 => Just(0_u32), 1 => 1..3_u32], Just(Step::Assign)),
        12 => (prop_oneof![6 => Just(1_u32), 1 => 0..4_u32], prop_oneof![
            6 => Just(Step::Start),
            1 => Just(Step::Cancel),
            1 => Just(Step::Pause),
            2 => Just(Step::Resume),
            2 => Just(Step::Move),
            1 => Just(Step::Report(Report::Succeeded)),
            2 => Just(Step::Report(Report::Stopped)),
            3 => Just(Step::Report(retryable)),
            1 => Just(Step::Report(fatal)),
            2 => Just(Step::Reclaim),
            1 => Just(Step::TimeOut),
        ]),
    ]
}

#[test]
fn the_store_and_the_state_machine_agree() {
    let runtime = Runtime::new().unwrap();
    let world = runtime.block_on(World::create());
    proptest!(ProptestConfig::with_cases(CASES), |(history in vec(steps(), 1..25))| {
        runtime.block_on(agree(&world, history))?;
    });
}

async fn agree(world: &World, history: Vec<(u32, Step)>) -> Result<(), TestCaseError> {
    let job = world.submit(&world.acme).await;
    let now = Timestamp::UNIX_EPOCH;
    let mut model = JobState::Queued { not_before: now, tries: 0, last_attempt: 0 };
    for (back, step) in history {
        let number = (last_attempt(&model) + 1).saturating_sub(back).max(1);
        let attempt = attempt(job, number);
        let expected = model.clone().apply(event(world, &step, attempt), &retry(), now);
        let accepted = perform(world, &step, attempt).await;
        if let Some(accepted) = accepted {
            prop_assert_eq!(accepted, expected.is_ok(), "{:?} of {} in {:?}", step, number, model);
        }
        model = expected.unwrap_or(model);
        let real = world.job(&world.acme, job).await;
        prop_assert_eq!(real.status, model.status(), "after {:?}", step);
        prop_assert_eq!(real.attempt, last_attempt(&model));
        prop_assert_eq!(real.worker, model.run().map(|run| run.worker));
        if let Some(tries) = tries(&model) {
            prop_assert_eq!(real.tries, tries);
        }
    }
    numbered_without_gaps(world, job).await
}

async fn numbered_without_gaps(world: &World, job: JobId) -> Result<(), TestCaseError> {
    let numbers: Vec<_> =
        world.events(&world.acme, job).await.iter().map(|event| event.number).collect();
    prop_assert_eq!(&numbers, &(1..=numbers.len() as u64).collect::<Vec<_>>());
    Ok(())
}

fn event(world: &World, step: &Step, attempt: Attempt) -> JobEvent {
    match step {
        Step::Assign => JobEvent::Assigned {
            attempt,
            seats: Seats::one(world.worker, Devices::default()),
            rate: Rate::FREE,
        },
        Step::Start => JobEvent::Started { attempt },
        Step::Cancel => JobEvent::CancelAsked,
        Step::Pause => JobEvent::PauseAsked,
        Step::Resume => JobEvent::ResumeAsked,
        Step::Move => JobEvent::PreemptAsked { attempt, for_job: None },
        Step::Report(report) => JobEvent::Reported { attempt, report: report.clone() },
        Step::Reclaim => JobEvent::LeaseLost { attempt },
        Step::TimeOut => {
            let late = Cause::fatal("max_runtime_exceeded", "it ran too long");
            JobEvent::Reported { attempt, report: Report::Failed(late) }
        }
    }
}

/// Whether the store accepted it, where its function says so.
async fn perform(world: &World, step: &Step, attempt: Attempt) -> Option<bool> {
    let accepted = |command| async move { world.command(command).await.skipped.is_empty() };
    match step {
        Step::Assign => Some(accepted(start(attempt, world.worker)).await),
        Step::Start => Some(world.started(attempt).await == Recorded::Recorded),
        Step::Cancel => {
            world.cancel(&world.acme, attempt.job).await;
            None
        }
        Step::Pause | Step::Resume => {
            let mut tx = world.begin_for(&world.acme).await;
            let asked = if matches!(step, Step::Pause) {
                jobs::pause(&mut tx, attempt.job, &retry()).await
            } else {
                jobs::resume(&mut tx, attempt.job, &retry()).await
            };
            tx.commit().await.unwrap();
            Some(asked.unwrap().unwrap().is_ok())
        }
        Step::Move => {
            let mut tx = world.begin_as(Service::Worker).await;
            attempts::ask_to_move(&mut tx, attempt, &retry()).await.unwrap();
            tx.commit().await.unwrap();
            None
        }
        Step::Report(report) => Some(world.report(attempt, report.clone()).await.is_ok()),
        Step::Reclaim => Some(accepted(Command::Lose { attempt }).await),
        Step::TimeOut => Some(accepted(Command::TimeOut { attempt }).await),
    }
}

fn last_attempt(state: &JobState) -> u32 {
    match state {
        JobState::Queued { last_attempt, .. }
        | JobState::Paused { last_attempt, .. }
        | JobState::Finished { last_attempt, .. } => *last_attempt,
        JobState::Starting { run } | JobState::Running { run } | JobState::Stopping { run, .. } => {
            run.attempt.number.get()
        }
    }
}

fn tries(state: &JobState) -> Option<u32> {
    match state {
        JobState::Queued { tries, .. }
        | JobState::Paused { tries, .. }
        | JobState::Starting { run: Run { tries, .. } }
        | JobState::Running { run: Run { tries, .. } }
        | JobState::Stopping { run: Run { tries, .. }, .. } => Some(*tries),
        JobState::Finished { .. } => None,
    }
}

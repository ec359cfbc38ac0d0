//! Every transition and every refusal by name, then random histories against a plain count of what
//! may happen.

use chrono::DateTime;
use proptest::{collection::vec, prelude::*};
use uuid::Uuid;

use super::*;
use crate::world::Devices;

fn at(seconds: i64) -> Timestamp {
    DateTime::UNIX_EPOCH + Duration::seconds(seconds)
}

const NOW: i64 = 1_000;

fn attempt(number: u32) -> Attempt {
    let job = JobId::from_uuid(Uuid::from_u128(1));
    Attempt { job, number: NonZeroU32::new(number).unwrap() }
}

fn worker() -> WorkerId {
    WorkerId::from_uuid(Uuid::from_u128(2))
}

/// The attempt with number 3, after one failure.
fn run() -> Run {
    Run { attempt: attempt(3), worker: worker(), tries: 1 }
}

fn queued() -> JobState {
    JobState::Queued { not_before: at(NOW), tries: 1, last_attempt: 2 }
}

fn finished(outcome: Outcome) -> JobState {
    JobState::Finished { outcome, at: at(NOW), last_attempt: 3 }
}

fn stopping(why: StopReason) -> JobState {
    JobState::Stopping { run: run(), why }
}

fn live() -> [JobState; 4] {
    [
        JobState::Starting { run: run() },
        JobState::Running { run: run() },
        stopping(StopReason::Preempted),
        stopping(StopReason::Cancelled),
    ]
}

fn assigned(number: u32) -> JobEvent {
    JobEvent::Assigned {
        attempt: attempt(number),
        seats: Seats::one(worker(), Devices::default()),
        rate: Rate::FREE,
    }
}

fn reported(report: Report) -> JobEvent {
    JobEvent::Reported { attempt: attempt(3), report }
}

fn apply(state: JobState, event: JobEvent) -> Result<JobState, Refused> {
    state.apply(event, &RetryPolicy::default(), at(NOW))
}

/// Every event that speaks for an attempt already there.
fn events_of(attempt: Attempt) -> Vec<JobEvent> {
    let failed = Report::Failed(Cause::retryable("crashed", "it crashed"));
    let fatal = Report::Failed(Cause::fatal("bad_label", "the label has one class"));
    let report = |report| JobEvent::Reported { attempt, report };
    vec![
        JobEvent::Started { attempt },
        JobEvent::PreemptAsked { attempt, for_job: None },
        JobEvent::LeaseLost { attempt },
        report(Report::Succeeded),
        report(Report::Stopped),
        report(failed),
        report(fatal),
    ]
}

#[test]
fn a_queued_job_starts_with_the_next_number_once_its_pause_is_over() {
    assert_eq!(apply(queued(), assigned(3)), Ok(JobState::Starting { run: run() }));
    assert_eq!(apply(queued(), assigned(2)), Err(Refused::Superseded));
    assert_eq!(apply(queued(), assigned(4)), Err(Refused::Superseded));
    let pausing = JobState::Queued { not_before: at(NOW + 1), tries: 1, last_attempt: 2 };
    assert_eq!(apply(pausing, assigned(3)), Err(Refused::NotNow));
}

#[test]
fn a_job_that_has_used_every_number_is_not_started() {
    let spent = JobState::Queued { not_before: at(0), tries: 0, last_attempt: u32::MAX };
    assert_eq!(apply(spent, assigned(u32::MAX)), Err(Refused::Superseded));
}

#[test]
fn a_live_job_takes_no_other_attempt() {
    for state in live() {
        assert_eq!(apply(state.clone(), assigned(3)), Err(Refused::NotNow), "{state:?}");
        assert_eq!(apply(state.clone(), assigned(4)), Err(Refused::NotNow), "{state:?}");
    }
}

#[test]
fn started_makes_it_run_and_never_undoes_a_stop() {
    let started = JobEvent::Started { attempt: attempt(3) };
    let [starting, running, preempted, cancelled] = live();
    assert_eq!(apply(starting, started.clone()), Ok(running.clone()));
    for state in [running, preempted, cancelled] {
        assert_eq!(apply(state.clone(), started.clone()), Ok(state));
    }
}

#[test]
fn cancel_ends_a_queued_job_and_stops_a_live_one() {
    let ended = JobState::Finished { outcome: Outcome::Cancelled, at: at(NOW), last_attempt: 2 };
    assert_eq!(apply(queued(), JobEvent::CancelAsked), Ok(ended));
    for state in live() {
        let stopped = apply(state, JobEvent::CancelAsked);
        assert_eq!(stopped, Ok(stopping(StopReason::Cancelled)));
    }
}

#[test]
fn preempting_stops_a_live_job_but_does_not_replace_a_cancel() {
    let [starting, running, preempted, cancelled] = live();
    let asked = JobEvent::PreemptAsked { attempt: attempt(3), for_job: None };
    for state in [starting, running, preempted.clone()] {
        assert_eq!(apply(state, asked.clone()), Ok(preempted.clone()));
    }
    assert_eq!(apply(cancelled.clone(), asked), Ok(cancelled));
}

#[test]
fn a_pause_holds_a_queued_job_and_stops_a_live_one_until_it_is_resumed() {
    let paused = JobState::Paused { tries: 1, last_attempt: 2 };
    assert_eq!(apply(queued(), JobEvent::PauseAsked), Ok(paused.clone()));
    assert_eq!(apply(paused.clone(), JobEvent::PauseAsked), Ok(paused.clone()));
    assert_eq!(apply(paused.clone(), assigned(3)), Err(Refused::NotNow));
    let back = JobState::Queued { not_before: at(NOW), tries: 1, last_attempt: 2 };
    assert_eq!(apply(paused.clone(), JobEvent::ResumeAsked), Ok(back));
    let ended = JobState::Finished { outcome: Outcome::Cancelled, at: at(NOW), last_attempt: 2 };
    assert_eq!(apply(paused, JobEvent::CancelAsked), Ok(ended));

    let [starting, running, preempted, cancelled] = live();
    let pausing = stopping(StopReason::Paused);
    for state in [starting, running, preempted.clone()] {
        assert_eq!(apply(state, JobEvent::PauseAsked), Ok(pausing.clone()));
    }
    assert_eq!(apply(cancelled.clone(), JobEvent::PauseAsked), Ok(cancelled));
    let held = JobState::Paused { tries: 1, last_attempt: 3 };
    assert_eq!(apply(pausing.clone(), reported(Report::Stopped)), Ok(held));
    let failed = Report::Failed(Cause::retryable("crashed", "it crashed"));
    let held = JobState::Paused { tries: 2, last_attempt: 3 };
    assert_eq!(apply(pausing.clone(), reported(failed)), Ok(held));
    // it goes on by itself if it was resumed before it had stopped
    assert_eq!(apply(pausing, JobEvent::ResumeAsked), Ok(preempted));
}

#[test]
fn a_job_that_will_never_be_ready_fails_unless_it_runs() {
    let cause = Cause::fatal("dependency_failed", "job_… has failed");
    let never = JobEvent::NeverReady { cause: cause.clone() };
    let at = at(NOW);
    let ended = JobState::Finished { outcome: Outcome::Failed(cause), at, last_attempt: 2 };
    for state in [queued(), JobState::Paused { tries: 1, last_attempt: 2 }] {
        assert_eq!(apply(state, never.clone()), Ok(ended.clone()));
    }
    for state in live() {
        assert_eq!(apply(state, never.clone()), Err(Refused::NotNow));
    }
}

#[test]
fn a_success_counts_in_every_live_state() {
    for state in live() {
        let ended = apply(state, reported(Report::Succeeded));
        assert_eq!(ended, Ok(finished(Outcome::Succeeded)));
    }
}

#[test]
fn stopped_gives_the_job_back_at_no_cost_or_ends_a_cancelled_one() {
    let back = JobState::Queued { not_before: at(NOW), tries: 1, last_attempt: 3 };
    let [starting, running, preempted, cancelled] = live();
    for state in [starting, running, preempted] {
        assert_eq!(apply(state, reported(Report::Stopped)), Ok(back.clone()));
    }
    let ended = apply(cancelled, reported(Report::Stopped));
    assert_eq!(ended, Ok(finished(Outcome::Cancelled)));
}

#[test]
fn a_retryable_failure_and_a_lost_lease_cost_a_try_and_pause() {
    // The second failure: twice the first pause of two seconds.
    let back = JobState::Queued { not_before: at(NOW + 4), tries: 2, last_attempt: 3 };
    let failed = Report::Failed(Cause::retryable("crashed", "it crashed"));
    let [starting, running, preempted, cancelled] = live();
    for state in [starting, running, preempted] {
        assert_eq!(apply(state.clone(), reported(failed.clone())), Ok(back.clone()));
        let lost = apply(state, JobEvent::LeaseLost { attempt: attempt(3) });
        assert_eq!(lost, Ok(back.clone()));
    }
    for event in [reported(failed), JobEvent::LeaseLost { attempt: attempt(3) }] {
        assert_eq!(apply(cancelled.clone(), event), Ok(finished(Outcome::Cancelled)));
    }
}

#[test]
fn a_fatal_failure_ends_the_job_with_its_cause() {
    let cause = Cause::fatal("bad_label", "the label has one class");
    let ended = apply(live()[1].clone(), reported(Report::Failed(cause.clone())));
    assert_eq!(ended, Ok(finished(Outcome::Failed(cause))));
}

#[test]
fn the_last_try_ends_the_job_and_says_how_many_there_were() {
    let run = Run { tries: 4, ..run() };
    let lost = apply(JobState::Running { run }, JobEvent::LeaseLost { attempt: attempt(3) });
    let Ok(JobState::Finished { outcome: Outcome::Failed(cause), .. }) = lost else {
        panic!("{lost:?}");
    };
    assert_eq!(cause.code, "lease_lost");
    assert!(cause.message.ends_with("(given up after 5 tries)"), "{}", cause.message);
}

#[test]
fn nothing_follows_the_end() {
    let cause = Cause::fatal("bad_label", "the label has one class");
    for outcome in [Outcome::Succeeded, Outcome::Cancelled, Outcome::Failed(cause)] {
        let events = events_of(attempt(3)).into_iter().chain([assigned(4), JobEvent::CancelAsked]);
        for event in events {
            let after = apply(finished(outcome.clone()), event.clone());
            assert_eq!(after, Err(Refused::Finished), "{event:?}");
        }
    }
}

#[test]
fn a_superseded_attempt_changes_nothing() {
    for state in live().into_iter().chain([queued()]) {
        for event in events_of(attempt(2)) {
            assert_eq!(apply(state.clone(), event.clone()), Err(Refused::Superseded), "{event:?}");
        }
    }
    // Neither does another job's attempt of the same number.
    let other = Attempt { job: JobId::from_uuid(Uuid::from_u128(9)), ..attempt(3) };
    for event in events_of(other) {
        assert_eq!(apply(live()[1].clone(), event), Err(Refused::Superseded));
    }
}

#[test]
fn the_pause_doubles_up_to_its_cap() {
    let retry = RetryPolicy::default();
    let pauses: Vec<_> = (1..=9).map(|tries| retry.delay(tries).num_seconds()).collect();
    assert_eq!(pauses, [2, 4, 8, 16, 32, 64, 128, 256, 300]);
    assert_eq!(retry.delay(u32::MAX), retry.max_backoff);
}

#[test]
fn a_pause_beyond_all_time_ends_at_the_end_of_time() {
    let retry =
        RetryPolicy { max_tries: u32::MAX, backoff: Duration::MAX, max_backoff: Duration::MAX };
    let run = Run { tries: u32::MAX - 2, ..run() };
    let lost = JobEvent::LeaseLost { attempt: attempt(3) };
    let after = JobState::Running { run }.apply(lost, &retry, Timestamp::MAX_UTC);
    let not_before = Timestamp::MAX_UTC;
    let back = JobState::Queued { not_before, tries: u32::MAX - 1, last_attempt: 3 };
    assert_eq!(after, Ok(back));
}

fn reports() -> impl Strategy<Value = Report> {
    prop_oneof![
        1 => Just(Report::Succeeded),
        4 => Just(Report::Stopped),
        6 => Just(Report::Failed(Cause::retryable("crashed", "it crashed"))),
        1 => Just(Report::Failed(Cause::fatal("bad_label", "the label has one class"))),
    ]
}

/// An event that names the attempt `back` before the next one: 0 is the next, 1 the current.
fn events() -> impl Strategy<Value = (u32, JobEvent)> {
    let event = prop_oneof![
        8 => Just(assigned(1)),
        3 => Just(JobEvent::Started { attempt: attempt(1) }),
        1 => Just(JobEvent::CancelAsked),
        1 => Just(JobEvent::PauseAsked),
        2 => Just(JobEvent::ResumeAsked),
        2 => Just(JobEvent::PreemptAsked { attempt: attempt(1), for_job: None }),
        4 => reports().prop_map(|report| JobEvent::Reported { attempt: attempt(1), report }),
        3 => Just(JobEvent::LeaseLost { attempt: attempt(1) }),
    ];
    (prop_oneof![3 => Just(0_u32), 4 => Just(1), 2 => 2..4_u32], event)
}

fn naming(event: JobEvent, attempt: Attempt) -> JobEvent {
    match event {
        JobEvent::Assigned { seats, rate, .. } => JobEvent::Assigned { attempt, seats, rate },
        JobEvent::Started { .. } => JobEvent::Started { attempt },
        JobEvent::PreemptAsked { .. } => JobEvent::PreemptAsked { attempt, for_job: None },
        JobEvent::Reported { report, .. } => JobEvent::Reported { attempt, report },
        JobEvent::LeaseLost { .. } => JobEvent::LeaseLost { attempt },
        asked => asked,
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

fn names(event: &JobEvent) -> Option<Attempt> {
    match event {
        JobEvent::Assigned { .. }
        | JobEvent::CancelAsked
        | JobEvent::PauseAsked
        | JobEvent::ResumeAsked
        | JobEvent::NeverReady { .. } => None,
        JobEvent::Started { attempt }
        | JobEvent::PreemptAsked { attempt, .. }
        | JobEvent::Reported { attempt, .. }
        | JobEvent::LeaseLost { attempt } => Some(*attempt),
    }
}

proptest! {
    #[test]
    fn any_history_keeps_the_promises(history in vec((events(), 0..30_i64), 0..60), max_tries in 1..5_u32) {
        let retry = RetryPolicy { max_tries, ..RetryPolicy::default() };
        let mut state = JobState::Queued { not_before: at(0), tries: 0, last_attempt: 0 };
        let (mut now, mut failures) = (at(0), 0);
        let (mut cancelled, mut paused) = (false, false);
        for ((back, event), seconds) in history {
            now += Duration::seconds(seconds);
            let number = (last_attempt(&state) + 1).saturating_sub(back).max(1);
            let event = naming(event, attempt(number));
            let before = state.clone();
            let Ok(after) = state.clone().apply(event.clone(), &retry, now) else { continue };
            prop_assert!(!before.status().is_final(), "{before:?} changed by {event:?}");

            let current = before.run().map(|run| run.attempt);
            if let Some(named) = names(&event) {
                prop_assert_eq!(Some(named), current, "a stale attempt was heard");
            }
            if matches!(event, JobEvent::Reported { report: Report::Succeeded, .. }) {
                prop_assert_eq!(after.status(), JobStatus::Succeeded);
            }
            if matches!(event, JobEvent::Assigned { .. }) {
                prop_assert!(!cancelled, "a cancelled job was started again");
                prop_assert!(!paused, "a paused job was started");
                prop_assert_eq!(last_attempt(&after), last_attempt(&before) + 1);
            } else {
                prop_assert_eq!(last_attempt(&after), last_attempt(&before));
            }
            cancelled |= event == JobEvent::CancelAsked;
            paused = (paused || event == JobEvent::PauseAsked) && event != JobEvent::ResumeAsked;
            if paused {
                prop_assert!(!matches!(after, JobState::Queued { .. }), "{after:?} while paused");
            }
            if cancelled {
                prop_assert!(!matches!(after, JobState::Queued { .. }), "{after:?} after a cancel");
            }
            failures += u32::from(matches!(
                event,
                JobEvent::LeaseLost { .. } | JobEvent::Reported { report: Report::Failed(_), .. }
            ));
            prop_assert!(failures <= max_tries, "{failures} failures of {max_tries}");
            if let JobState::Queued { not_before, tries, .. } = after {
                prop_assert_eq!(tries, failures);
                prop_assert!(not_before <= now + retry.max_backoff);
            }
            if let JobState::Paused { tries, .. } = after {
                prop_assert_eq!(tries, failures);
            }
            state = after;
        }
    }

    #[test]
    fn a_current_success_always_counts(history in vec(events(), 0..40)) {
        let retry = RetryPolicy { max_tries: u32::MAX, ..RetryPolicy::default() };
        let mut state = JobState::Queued { not_before: at(0), tries: 0, last_attempt: 0 };
        for (step, (back, event)) in (0..).zip(history) {
            let number = (last_attempt(&state) + 1).saturating_sub(back).max(1);
            let now = at(step * 1_000);
            if let Ok(after) = state.clone().apply(naming(event, attempt(number)), &retry, now) {
                state = after;
            }
            if let Some(run) = state.run() {
                let won = JobEvent::Reported { attempt: run.attempt, report: Report::Succeeded };
                let ended = state.clone().apply(won, &retry, now).map(|state| state.status());
                prop_assert_eq!(ended, Ok(JobStatus::Succeeded));
            }
        }
    }
}

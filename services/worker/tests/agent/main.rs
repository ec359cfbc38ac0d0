//! An agent from end to end: real children in their sandbox, a real Postgres, bytes in a folder.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod full;
mod gang;
mod hostile;
mod support;

use std::{os::unix::process::ExitStatusExt, time::Duration};

use domain::{
    Resources,
    inquiry::{BadRows, Finding, Inquiry, Predicted},
    job::JobStatus,
    registry::VersionState,
    spec::Layer,
};
use rustix::process::{Pid, Signal, kill_process};
use store::{Service, attempts, datasets::ProfileState, models};
use support::{PATIENCE, World, eventually};
use testkit::Cluster;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    time::timeout,
};
use worker::AgentError;

/// Seconds of training, with many checkpoints on the way.
const LONG: &str = r#"{"dataset": "", "target": "", "epochs": 400, "checkpoint_every": 40}"#;
/// Longer than any test waits.
const ENDLESS: &str = r#"{"dataset": "", "target": "", "epochs": 10000}"#;
const SHORT: &str = r#"{"dataset": "", "target": "", "epochs": 4}"#;
const NEVER: Duration = Duration::from_secs(3_600);

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_job_leaves_the_profile() {
    let world = World::create().await;
    let agent = world.agent("one");
    let job = world.submit(None).await;
    world.start(job, 1, &agent).await;
    world.until(job, JobStatus::Succeeded).await;
    let ProfileState::Ready(profile) = world.dataset_version().await.profile else {
        panic!("a profile")
    };
    assert_eq!((profile.rows, profile.columns.len()), (400, 4));
    agent.until_idle().await;
    agent.leave().await;
    assert!(world.workers().await.iter().all(|worker| worker.state == "gone"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_training_is_published_once_with_its_metrics_and_log() {
    let world = World::create().await;
    let agent = world.agent("one");
    let spec = world.spec(r#"{"dataset": "", "target": "", "epochs": 4, "checkpoint_every": 5}"#);
    let job = world.submit(Some(spec.clone())).await;
    world.start(job, 1, &agent).await;
    let done = world.until(job, JobStatus::Succeeded).await;
    assert_eq!(done.published, Some(("rows".to_owned(), 1)));
    assert_eq!(done.total_steps, Some(40));

    let versions = world.versions(&spec.registered_model_name).await;
    assert_eq!(versions.len(), 1);
    let made = versions[0].made.as_ref().unwrap();
    let files = registry::load_model(&world.blobs, world.tenant, made).await.unwrap();
    assert_eq!(files.weights.len() as u64, made.weights_bytes);
    let mut tx = world.store.begin_for(world.tenant).await.unwrap();
    let points = store::events::metrics(&mut tx, job).await.unwrap();
    let losses = points.iter().filter(|point| point.name == "val_loss");
    assert_eq!(losses.map(|point| point.epoch).collect::<Vec<_>>(), [1, 2, 3, 4]);
    let log = store::events::logs(&mut tx, job, 100).await.unwrap();
    assert!(log[0].line.contains("320 rows to train on"), "{log:?}");
    assert!(!log.iter().any(|line| line.line.contains("warning")), "{log:?}");

    agent.until_idle().await;
    assert_eq!(world.checkpoints(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_asked_about_every_row_and_none_that_was_deleted() {
    let world = World::create().await;
    let agent = world.agent("one");
    let spec = world.spec(SHORT);
    let training = world.submit(Some(spec.clone())).await;
    world.start(training, 1, &agent).await;
    world.until(training, JobStatus::Succeeded).await;
    let every_row = Inquiry::Predict { bad_rows: BadRows::Fail };
    let job = world.ask(&spec.registered_model_name, every_row).await;
    world.start(job, 1, &agent).await;
    let done = world.until(job, JobStatus::Succeeded).await.inquired.unwrap();
    let answered = Predicted { answered: 400, bad_rows: 0, tokens: 0 };
    assert_eq!(done.finding, Some(Finding::Predicted(answered)));
    let file = done.file.unwrap();
    let answers = world.blobs.read_whole(world.tenant, file.sha256).await.unwrap();
    assert_eq!(answers.len() as u64, file.bytes);
    let text = String::from_utf8(answers.to_vec()).unwrap();
    assert!(text.lines().last().unwrap().starts_with(r#"{"row":400,"class":"#), "{text}");

    let job = world.ask(&spec.registered_model_name, every_row).await;
    let version = &world.versions(&spec.registered_model_name).await[0];
    let mut tx = world.store.begin_for(world.tenant).await.unwrap();
    let (from, to) = (VersionState::Published, VersionState::Deleted);
    let of = (version.model, version.number);
    assert!(models::set_state(&mut tx, of, from, to, "").await.unwrap());
    tx.commit().await.unwrap();
    world.start(job, 1, &agent).await;
    let failed = world.until(job, JobStatus::Failed).await;
    assert_eq!(failed.cause.unwrap().code, "model_withdrawn");
    agent.until_idle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_job_is_cancelled_within_moments() {
    let world = World::create().await;
    // asked by the hint alone
    let agent = world.agent_with("one", NEVER);
    let job = world.submit(Some(world.spec(ENDLESS))).await;
    let attempt = world.start(job, 1, &agent).await;
    world.until_event(attempt, "epoch").await;
    world.cancel(job, &agent).await;
    world.until(job, JobStatus::Cancelled).await;
    agent.until_idle().await;
    assert_eq!(world.checkpoints(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_superseded_attempt_publishes_nothing() {
    let world = World::create().await;
    // hears nothing of what happens, and trains to the end
    let cut_off = world.agent_with("one", NEVER);
    let other = world.agent("two");
    let spec = world.spec(LONG);
    let job = world.submit(Some(spec.clone())).await;
    let first = world.start(job, 1, &cut_off).await;
    world.until_event(first, "checkpoint").await;
    world.reclaim(first).await;
    world.start(job, 2, &other).await;
    world.until(job, JobStatus::Succeeded).await;
    cut_off.until_idle().await;
    other.until_idle().await;
    assert_eq!(world.versions(&spec.registered_model_name).await.len(), 1);
    assert_eq!(world.checkpoints(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_is_superseded_is_killed() {
    let world = World::create().await;
    let agent = world.agent("one");
    let spec = world.spec(ENDLESS);
    let job = world.submit(Some(spec)).await;
    let attempt = world.start(job, 1, &agent).await;
    world.until_event(attempt, "epoch").await;
    world.reclaim(attempt).await;
    agent.until_idle().await;
    assert_eq!(world.job(job).await.status, JobStatus::Queued);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_child_costs_a_try_and_the_next_one_goes_on() {
    let world = World::create().await;
    let agent = world.agent("one");
    let spec = world.spec(LONG);
    let job = world.submit(Some(spec.clone())).await;
    let first = world.start(job, 1, &agent).await;
    world.until_event(first, "checkpoint").await;
    kill_process(agent.child().await, Signal::KILL).unwrap();
    let queued = world.until(job, JobStatus::Queued).await;
    assert_eq!((queued.tries, queued.cause.unwrap().code.as_str()), (1, "child_crashed"));

    let second = world.start(job, 2, &agent).await;
    let training = world.until_event(second, "training").await;
    assert!(training.data["resumed_from_step"].as_u64() >= Some(40), "{:?}", training.data);
    world.until(job, JobStatus::Succeeded).await;
    assert_eq!(world.versions(&spec.registered_model_name).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_moves_to_another_worker_ends_with_the_same_bytes() {
    let world = World::create().await;
    let (leaving, staying) = (world.agent("one"), world.agent("two"));
    let spec = world.spec(LONG);
    let undisturbed = world.submit(Some(spec.clone())).await;
    world.start(undisturbed, 1, &staying).await;
    let moved = world.submit(Some(spec.clone())).await;
    let first = world.start(moved, 1, &leaving).await;
    world.until_event(first, "epoch").await;

    leaving.leave().await;
    let queued = world.job(moved).await;
    assert_eq!((queued.status, queued.tries), (JobStatus::Queued, 0));
    let second = world.start(moved, 2, &staying).await;
    let training = world.until_event(second, "training").await;
    assert!(training.data["resumed_from_step"].as_u64() > Some(0), "{:?}", training.data);

    world.until(undisturbed, JobStatus::Succeeded).await;
    world.until(moved, JobStatus::Succeeded).await;
    let versions = world.versions(&spec.registered_model_name).await;
    assert_eq!(versions.len(), 2);
    assert_eq!(versions[0].files, versions[1].files);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_larger_than_its_memory_ends_with_the_remedy() {
    let world = World::create().await;
    let agent = world.agent("one");
    let mut spec = world.spec(SHORT);
    spec.resources = Resources { memory_bytes: 64 << 20, ..spec.resources };
    if let Layer::Dense { units, .. } = &mut spec.layers[0] {
        *units = 1 << 20;
    }
    let job = world.submit(Some(spec)).await;
    world.start(job, 1, &agent).await;
    let cause = world.until(job, JobStatus::Failed).await.cause.unwrap();
    assert_eq!(cause.code, "out_of_memory", "{cause:?}");
    assert!(cause.message.contains("64 MiB") && cause.message.contains("resources.memory_bytes"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_cancelled_before_its_worker_looked_ends() {
    let world = World::create().await;
    let agent = world.agent_with("one", NEVER);
    world.registered(&agent).await;
    let job = world.submit(Some(world.spec(ENDLESS))).await;
    let attempt = world.start(job, 1, &agent).await;
    world.cancel(job, &agent).await;
    world.until(job, JobStatus::Cancelled).await;
    agent.until_idle().await;
    let mut tx = world.store.acting_as(Service::Worker).begin().await.unwrap();
    let worker = world.registered(&agent).await.id;
    assert!(attempts::assigned_to(&mut tx, worker, None).await.unwrap().is_empty(), "{attempt}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_was_given_up_starts_anew() {
    let world = World::create().await;
    let agent = world.agent("one");
    let before = world.registered(&agent).await.id;
    world.bury_all().await;
    let after = world.registered(&agent).await.id;
    assert_ne!(before, after);
    let job = world.submit(None).await;
    world.start(job, 1, &agent).await;
    world.until(job, JobStatus::Succeeded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_name_was_taken_ends() {
    let world = World::create().await;
    let agent = world.agent("one");
    world.registered(&agent).await;
    world.replace(&agent).await;
    let error = agent.ended().await.unwrap_err();
    assert!(matches!(error, AgentError::Replaced { .. }), "{error}");
    eventually(async || (world.workers().await.len() == 2).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_dies_meanwhile_costs_no_try() {
    let cluster = Cluster::start().await.unwrap();
    let world = World::on_its_own(&cluster).await;
    let agent = world.agent("one");
    let spec = world.spec(LONG);
    let job = world.submit(Some(spec.clone())).await;
    let attempt = world.start(job, 1, &agent).await;
    world.until_event(attempt, "epoch").await;
    let pid = cluster.pid().unwrap().cast_signed();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    let done = world.until(job, JobStatus::Succeeded).await;
    assert_eq!((done.attempt, done.tries), (1, 0));
    assert_eq!(world.versions(&spec.registered_model_name).await.len(), 1);
    let mut tx = world.store.begin_for(world.tenant).await.unwrap();
    let points = store::events::metrics(&mut tx, job).await.unwrap();
    let losses = points.iter().filter(|point| point.name == "val_loss");
    assert_eq!(losses.count(), spec.epochs as usize);
    agent.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_leaves_when_its_agent_is_gone() {
    let world = World::create().await;
    let mut child = world.bare_child(world.spec(ENDLESS));
    let lifeline = child.stdin.take().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    while !said.next_line().await.unwrap().unwrap().contains("epoch") {}
    drop(lifeline);
    let status = timeout(PATIENCE, child.wait()).await.expect("it leaves in time").unwrap();
    assert_eq!((status.code(), status.signal()), (Some(0), None));
}

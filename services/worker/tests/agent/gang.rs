//! Jobs of several workers: each part is a child of its own, on whichever agent has its seat.

use std::{fs, num::NonZeroU32, path::Path};

use domain::{
    JobId,
    job::{Attempt, JobStatus},
    spend::Rate,
    world::{Command, Devices, Seat, Seats},
};
use rustix::process::{Signal, kill_process};
use store::jobs::Job;

use crate::support::{Agent, World};

/// Seconds of training.
const LONG: &str = r#"{"dataset": "", "target": "", "epochs": 60, "workers": 2}"#;
/// Longer than any test waits.
const ENDLESS: &str = r#"{"dataset": "", "target": "", "epochs": 10000, "workers": 2}"#;

impl World {
    /// With the ranks on these agents, one after the other.
    async fn start_on(&self, job: JobId, number: u32, agents: &[&Agent]) -> Attempt {
        let attempt = Attempt { job, number: NonZeroU32::new(number).unwrap() };
        let mut seats = vec![];
        for agent in agents {
            let worker = self.registered(agent).await.id;
            seats.push(Seat { worker, devices: Devices::default() });
        }
        let seats = Seats::new(seats).unwrap();
        self.command(Command::Start { attempt, seats, rate: Rate::FREE }).await;
        attempt
    }

    /// The first attempt, once there is a checkpoint, by the death of the child on the second agent.
    async fn lose_a_part(&self, job: JobId, one: &Agent, two: &Agent) -> Job {
        let first = self.start_on(job, 1, &[one, two]).await;
        self.until_event(first, "checkpoint").await;
        kill_process(two.child().await, Signal::KILL).unwrap();
        let queued = self.until(job, JobStatus::Queued).await;
        one.until_idle().await;
        two.until_idle().await;
        queued
    }

    async fn weights(&self, job: JobId) -> Vec<u8> {
        let (name, number) = self.job(job).await.published.unwrap();
        let versions = self.versions(&name.parse().unwrap()).await;
        let version = versions.into_iter().find(|version| version.number == number).unwrap();
        let made = version.made.unwrap();
        registry::load_model(&self.blobs, version.tenant, &made).await.unwrap().weights.to_vec()
    }
}

/// Files below a folder.
fn files(folder: &Path) -> usize {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.map(|path| if path.is_dir() { files(&path) } else { 1 }).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_parts_of_a_job_train_one_model_wherever_they_are() {
    let world = World::create().await;
    let (one, two) = (world.agent("one"), world.agent("two"));
    let spec = world.spec(r#"{"dataset": "", "target": "", "epochs": 4, "workers": 3}"#);
    let mut models = vec![];
    for agents in [[&one, &two, &two], [&one, &one, &one]] {
        let job = world.submit(Some(spec.clone())).await;
        world.start_on(job, 1, &agents).await;
        let done = world.until(job, JobStatus::Succeeded).await;
        // of ten batches an epoch the first has four
        assert_eq!(done.total_steps, Some(16));
        one.until_idle().await;
        two.until_idle().await;
        let mut tx = world.store.begin_for(world.tenant).await.unwrap();
        let points = store::events::metrics(&mut tx, job).await.unwrap();
        let losses = points.iter().filter(|point| point.name == "val_loss");
        assert_eq!(losses.map(|point| point.epoch).collect::<Vec<_>>(), [1, 2, 3, 4]);
        let log = store::events::logs(&mut tx, job, 100).await.unwrap();
        assert!(log[0].line.starts_with("3 workers together: 320 rows to train on"), "{log:?}");
        models.push(world.weights(job).await);
    }
    assert_eq!(models[0], models[1]);
    assert_eq!(files(&world.jobs_folder()), 0, "nothing is left of the rounds");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_dies_ends_the_attempt_and_the_next_goes_on_from_a_round() {
    let world = World::create().await;
    let (one, two) = (world.agent("one"), world.agent("two"));
    let spec = world.spec(LONG);
    let undisturbed = world.submit(Some(spec.clone())).await;
    world.start_on(undisturbed, 1, &[&one, &two]).await;
    world.until(undisturbed, JobStatus::Succeeded).await;
    two.until_idle().await;

    let job = world.submit(Some(spec)).await;
    let queued = world.lose_a_part(job, &one, &two).await;
    let cause = queued.cause.unwrap();
    assert_eq!((queued.tries, cause.code.as_str()), (1, "child_crashed"));
    assert!(cause.message.starts_with("worker 1 of 0 to 1: "), "{}", cause.message);

    let second = world.start_on(job, 2, &[&two, &two]).await;
    let training = world.until_event(second, "training").await;
    let from = training.data["resumed_from_step"].as_u64().unwrap();
    assert!(from >= 5 && from.is_multiple_of(5), "it is the end of an epoch: {from}");
    world.until(job, JobStatus::Succeeded).await;
    assert_eq!(world.weights(job).await, world.weights(undisturbed).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_parts_end_when_the_job_is_cancelled() {
    let world = World::create().await;
    let (one, two) = (world.agent("one"), world.agent("two"));
    let job = world.submit(Some(world.spec(ENDLESS))).await;
    let attempt = world.start_on(job, 1, &[&one, &two]).await;
    world.until_event(attempt, "epoch").await;
    world.cancel(job, &one).await;
    world.until(job, JobStatus::Cancelled).await;
    one.until_idle().await;
    two.until_idle().await;
    assert_eq!(files(&world.jobs_folder()), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_leaves_takes_the_others_off_the_job_at_a_round() {
    let world = World::create().await;
    let (staying, leaving) = (world.agent("one"), world.agent("two"));
    let job = world.submit(Some(world.spec(ENDLESS))).await;
    let attempt = world.start_on(job, 1, &[&staying, &leaving]).await;
    world.until_event(attempt, "checkpoint").await;
    leaving.leave().await;
    let queued = world.until(job, JobStatus::Queued).await;
    assert_eq!(queued.tries, 0, "nobody is to blame");
    staying.until_idle().await;
    let next = world.start_on(job, 2, &[&staying, &staying]).await;
    let training = world.until_event(next, "training").await;
    assert!(training.data["resumed_from_step"].as_u64() >= Some(5), "{:?}", training.data);
    world.cancel(job, &staying).await;
    world.until(job, JobStatus::Cancelled).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_part_begins_anew_by_itself_when_the_checkpoint_is_damaged() {
    let world = World::create().await;
    let (one, two) = (world.agent("one"), world.agent("two"));
    let job = world.submit(Some(world.spec(ENDLESS))).await;
    world.lose_a_part(job, &one, &two).await;
    let folder = world.jobs_folder().join(format!("{job}/checkpoints"));
    for entry in fs::read_dir(folder).unwrap() {
        fs::write(entry.unwrap().path(), "damaged").unwrap();
    }
    world.start_on(job, 2, &[&one, &two]).await;
    let queued = world.until(job, JobStatus::Queued).await;
    assert_eq!((queued.tries, queued.cause.unwrap().code.as_str()), (2, "bad_checkpoint"));
}

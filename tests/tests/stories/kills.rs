//! `kill -9` of each process in turn while a job trains. Whatever dies, the job ends once, with one
//! version, whose bytes are those of a run that nobody disturbed.

use e2e::{Platform, is_alive, kill, wait_until};
use rustix::process::Signal;

use crate::outcome::{MIDDLE, Reference, published, undisturbed};

struct Story {
    platform: Platform,
    reference: Reference,
    job: String,
}

/// A job in the middle of its training, after an undisturbed run of the same specification.
async fn in_the_middle() -> Story {
    let platform = Platform::start().await;
    let reference = undisturbed(&platform.operator).await;
    let job = reference.in_the_middle().await;
    Story { platform, reference, job }
}

impl Story {
    async fn attempts_and_tries(&self) -> (u64, u64) {
        let job = self.reference.client.job(&self.job).await;
        (job["attempt"].as_u64().unwrap(), job["tries"].as_u64().unwrap())
    }
}

#[tokio::test]
async fn the_worker() {
    let mut story = in_the_middle().await;
    let children = story.platform.worker.children();
    assert_eq!(children.len(), 1, "one attempt, one child");
    story.platform.worker.kill();
    wait_until("the child's end", async || (!is_alive(children[0])).then_some(())).await;
    story.platform.worker.start_again();
    story.reference.equals(&story.job).await;
    assert!(story.reference.resumed_from(&story.job).await >= MIDDLE);
    assert_eq!(story.attempts_and_tries().await, (2, 1));
}

#[tokio::test]
async fn the_worker_for_good() {
    let mut story = in_the_middle().await;
    story.platform.worker.kill();
    // nobody says that it is gone: its lease has to run out
    let _other = story.platform.start_worker("two");
    story.reference.equals(&story.job).await;
    assert!(story.reference.resumed_from(&story.job).await >= MIDDLE);
    assert_eq!(story.attempts_and_tries().await, (2, 1));
}

#[tokio::test]
async fn the_training_process() {
    let story = in_the_middle().await;
    for child in story.platform.worker.children() {
        kill(child, Signal::KILL);
    }
    story.reference.equals(&story.job).await;
    assert!(story.reference.resumed_from(&story.job).await >= MIDDLE);
    assert_eq!(story.attempts_and_tries().await, (2, 1));
    let events = story.reference.client.events(&story.job).await;
    let requeued = events.iter().find(|event| event.kind == "requeued").unwrap();
    assert_eq!(requeued.data["cause"]["code"], "child_crashed");
}

#[tokio::test]
async fn the_scheduler() {
    let mut story = in_the_middle().await;
    story.platform.scheduler.kill();
    let client = &story.reference.client;
    let waiting = story.reference.submit_another().await;
    // a training needs no scheduler; a start does
    story.reference.equals(&story.job).await;
    assert_eq!(client.job(&waiting).await["status"], "queued");
    story.platform.scheduler.start_again();
    published(client, &waiting).await;
    assert_eq!(story.attempts_and_tries().await, (1, 0));
}

#[tokio::test]
async fn the_gateway() {
    let mut story = in_the_middle().await;
    let client = story.reference.client.clone();
    let followed = tokio::spawn({
        let (client, job) = (client.clone(), story.job.clone());
        async move { client.events(&job).await }
    });
    story.platform.gateway.kill();
    story.platform.start_gateway_again().await;
    story.reference.equals(&story.job).await;
    // who followed before missed nothing: the client checks that the numbers have no gap
    let events = followed.await.unwrap();
    assert_eq!(events.last().map(|event| event.kind.as_str()), Some("succeeded"));
    assert_eq!(story.attempts_and_tries().await, (1, 0));
}

#[tokio::test]
async fn postgres() {
    let story = in_the_middle().await;
    let before = story.platform.postgres_pid().await;
    kill(before, Signal::KILL);
    wait_until("another Postgres", async || {
        let now = story.platform.postgres_pid().await;
        (now != before).then_some(())
    })
    .await;
    story.reference.equals(&story.job).await;
    story.platform.ready().await;
}

#[tokio::test]
async fn everything_at_once() {
    let mut story = in_the_middle().await;
    story.platform.worker.kill();
    story.platform.scheduler.kill();
    story.platform.gateway.kill();
    kill(story.platform.postgres_pid().await, Signal::KILL);
    story.platform.scheduler.start_again();
    story.platform.worker.start_again();
    story.platform.start_gateway_again().await;
    story.reference.equals(&story.job).await;
    assert!(story.reference.resumed_from(&story.job).await >= MIDDLE);
    assert_eq!(story.attempts_and_tries().await, (2, 1));
}

/// The bus carries hints and no fact.
#[tokio::test]
async fn redis() {
    let mut redis = Some(testkit::Redis::start().unwrap());
    let url = redis.as_ref().map(testkit::Redis::url);
    let platform = Platform::start_with(url).await;
    let reference = undisturbed(&platform.operator).await;
    let job = reference.in_the_middle().await;
    drop(redis.take());
    reference.equals(&job).await;
    reference.another_works().await;
    platform.ready().await;
}

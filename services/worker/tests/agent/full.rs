//! The object store has no room for what a job has trained: it waits for room, and nothing is published by
//! halves.

use domain::job::JobStatus;
use testkit::FullDisk;

use crate::support::{World, eventually};

/// Weights of more than a hundred thousand bytes, of rows that have far less.
const WIDE: &str = r#"{"dataset": "", "target": "", "epochs": 2, "model": {"family": "mlp", "units": [256, 128]}}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_finds_no_room_is_published_once_there_is_some() {
    let world = World::create().await;
    let full = FullDisk::beyond(64 << 10).unwrap();
    let agent = world.agent("one");
    let spec = world.spec(WIDE);
    let model = spec.registered_model_name.clone();
    let job = world.submit(Some(spec)).await;
    world.start(job, 1, &agent).await;
    eventually(async || full.met().then_some(())).await;
    assert!(world.versions(&model).await.is_empty(), "nothing is published by halves");
    drop(full);
    let done = world.until(job, JobStatus::Succeeded).await;
    assert_eq!((done.attempt, done.tries), (1, 0), "what was trained was kept");
    let versions = world.versions(&model).await;
    assert_eq!(versions.len(), 1);
    let made = versions[0].made.as_ref().unwrap();
    let files = registry::load_model(&world.blobs, world.tenant, made).await.unwrap();
    assert!(files.weights.len() > 64 << 10);
    agent.until_idle().await;
    agent.leave().await;
}

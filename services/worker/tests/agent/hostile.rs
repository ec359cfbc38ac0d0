//! A program in the place of the child that takes whatever it can get of what the kernel bounds for no
//! single process: its agent ends it, and says why.

use domain::{Resources, job::JobStatus};

use crate::{SHORT, support::World};

async fn ended_with(act: &str) -> (String, String) {
    let world = World::create().await;
    let agent = world.hostile_agent(act);
    let mut spec = world.spec(SHORT);
    spec.resources = Resources { memory_bytes: 16 << 20, ..spec.resources };
    let job = world.submit(Some(spec)).await;
    world.start(job, 1, &agent).await;
    let cause = world.until(job, JobStatus::Failed).await.cause.unwrap();
    agent.until_idle().await;
    (cause.code, cause.message)
}

#[tokio::test(flavor = "multi_thread")]
async fn files_end_before_the_disk_does() {
    for act in ["disk", "unnamed-disk"] {
        let (code, message) = ended_with(act).await;
        assert_eq!(code, "too_much_disk", "{act}: {message}");
        // the 16 MiB of memory nine times, and the data
        assert!(message.contains(" 144 MiB "), "{act}: {message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_files_end_too() {
    let (code, message) = ended_with("files").await;
    assert_eq!(code, "too_many_files", "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn threads_end_before_the_machine_does() {
    let (code, message) = ended_with("threads").await;
    assert_eq!(code, "too_many_threads", "{message}");
    assert!(message.contains(" 65 "), "{message}");
}

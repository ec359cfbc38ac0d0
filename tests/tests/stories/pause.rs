//! A worker that hangs past its lease and comes back: its word no longer counts.

use e2e::{Platform, wait_until};

use crate::outcome::{MIDDLE, undisturbed};

#[tokio::test]
async fn a_worker_that_comes_back_too_late_changes_nothing() {
    let mut platform = Platform::start().await;
    let reference = undisturbed(&platform.operator).await;
    let client = &reference.client;
    let job = reference.in_the_middle().await;
    let children = platform.worker.children();
    // the agent alone: its child goes on and finishes a model that nobody will want
    platform.worker.pause();
    let mut other = platform.start_worker("two");
    reference.equals(&job).await;
    assert!(reference.resumed_from(&job).await >= MIDDLE);
    let before = client.job(&job).await;

    platform.worker.go_on();
    for child in children {
        wait_until("the late child's end", async || (!e2e::is_alive(child)).then_some(())).await;
    }
    // once it is back at work, whatever it had to say has been said
    assert!(other.stop().await.success());
    reference.another_works().await;
    assert_eq!(client.job(&job).await, before);
    reference.equals(&job).await;
    assert!(platform.worker.stop().await.success());
}

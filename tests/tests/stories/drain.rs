//! A worker that is asked to leave gives its work back, checkpointed, at no cost.

use e2e::Platform;

use crate::outcome::{MIDDLE, undisturbed};

#[tokio::test]
async fn a_worker_leaves_in_the_middle_and_another_goes_on() {
    let mut platform = Platform::start().await;
    let reference = undisturbed(&platform.operator).await;
    let client = &reference.client;
    let job = reference.in_the_middle().await;
    let children = platform.worker.children();
    let _other = platform.start_worker("two");
    assert!(platform.worker.stop().await.success());
    assert!(children.iter().all(|child| !e2e::is_alive(*child)), "it left a child behind");

    reference.equals(&job).await;
    assert!(reference.resumed_from(&job).await >= MIDDLE);
    let ended = client.job(&job).await;
    assert_eq!((&ended["attempt"], &ended["tries"]), (&2.into(), &0.into()));
    let events = client.events(&job).await;
    let requeued: Vec<_> = events.iter().filter(|event| event.kind == "requeued").collect();
    assert_eq!(requeued.len(), 1);
    assert_eq!(requeued[0].data["cause"]["code"], "preempted");
}

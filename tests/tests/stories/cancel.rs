//! Cancelling, before and while a job runs.

use e2e::{Platform, two_clouds, wait_until};

use crate::outcome::published;

#[tokio::test]
async fn a_job_that_waits_is_cancelled_at_once_and_never_runs() {
    let mut platform = Platform::start().await;
    let client = platform.operator.tenant("acme").await;
    let (csv, draft) = two_clouds(2);
    client.push_csv("clouds", &csv).await;
    assert!(platform.worker.stop().await.success());

    let cancelled = client.submit(&draft).await;
    let reason = wait_until("a reason to wait", async || {
        let job = client.job(&cancelled).await;
        job["wait_reason"].is_object().then(|| job["wait_reason"].clone())
    })
    .await;
    assert_eq!(
        (&reason["code"], &reason["message"]),
        (&"no_workers".into(), &"no worker of its pool is up".into())
    );
    assert_eq!(client.cancel(&cancelled).await["status"], "cancelled");
    assert_eq!(client.cancel(&cancelled).await["status"], "cancelled", "asking again is no error");

    let other = client.submit(&draft).await;
    platform.worker.start_again();
    published(&client, &other).await;
    let job = client.job(&cancelled).await;
    assert_eq!((&job["status"], &job["attempt"]), (&"cancelled".into(), &0.into()));
    let events = client.events(&cancelled).await;
    let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["queued", "cancelled"]);
}

#[tokio::test]
async fn a_job_that_runs_is_stopped_and_publishes_nothing() {
    let platform = Platform::start().await;
    let client = platform.operator.tenant("acme").await;
    // far longer than the story: only the cancelling ends it
    let (csv, draft) = two_clouds(10_000);
    client.push_csv("clouds", &csv).await;
    let job = client.submit(&draft).await;
    client.wait_for_event(&job, "epoch", |_| true).await;
    client.cancel(&job).await;
    let ended = client.wait_for_status(&job, "cancelled").await;
    assert_eq!((&ended["published"], &ended["tries"]), (&serde_json::Value::Null, &0.into()));
    wait_until("the child's end", async || platform.worker.children().is_empty().then_some(()))
        .await;
    let models = client.get("/v1/models").await.ok();
    assert!(models["items"].as_array().unwrap().is_empty());
    assert!(!client.metrics(&job).await.is_empty(), "what it measured is kept");
}

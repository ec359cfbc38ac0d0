//! Compute that is lent comes back: a borrower is stopped after a checkpoint for a tenant that has a
//! guarantee, and goes on from there to the same result.

use e2e::{Client, Platform, wait_until};
use serde_json::{Value, json};

use crate::outcome::{MIDDLE, published, undisturbed, undisturbed_as};

async fn set(operator: &Client, method: reqwest::Method, path: &str, body: &Value) {
    let answer = operator.request(method, path).json(body).send().await.unwrap();
    assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
}

/// One job of the tenant fills the whole worker, four CPUs.
fn whole_worker(draft: &mut Value) {
    draft["resources"] = json!({ "cpu_milli": 4_000 });
}

#[tokio::test]
async fn a_guarantee_comes_back_from_a_borrower_that_loses_nothing() {
    let platform = Platform::start().await;
    let operator = &platform.operator;
    let reference = undisturbed_as(operator, whole_worker).await;
    let guaranteed = operator.tenant("guaranteed").await;
    let quota = json!({ "guaranteed": { "cpu_milli": 2_000, "memory_bytes": 2_u64 << 30 } });
    let path = "/v1/tenants/guaranteed/quotas/default";
    set(operator, reqwest::Method::PUT, path, &quota).await;
    let (csv, short) = e2e::two_clouds(2);
    guaranteed.push_csv("clouds", &csv).await;

    // nobody else wants anything: it borrows the whole worker
    let borrower = reference.in_the_middle().await;
    let claimant = guaranteed.submit(&short).await;
    published(&guaranteed, &claimant).await;

    let events = reference.client.events(&borrower).await;
    let stop = events.iter().find(|event| event.kind == "stopping").expect("it was stopped");
    assert_eq!(stop.data["reason"], "preempted");
    assert_eq!(stop.data["for_job"], claimant.as_str());
    reference.equals(&borrower).await;
    assert!(reference.resumed_from(&borrower).await >= MIDDLE);
    let ended = reference.client.job(&borrower).await;
    assert_eq!((&ended["attempt"], &ended["tries"]), (&2.into(), &0.into()));
}

#[tokio::test]
async fn a_job_says_why_it_waits_what_is_ahead_and_when_it_starts() {
    let platform = Platform::start().await;
    let operator = &platform.operator;
    let acme = operator.tenant("acme").await;
    let (csv, mut endless) = e2e::two_clouds(10_000);
    acme.push_csv("clouds", &csv).await;
    whole_worker(&mut endless);
    endless["max_runtime"] = json!(600);
    let running = acme.submit(&endless).await;
    acme.wait_for_status(&running, "running").await;
    let first = acme.submit(&endless).await;
    let second = acme.submit(&endless).await;
    let explained = wait_until("an explanation", async || {
        let path = format!("/v1/jobs/{second}/explanation");
        Some(acme.get(&path).await.ok()).filter(|e| e["reason"]["code"] == "resources")
    })
    .await;
    assert_eq!(explained["own_ahead"], 1, "{explained}");
    assert_eq!(explained["share"]["used"]["cpu_milli"], 4_000);
    let (from, until) = (&explained["starts"]["from"], &explained["starts"]["until"]);
    assert!(from.as_str() < until.as_str(), "{explained}");
    let of_first = acme.get(&format!("/v1/jobs/{first}/explanation")).await.ok();
    assert!(of_first["starts"]["until"].as_str() < until.as_str(), "{of_first} {explained}");

    // before it is submitted: when it would start, and that a shorter one would start no later
    let dry = acme.post("/v1/jobs/dry-run", &endless).await.ok();
    assert_eq!((&dry["accepted"], &dry["reason"]["code"]), (&true.into(), &"resources".into()));
    assert!(dry["starts"]["until"].as_str() > until.as_str(), "{dry}");
    assert_eq!(dry["uses_at_most"]["cpu_seconds"], 2_400.0);
    assert_eq!(dry["spec"]["pool"], "default");

    // a draining worker hands its job back, and takes none
    let workers = operator.get("/v1/workers").await.ok();
    let path = format!("/v1/workers/{}", workers["items"][0]["id"].as_str().unwrap());
    set(operator, reqwest::Method::PATCH, &path, &json!({ "state": "draining" })).await;
    acme.wait_for_status(&running, "queued").await;
    let reason = wait_until("no worker is up", async || {
        let reason = acme.job(&first).await["wait_reason"].clone();
        (reason["code"] == "no_workers").then_some(reason)
    })
    .await;
    assert_eq!(reason["message"], "no worker of its pool is up");
    set(operator, reqwest::Method::PATCH, &path, &json!({ "state": "up" })).await;
    acme.wait_for_status(&running, "running").await;
}

#[tokio::test]
async fn a_pool_that_is_not_there_or_has_nothing_is_said_before_queueing() {
    let platform = Platform::start().await;
    let acme = platform.operator.tenant("acme").await;
    let (csv, draft) = e2e::two_clouds(1);
    acme.push_csv("clouds", &csv).await;
    let submit = async |resources: Value| {
        let mut draft = draft.clone();
        draft["resources"] = resources;
        let answer = acme.post("/v1/jobs", &draft).await;
        assert_eq!(answer.status, 422, "{}", answer.body);
        answer.body["errors"][0].clone()
    };
    let error = submit(json!({ "pool": "moon" })).await;
    assert_eq!(error["field"], "resources.pool");
    assert!(error["message"].as_str().unwrap().contains("there are: default"), "{error}");
    let error = submit(json!({ "accelerator_milli": 500 })).await;
    assert_eq!(error["field"], "resources.accelerator_milli");
}

#[tokio::test]
async fn a_paused_training_goes_on_from_its_checkpoint_to_the_same_result() {
    let platform = Platform::start().await;
    let reference = undisturbed(&platform.operator).await;
    let client = &reference.client;
    let job = reference.in_the_middle().await;
    let next = {
        let mut draft = e2e::two_clouds(2).1;
        draft["after"] = json!([{ "job": job }]);
        draft["registered_model_name"] = json!("next");
        client.submit(&draft).await
    };
    client.post(&format!("/v1/jobs/{job}/pause"), &json!({})).await.ok();
    client.wait_for_status(&job, "paused").await;
    reference.another_works().await;
    assert_eq!(client.job(&next).await["wait_reason"]["code"], "dependency");
    client.post(&format!("/v1/jobs/{job}/resume"), &json!({})).await.ok();
    reference.equals(&job).await;
    assert!(reference.resumed_from(&job).await >= MIDDLE);
    published(client, &next).await;
}

//! A canary under load: a tenth of the calls is shifted to a new version, and taken back, and no call fails.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use e2e::{Client, Platform, two_clouds, wait_until};
use serde_json::{Value, json};

use crate::outcome::published;

/// Together below what one address may ask in a second.
const CALLERS: usize = 4;
const CALL_EVERY: Duration = Duration::from_millis(10);
/// Answered under each split before it is changed.
const ENOUGH: u64 = 200;
const LIVE: &str = "/v1/endpoints/live";

#[tokio::test]
async fn a_tenth_is_shifted_and_taken_back_under_load() {
    let platform = Platform::start().await;
    let acme = platform.operator.tenant("acme").await;
    let (csv, draft) = two_clouds(1);
    acme.push_csv("clouds", &csv).await;
    for _ in 0..2 {
        published(&acme, &acme.submit(&draft).await).await;
    }
    put(&acme, &[100]).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let row = row(&csv);
    let calls: Vec<_> = (0..CALLERS)
        .map(|_| tokio::spawn(call(acme.clone(), row.clone(), Arc::clone(&is_over))))
        .collect();
    let only_first = answered(&acme, 1).await;
    assert!(only_first["traffic"].as_array().unwrap().len() == 1);

    put(&acme, &[90, 10]).await;
    let split = answered(&acme, 2).await;
    let share = &split["traffic"][1];
    assert_eq!((&share["version"], &share["percent"]), (&json!(2), &json!(10.0)));

    acme.post(&format!("{LIVE}/rollback"), &json!({})).await.ok();
    answered(&acme, 3).await;
    is_over.store(true, Ordering::Relaxed);
    let mut answers = BTreeMap::new();
    for caller in calls {
        for (version, count) in caller.await.unwrap() {
            *answers.entry(version).or_default() += count;
        }
    }
    let (first, canary): (u64, u64) = (answers[&1], answers[&2]);
    assert!(first > 2 * ENOUGH && canary > 0 && answers.len() == 2, "{answers:?}");

    // all of them were counted, under the splits that they were answered by
    let splits = wait_until("all counts", async || {
        let splits = acme.get(&format!("{LIVE}/revisions")).await.ok();
        (sum(&splits, "requests", None) == first + canary).then_some(splits)
    })
    .await;
    assert_eq!((sum(&splits, "requests", Some(2)), sum(&splits, "errors", None)), (canary, 0));
}

/// A version for each weight.
async fn put(client: &Client, weights: &[u32]) {
    let traffic: Vec<_> = (1..)
        .zip(weights)
        .map(|(n, weight)| json!({"model": "acme/clouds", "version": format!("{n}"), "weight": weight}))
        .collect();
    let request = client.request(reqwest::Method::PUT, LIVE).json(&json!({"traffic": traffic}));
    client.answer_to(request).await.expect("the gateway is there").ok();
}

/// The first row of a table, without its label.
fn row(csv: &str) -> Value {
    let mut lines = csv.lines().map(|line| line.split(','));
    let (header, cells) = (lines.next().unwrap(), lines.next().unwrap());
    let cells = header
        .zip(cells)
        .filter_map(|(name, cell)| Some((name.to_owned(), json!(cell.parse::<f64>().ok()?))));
    Value::Object(cells.collect())
}

/// Calls until told to stop: how often each version has answered.
async fn call(client: Client, row: Value, is_over: Arc<AtomicBool>) -> BTreeMap<u64, u64> {
    let mut answers = BTreeMap::new();
    let mut next = tokio::time::interval(CALL_EVERY);
    while !is_over.load(Ordering::Relaxed) {
        next.tick().await;
        let path = format!("{LIVE}/predict");
        let answer = client.post(&path, &json!({"row": row})).await.ok();
        *answers.entry(answer["version"].as_u64().unwrap()).or_default() += 1;
    }
    answers
}

/// Once enough calls were answered under this split.
async fn answered(client: &Client, revision: u64) -> Value {
    wait_until("calls answered", async || {
        let endpoint = client.get(LIVE).await.ok();
        assert_eq!(endpoint["revision"], revision);
        let one = json!({"items": [endpoint]});
        (sum(&one, "requests", None) >= ENOUGH).then(|| one["items"][0].clone())
    })
    .await
}

/// Over all splits and what they send to, or one version of it.
fn sum(splits: &Value, count: &str, version: Option<u64>) -> u64 {
    let splits = splits["items"].as_array().unwrap();
    let targets = splits.iter().flat_map(|split| split["traffic"].as_array().unwrap());
    let these = targets.filter(|one| version.is_none_or(|version| one["version"] == version));
    these.map(|one| one[count].as_u64().unwrap()).sum()
}

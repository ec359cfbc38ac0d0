//! Serving replicas: one is killed under load, one comes back, one leaves, one stands still, and no prediction fails.
//! A text that one was in the middle of breaks off, and its reader is told so.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use e2e::{Client, Platform, Process, two_clouds, wait_until};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::outcome::published;

const REPLICAS: usize = 3;
const CALLERS: u32 = 6;
/// Together below what one address may ask in a second.
const CALL_EVERY: Duration = Duration::from_millis(20);
/// Answers of each version by which it is known where it is.
const ENOUGH: u64 = 20;
const FREE_PORT: &str = "127.0.0.1:0";

struct Story {
    /// By their URLs. They end first.
    replicas: BTreeMap<String, Process>,
    acme: Client,
    http: reqwest::Client,
    platform: Platform,
}

/// By version, how often each replica has answered.
type Counts = BTreeMap<u32, BTreeMap<String, u64>>;

impl Story {
    async fn start() -> Self {
        let platform = Platform::start().await;
        let acme = platform.operator.tenant("acme").await;
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut story = Self { replicas: BTreeMap::new(), acme, http, platform };
        for _ in 0..REPLICAS {
            story.join(FREE_PORT).await;
        }
        story
    }

    /// One more, which the gateway knows then.
    async fn join(&mut self, address: &str) {
        let (process, url) = self.platform.start_replica(address).await;
        // the one that was at its address before was asked in vain
        let new =
            format!("serving_replica_requests_total{{replica=\"{url}\",outcome=\"unreached\"}} ");
        self.replicas.insert(url, process);
        self.known().await;
        wait_until("the new one", async || self.measured(&new).await.filter(|count| *count == 0))
            .await;
    }

    /// The gateway knows those that are there, and no others.
    async fn known(&self) {
        let count = format!("serving_replicas{{}} {}", self.replicas.len());
        wait_until(&count, async || {
            let text = self.gateways_metrics().await;
            let all = self.replicas.keys().all(|url| text.contains(url));
            (all && text.contains(&count)).then_some(())
        })
        .await;
    }

    /// What a process has counted.
    async fn metrics(&self, url: &str) -> String {
        let answer = self.http.get(format!("{url}/metrics")).send().await.unwrap();
        answer.text().await.unwrap()
    }

    async fn gateways_metrics(&self) -> String {
        self.metrics(&format!("http://{}", self.acme.host())).await
    }

    /// So many versions of `clouds`; a row for them.
    async fn train(&self, versions: usize) -> Value {
        let (csv, draft) = two_clouds(1);
        self.acme.push_csv("clouds", &csv).await;
        let mut jobs = Vec::new();
        for _ in 0..versions {
            jobs.push(self.acme.submit(&draft).await);
        }
        for job in jobs {
            published(&self.acme, &job).await;
        }
        json!({"x": 0.25, "y": 0.75})
    }

    async fn counts(&self) -> Counts {
        let mut counts = Counts::new();
        for url in self.replicas.keys() {
            for (version, answered) in answered(&self.metrics(url).await) {
                counts.entry(version).or_default().insert(url.clone(), answered);
            }
        }
        counts
    }

    /// Who answers for each version from now on: one for each, but for what was under way.
    async fn placed(&self, versions: u32) -> BTreeMap<u32, String> {
        let before = self.counts().await;
        let more = |now: &Counts, version: u32, url: &String| {
            let of = |counts: &Counts| counts.get(&version)?.get(url).copied();
            of(now).unwrap_or(0) - of(&before).unwrap_or(0)
        };
        wait_until("answers of every version", async || {
            let now = self.counts().await;
            let mut placed = BTreeMap::new();
            for version in 1..=versions {
                let by: BTreeMap<_, _> = self
                    .replicas
                    .keys()
                    .map(|url| (url.clone(), more(&now, version, url)))
                    .filter(|(_, count)| *count > 0)
                    .collect();
                let (url, most) = by.iter().max_by_key(|(_, count)| **count)?;
                let others = by.values().sum::<u64>() - most;
                assert!(others <= u64::from(CALLERS), "version {version} is answered by {by:?}");
                if *most < ENOUGH {
                    return None;
                }
                placed.insert(version, url.clone());
            }
            Some(placed)
        })
        .await
    }

    /// Questions that some replica did not answer.
    async fn unanswered(&self) -> u64 {
        self.measured("serving_unanswered_total{} ").await.unwrap()
    }

    /// What the gateway says at the end of a line.
    async fn measured(&self, line: &str) -> Option<u64> {
        let text = self.gateways_metrics().await;
        text.lines().find_map(|one| one.strip_prefix(line)?.parse().ok())
    }
}

/// By version.
fn answered(metrics: &str) -> Vec<(u32, u64)> {
    let of = |line: &str| {
        let line = line.strip_prefix("predict_requests_total{model=\"acme/clouds\",version=\"")?;
        let (version, rest) = line.split_once('"')?;
        let count = rest.split_once("outcome=\"answered\"} ")?.1;
        Some((version.parse().unwrap(), count.parse().unwrap()))
    };
    metrics.lines().filter_map(of).collect()
}

/// Callers that go on until they are told to stop.
struct Load {
    is_over: Arc<AtomicBool>,
    callers: Vec<JoinHandle<(u64, Vec<String>)>>,
}

impl Load {
    fn begin(acme: &Client, row: &Value, versions: u32) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let callers = (0..CALLERS)
            .map(|first| {
                let (acme, row, is_over) = (acme.clone(), row.clone(), Arc::clone(&is_over));
                tokio::spawn(call(acme, row, (first, versions), is_over))
            })
            .collect();
        Self { is_over, callers }
    }

    /// How many were answered, and what came of the others.
    async fn end(self) -> (u64, Vec<String>) {
        self.is_over.store(true, Ordering::Relaxed);
        let (mut answered, mut failed) = (0, vec![]);
        for caller in self.callers {
            let (more, wrong) = caller.await.unwrap();
            answered += more;
            failed.extend(wrong);
        }
        (answered, failed)
    }
}

/// One version after the other.
async fn call(
    acme: Client,
    row: Value,
    (first, versions): (u32, u32),
    is_over: Arc<AtomicBool>,
) -> (u64, Vec<String>) {
    let (mut answered, mut failed) = (0, vec![]);
    let mut next = tokio::time::interval(CALL_EVERY);
    for number in first.. {
        if is_over.load(Ordering::Relaxed) {
            break;
        }
        next.tick().await;
        let path = format!("/v1/models/acme/clouds/predict?version={}", 1 + number % versions);
        let answer = acme.post(&path, &json!({"row": row})).await;
        match answer.status.is_success() {
            true => answered += 1,
            false => failed.push(format!("{}: {}", answer.status, answer.body)),
        }
    }
    (answered, failed)
}

#[tokio::test]
async fn one_is_killed_under_load_and_no_prediction_fails() {
    const VERSIONS: u32 = 6;
    let mut story = Story::start().await;
    let row = story.train(VERSIONS as usize).await;
    let load = Load::begin(&story.acme, &row, VERSIONS);
    let before = story.placed(VERSIONS).await;
    let killed = before[&1].clone();
    story.replicas.get_mut(&killed).unwrap().kill();
    story.replicas.remove(&killed);
    let after = story.placed(VERSIONS).await;
    let again = story.unanswered().await;
    assert!(again > 0, "the killed one was asked");
    for (version, url) in &before {
        let moved = after[version] != *url;
        assert_eq!(moved, *url == killed, "version {version}: {before:?}, then {after:?}");
    }
    // it has what it had when it is back at its address
    story.join(killed.strip_prefix("http://").unwrap()).await;
    assert_eq!(story.placed(VERSIONS).await, before);

    // one that is asked to leave is not asked any more before it goes
    let leaving = story.replicas.keys().find(|url| **url != killed).unwrap().clone();
    let unanswered = story.unanswered().await;
    assert!(story.replicas.get_mut(&leaving).unwrap().stop().await.success());
    story.replicas.remove(&leaving);
    let last: BTreeSet<_> = story.placed(VERSIONS).await.into_values().collect();
    assert!(!last.contains(&leaving));
    assert_eq!(story.unanswered().await, unanswered);

    let (answered, failed) = load.end().await;
    println!(
        "{answered} answered, {} failed; {again} that the killed one did not answer were asked again",
        failed.len()
    );
    assert!(failed.is_empty(), "{failed:?}");
    let own = story.gateways_metrics().await;
    assert!(!own.contains("predict_requests_total"), "the gateway has computed something itself");
}

/// A language model that goes on as its few words do.
async fn speaking(acme: &Client) {
    let path = "/v1/datasets/words/versions";
    let text = ["hello world. "; 60].concat();
    let request = acme.request(Method::POST, path).header("content-type", "text/plain").body(text);
    let pushed = acme.answer_to(request).await.unwrap().ok();
    let version = format!("{path}/{}", pushed["version"]);
    wait_until("the profile", async || {
        let version = acme.get(&version).await.ok();
        (version["profile"]["state"] == "ready").then_some(())
    })
    .await;
    let draft = json!({
        "dataset": "words", "context": 16, "epochs": 1, "batch_size": 8,
        "model": {"family": "transformer", "embedding_dim": 8, "num_heads": 2, "num_layers": 1},
        "registered_model_name": "parrot",
    });
    published(acme, &acme.submit(&draft).await).await;
}

#[tokio::test]
async fn a_text_that_was_begun_is_not_begun_again_elsewhere() {
    let mut story = Story::start().await;
    speaking(&story.acme).await;
    let path = "/v1/models/acme/parrot/predict";
    let row = json!({"prompt": "hello", "max_tokens": 4096, "temperature": 0});
    let asked = story.acme.request(Method::POST, path).json(&json!({"row": row, "stream": true}));
    let mut told = asked.send().await.unwrap();
    let first = told.chunk().await.unwrap().unwrap();
    assert!(first.starts_with(b"data: "), "{first:?}");
    let mut speaks = None;
    for url in story.replicas.keys() {
        if story.metrics(url).await.contains("acme/parrot") {
            speaks = Some(url.clone());
        }
    }
    story.replicas.remove(&speaks.unwrap()).unwrap().kill();
    let rest = String::from_utf8(told.bytes().await.unwrap().to_vec()).unwrap();
    let (_, end) = rest.rsplit_once("event: ").expect("an end");
    assert!(end.starts_with("error\n") && end.contains("\"code\":\"unavailable\""), "{end}");
    // whoever asks now is answered by another one, and by the gateway where nobody else is left
    let row = json!({"row": {"prompt": "hello", "max_tokens": 2}});
    let whole = story.acme.post(path, &row).await.ok();
    assert_eq!(whole["predictions"][0]["tokens"], 2);
    assert!(!story.gateways_metrics().await.contains("acme/parrot"));
    story.replicas.clear();
    wait_until("an answer of the gateway", async || {
        story.acme.post(path, &row).await.status.is_success().then_some(())
    })
    .await;
    assert!(story.gateways_metrics().await.contains("acme/parrot"));
}

#[tokio::test]
async fn one_that_stands_still_is_given_up_and_what_it_was_asked_is_answered_elsewhere() {
    let story = Story::start().await;
    let row = story.train(1).await;
    story.acme.predict("clouds", &row).await;
    let counts = story.counts().await;
    let (still, _) = counts[&1].iter().find(|(_, count)| **count > 0).unwrap();
    story.replicas[still].pause();
    let answer = story.acme.predict("clouds", &row).await;
    assert!(answer["class"].is_string(), "{answer}");
    let answered =
        format!("serving_replica_requests_total{{replica=\"{still}\",outcome=\"answered\"}} ");
    assert_eq!(story.measured(&answered).await, None, "the gateway does not know it any more");
    assert_eq!(story.unanswered().await, 1);
    story.replicas[still].go_on();
    story.known().await;
    story.acme.predict("clouds", &row).await;
    assert_eq!(story.measured(&answered).await, Some(1), "it answers for the version again");
}

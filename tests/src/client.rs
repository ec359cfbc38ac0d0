//! A client of the API, for one tenant or the operator.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use reqwest::{Method, RequestBuilder, StatusCode, header};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::wait::{LOOK_EVERY, WITHIN, wait_until};

const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];

/// Where the gateway is; shared by all its clients, because a restarted one is elsewhere.
#[derive(Clone)]
pub(crate) struct Address(Arc<Mutex<String>>);

impl Address {
    pub(crate) fn new(url: String) -> Self {
        Self(Arc::new(Mutex::new(url)))
    }

    pub(crate) fn set(&self, url: String) {
        *self.0.lock().unwrap() = url;
    }

    fn get(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    address: Address,
    key: String,
    /// The tenant's name in URLs; empty for the operator.
    pub slug: String,
}

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    /// Null if the body is not JSON.
    pub body: Value,
}

impl Answer {
    /// The body of a success.
    ///
    /// # Panics
    /// With the problem, if it is none.
    pub fn ok(self) -> Value {
        assert!(self.status.is_success(), "{}: {}", self.status, self.body);
        self.body
    }
}

/// Shorter than a gateway keeps a connection, so that none is used just when it ends.
const IDLE_FOR: Duration = Duration::from_secs(2);
/// Of everybody in the tests.
const PASSWORD: &str = "correct horse battery staple";

#[derive(Debug, Clone)]
pub struct Event {
    pub number: u64,
    pub kind: String,
    pub data: Value,
}

impl Client {
    pub(crate) fn new(address: Address, key: &str) -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(WITHIN)
            .pool_idle_timeout(IDLE_FOR)
            .build()
            .unwrap();
        Self { http, address, key: key.to_owned(), slug: String::new() }
    }

    /// `127.0.0.1:8080`, as it is now.
    pub fn host(&self) -> String {
        self.address.get().replace("http://", "")
    }

    /// What it is known by.
    pub fn key(&self) -> &str {
        &self.key
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// A new tenant, as the operator makes it; the client speaks for its owner.
    pub async fn tenant(&self, slug: &str) -> Self {
        let owner = json!({"email": format!("owner@{slug}.example")});
        let tenant = json!({"slug": slug, "name": slug, "owner": owner});
        let made = self.post("/v1/tenants", &tenant).await.ok();
        let accepted = json!({
            "token": made["invitation"]["token"], "name": "Owner", "password": PASSWORD,
        });
        let session = self.post("/v1/invitations/accept", &accepted).await.ok();
        let with = |credential: &Value| {
            let key = credential.as_str().expect("a credential is shown once").to_owned();
            Self { key, slug: slug.to_owned(), ..self.clone() }
        };
        let owner = with(&session["access_token"]);
        let made = owner.post("/v1/keys", &json!({"name": "test"})).await.ok();
        with(&made["secret"])
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.address.get())).bearer_auth(&self.key)
    }

    pub async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path)).await.unwrap()
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        answer(self.request(Method::POST, path).json(body)).await.unwrap()
    }

    /// `None` if the gateway is away, or goes away before it has answered.
    pub async fn answer_to(&self, request: RequestBuilder) -> Option<Answer> {
        answer(request).await.ok()
    }

    /// `None` if the gateway, or the database behind it, is away.
    pub async fn try_get(&self, path: &str) -> Option<Value> {
        let answer = answer(self.request(Method::GET, path)).await.ok()?;
        let is_away = answer.status == StatusCode::SERVICE_UNAVAILABLE;
        (!is_away).then(|| answer.ok())
    }

    /// Pushes CSV, plain or gzipped, and waits for its profile; the version.
    pub async fn push(&self, dataset: &str, bytes: Vec<u8>) -> Value {
        let path = format!("/v1/datasets/{dataset}/versions");
        let mut request =
            self.request(Method::POST, &path).header(header::CONTENT_TYPE, "text/csv");
        if bytes.starts_with(GZIP_MAGIC) {
            request = request.header(header::CONTENT_ENCODING, "gzip");
        }
        let pushed = answer(request.body(bytes)).await.unwrap().ok();
        let version = format!("{path}/{}", pushed["version"]);
        wait_until("the profile", async || {
            let version = self.try_get(&version).await?;
            (version["profile"]["state"] != "pending").then_some(version)
        })
        .await
    }

    pub async fn push_csv(&self, dataset: &str, csv: &str) -> Value {
        let version = self.push(dataset, csv.as_bytes().to_vec()).await;
        assert_eq!(version["profile"]["state"], "ready", "{version}");
        version
    }

    /// The id of the job.
    pub async fn submit(&self, draft: &Value) -> String {
        let job = self.post("/v1/jobs", draft).await.ok();
        job["id"].as_str().expect("a job has an id").to_owned()
    }

    pub async fn job(&self, id: &str) -> Value {
        wait_until("the gateway", async || self.try_get(&format!("/v1/jobs/{id}")).await).await
    }

    /// The job once it has this status.
    pub async fn wait_for_status(&self, id: &str, status: &str) -> Value {
        wait_until(&format!("{id} {status}"), async || {
            let job = self.job(id).await;
            let is_final = job["finished_at"].is_string();
            assert!(!is_final || job["status"] == status, "instead of {status}: {job}");
            (job["status"] == status).then_some(job)
        })
        .await
    }

    pub async fn cancel(&self, id: &str) -> Value {
        self.post(&format!("/v1/jobs/{id}/cancel"), &json!({})).await.ok()
    }

    /// Every event of a job that has ended.
    pub async fn events(&self, id: &str) -> Vec<Event> {
        let is_last =
            |event: &Event| ["succeeded", "failed", "cancelled"].contains(&event.kind.as_str());
        self.events_until(id, "the last event", is_last).await
    }

    /// The first event of this kind for which `found` holds, as it happens.
    pub async fn wait_for_event(
        &self,
        id: &str,
        kind: &str,
        found: impl Fn(&Value) -> bool,
    ) -> Event {
        let is_it = |event: &Event| event.kind == kind && found(&event.data);
        self.events_until(id, kind, is_it).await.pop().expect("it ends with what was looked for")
    }

    /// Live, over server-sent events; a stream that breaks is taken up after the last event seen.
    async fn events_until(
        &self,
        id: &str,
        what: &str,
        is_it: impl Fn(&Event) -> bool,
    ) -> Vec<Event> {
        let mut seen: Vec<Event> = Vec::new();
        let follow = async {
            loop {
                let last = seen.last().map_or(0, |event| event.number);
                for event in self.events_after(id, last, &is_it).await {
                    assert!(
                        seen.last().map_or(0, |last| last.number) + 1 == event.number,
                        "event {} of {id} follows on {seen:?}",
                        event.number
                    );
                    let found = is_it(&event);
                    seen.push(event);
                    if found {
                        return;
                    }
                }
            }
        };
        let followed = timeout(WITHIN, follow).await;
        assert!(followed.is_ok(), "not within {} s: {what} of {id}", WITHIN.as_secs());
        seen
    }

    /// One stream, until it ends, breaks, or has brought what is looked for.
    async fn events_after(
        &self,
        id: &str,
        last: u64,
        is_it: impl Fn(&Event) -> bool,
    ) -> Vec<Event> {
        let path = format!("/v1/jobs/{id}/events");
        let request = self.request(Method::GET, &path).header("Last-Event-ID", last);
        let Ok(mut stream) = request.send().await else {
            sleep(LOOK_EVERY).await;
            return Vec::new();
        };
        assert_ne!(stream.status(), StatusCode::NO_CONTENT, "{id} has ended without it");
        let (mut events, mut text) = (Vec::new(), String::new());
        while let Ok(Some(chunk)) = stream.chunk().await {
            text.push_str(&String::from_utf8_lossy(&chunk));
            while let Some((message, rest)) = text.split_once("\n\n") {
                let event = event(message);
                text = rest.to_owned();
                events.extend(event);
                if events.last().is_some_and(&is_it) {
                    return events;
                }
            }
        }
        events
    }

    /// The names of the metrics that a job has recorded.
    pub async fn metrics(&self, id: &str) -> BTreeSet<String> {
        let metrics = self.get(&format!("/v1/jobs/{id}/metrics")).await.ok();
        metrics["series"].as_object().unwrap().keys().cloned().collect()
    }

    /// How many versions a model of the tenant's has.
    pub async fn count_versions(&self, model: &str) -> usize {
        let versions = self.get(&format!("/v1/models/{}/{model}/versions", self.slug)).await.ok();
        versions["items"].as_array().unwrap().len()
    }

    pub async fn download(&self, path: &str) -> Vec<u8> {
        let response = self.request(Method::GET, path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.bytes().await.unwrap().to_vec()
    }

    /// The answer about one row.
    pub async fn predict(&self, model: &str, row: &Value) -> Value {
        let path = format!("/v1/models/{}/{model}/predict", self.slug);
        self.post(&path, &json!({"row": row})).await.ok()["predictions"][0].clone()
    }
}

async fn answer(request: RequestBuilder) -> reqwest::Result<Answer> {
    let response = request.send().await?;
    let status = response.status();
    let body = response.bytes().await?;
    Ok(Answer { status, body: serde_json::from_slice(&body).unwrap_or_default() })
}

/// `None` for what has no number: a comment, or progress that is not kept.
fn event(message: &str) -> Option<Event> {
    let field = |name: &str| message.lines().find_map(|line| line.strip_prefix(name));
    Some(Event {
        number: field("id: ")?.parse().unwrap(),
        kind: field("event: ")?.to_owned(),
        data: serde_json::from_str(field("data: ")?).unwrap(),
    })
}

//! A client of the API: JSON in and out, and a problem's own words when it refuses.

use std::{
    fmt,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use anyhow::{Context, ensure};
use reqwest::{Method, RequestBuilder, Response, Url, header};
use serde::Deserialize;
use serde_json::Value;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_SHOWN_CHARS: usize = 300;
/// So many tries in a row are in vain before it is given up.
const MOST_BROKEN: u32 = 5;
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

pub struct Client {
    http: reqwest::Client,
    url: String,
    key: String,
    /// Whether there was an answer: an address that never answered is a mistake, and no broken connection.
    was_there: AtomicBool,
}

/// Why there is no answer to work with.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("{0}")]
    Refused(Problem),
    #[error("{url} did not answer; is it the platform's address, and is it up?")]
    Unreached { url: String, source: reqwest::Error },
    #[error("the connection to {url} stands still")]
    Stalled { url: String },
}

impl Failure {
    /// Whether the same may succeed a moment later.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreached { .. } | Self::Stalled { .. } => true,
            Self::Refused(problem) => matches!(problem.status, 408 | 429 | 502..=504),
        }
    }
}

/// What the platform says when it refuses (RFC 9457).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Problem {
    pub status: u16,
    pub code: String,
    pub detail: String,
    pub errors: Vec<Field>,
    #[serde(skip)]
    retry_after: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct Field {
    field: String,
    message: String,
}

impl Problem {
    /// That was told in another protocol's words.
    pub fn told(status: u16, detail: String) -> Self {
        Self { status, detail, ..Self::default() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.errors.as_slice() {
            [] => f.write_str(&self.detail)?,
            // the detail of several says the first of them
            errors => {
                let lines: Vec<_> =
                    errors.iter().map(|e| format!("{}: {}", e.field, e.message)).collect();
                f.write_str(&lines.join("\n  "))?;
            }
        }
        match (self.code.as_str(), &self.retry_after) {
            ("unauthenticated", _) => {
                f.write_str("; `cupola login` keeps a key, and CUPOLA_API_KEY goes before it")
            }
            ("forbidden", _) => f.write_str("; `cupola whoami` says what the key may"),
            (_, Some(seconds)) => write!(f, "; try again in {seconds} s"),
            _ => Ok(()),
        }
    }
}

impl Client {
    pub fn new(url: &str, key: &str) -> anyhow::Result<Self> {
        let url = url.trim_end_matches('/');
        let parsed = Url::parse(url).ok().filter(|url| ["http", "https"].contains(&url.scheme()));
        let parsed = parsed.with_context(|| {
            format!("`{url}` is not a platform's URL; give one as https://cupola.example")
        })?;
        let is_key = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
        ensure!(is_key, "that is no API key; one is `cup_` and 49 letters, digits, `-` and `_`");
        let mut http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .user_agent(concat!("cupola/", env!("CARGO_PKG_VERSION")));
        if is_this_machine(&parsed) {
            http = http.no_proxy();
        }
        let http = http.build().context("no HTTP client")?;
        let was_there = AtomicBool::new(false);
        Ok(Self { http, url: url.to_owned(), key: key.to_owned(), was_there })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.key)
    }

    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.json(self.request(Method::GET, path)).await
    }

    /// With what narrows it down; what is absent is not said.
    pub async fn list(
        &self,
        path: &str,
        query: &[(&str, Option<String>)],
    ) -> anyhow::Result<Value> {
        let mut url = Url::parse(&format!("{}{path}", self.url)).context("the platform's URL")?;
        for (name, value) in query {
            if let Some(value) = value {
                url.query_pairs_mut().append_pair(name, value);
            }
        }
        self.json(self.http.get(url).bearer_auth(&self.key)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.json(self.request(Method::POST, path).json(body)).await
    }

    pub async fn json(&self, request: RequestBuilder) -> anyhow::Result<Value> {
        self.read(self.open(request).await?).await
    }

    /// An answer that breaks off is none.
    pub async fn read(&self, response: Response) -> anyhow::Result<Value> {
        let unreached = |source| Failure::Unreached { url: self.url.clone(), source };
        let body = response.bytes().await.map_err(unreached)?;
        serde_json::from_slice(&body).context("the answer is not JSON")
    }

    /// How long to wait before the same is tried once more, of which so many tries were in vain; `None` where
    /// that would not help, or not soon.
    pub fn again_in(&self, failure: &Failure, broken: u32) -> Option<Duration> {
        let asked = match failure {
            Failure::Unreached { source, .. } if source.is_connect() => {
                self.was_there.load(Ordering::Relaxed).then_some(Duration::ZERO)?
            }
            Failure::Unreached { .. } | Failure::Stalled { .. } => Duration::ZERO,
            Failure::Refused(_) if !failure.is_passing() => return None,
            Failure::Refused(problem) => {
                let after = problem.retry_after.as_deref().unwrap_or("0");
                Duration::from_secs(after.parse().ok()?)
            }
        };
        let is_worth_it = broken <= MOST_BROKEN && asked <= LONGEST_PAUSE;
        is_worth_it.then(|| asked.max(pause(broken)))
    }

    /// The response itself, for streams.
    pub async fn open(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let unreached = |source| Failure::Unreached { url: self.url.clone(), source };
        let response = request.send().await.map_err(unreached)?;
        self.was_there.store(true, Ordering::Relaxed);
        if response.status().is_success() {
            return Ok(response);
        }
        Err(Failure::Refused(problem(response).await))
    }
}

/// None at first: most often a connection is there again at once.
pub fn pause(broken: u32) -> Duration {
    match broken {
        0 | 1 => Duration::ZERO,
        n => Duration::from_secs(1 << (n - 2).min(8)).min(LONGEST_PAUSE),
    }
}

fn is_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

async fn problem(response: Response) -> Problem {
    let status = response.status();
    let retry_after = response.headers().get(header::RETRY_AFTER);
    let retry_after = retry_after.and_then(|value| value.to_str().ok()).map(str::to_owned);
    let body = response.text().await.unwrap_or_default();
    let said = serde_json::from_str(&body).ok().filter(|said: &Problem| !said.detail.is_empty());
    let mut problem = said.unwrap_or_else(|| {
        // something in between has answered
        let body: String = body.chars().take(MAX_SHOWN_CHARS).collect();
        let detail = format!("the answer was {status}: {}", body.trim());
        Problem { detail, ..Problem::default() }
    });
    problem.status = status.as_u16();
    problem.retry_after = retry_after;
    problem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_names_every_field_and_what_helps() {
        let said = r#"{"status": 422, "code": "validation_failed", "detail": "epochs: 0 is",
            "errors": [{"field": "epochs", "message": "0 is"}, {"field": "target", "message": "no"}]}"#;
        let problem: Problem = serde_json::from_str(said).unwrap();
        assert_eq!(problem.to_string(), "epochs: 0 is\n  target: no");
        let said = r#"{"status": 401, "code": "unauthenticated", "detail": "the key is unknown"}"#;
        let problem: Problem = serde_json::from_str(said).unwrap();
        assert!(problem.to_string().contains("`cupola login`"), "{problem}");
    }

    #[test]
    fn what_is_no_url_or_key_is_told_before_anything_is_sent() {
        for (url, key) in [("cupola.example", "cup_x"), ("https://x", "cup x"), ("https://x", "")] {
            assert!(Client::new(url, key).is_err(), "{url} {key}");
        }
        assert!(Client::new("https://cupola.example/", "cup_x").is_ok());
    }
}

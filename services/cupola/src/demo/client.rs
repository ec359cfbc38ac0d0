//! A client of the API: JSON in and out, and a problem's own words when it refuses.

use anyhow::{Context, bail};
use reqwest::{Method, RequestBuilder, Response, header};
use serde_json::Value;

/// Seconds that a push waits for the dataset's profile.
const WAIT_SECS: u32 = 30;

pub struct Client {
    http: reqwest::Client,
    url: String,
    key: String,
}

impl Client {
    pub fn new(url: &str, key: &str) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().no_proxy().build().context("no HTTP client")?;
        Ok(Self { http, url: url.to_owned(), key: key.to_owned() })
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.key)
    }

    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        json(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        json(self.request(Method::POST, path).json(body)).await
    }

    pub async fn push(&self, path: &str, media_type: &str, body: String) -> anyhow::Result<Value> {
        let request = self.request(Method::POST, path).header(header::CONTENT_TYPE, media_type);
        json(request.header("Prefer", format!("wait={WAIT_SECS}")).body(body)).await
    }

    /// The response itself, for streams.
    pub async fn open(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        checked(request).await
    }
}

async fn json(request: RequestBuilder) -> anyhow::Result<Value> {
    checked(request).await?.json().await.context("the answer is not JSON")
}

async fn checked(request: RequestBuilder) -> anyhow::Result<Response> {
    let response = request.send().await.context("the gateway did not answer")?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let url = response.url().path().to_owned();
    bail!("{url} answered {status}: {}", response.text().await.unwrap_or_default())
}

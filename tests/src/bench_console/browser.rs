//! As much of a browser as signing in takes: one cookie, and the seal of a page's form.

use anyhow::{Context, ensure};
use reqwest::{Client, Response, header, redirect::Policy};

const PASSWORD: &str = "correct horse battery staple";

pub struct Browser {
    http: Client,
    host: String,
    cookie: String,
}

impl Browser {
    pub fn new(host: &str) -> Self {
        let http = Client::builder().no_proxy().redirect(Policy::none()).build();
        let http = http.expect("a client without options that could be wrong");
        Self { http, host: host.to_owned(), cookie: String::new() }
    }

    pub async fn signed_in(host: &str, email: &str) -> anyhow::Result<Self> {
        let mut browser = Self::new(host);
        browser.post("/console/sign-in", &[("email", email), ("password", PASSWORD)]).await?;
        Ok(browser)
    }

    pub async fn invited(host: &str, token: &str) -> anyhow::Result<Self> {
        let mut browser = Self::new(host);
        let fields = [("token", token), ("name", "Op"), ("password", PASSWORD)];
        browser.post("/console/invitation", &fields).await?;
        Ok(browser)
    }

    /// The status, and how many bytes the page has.
    pub async fn get(&self, path: &str) -> anyhow::Result<(u16, usize)> {
        let answer = self.ask(path).await?;
        Ok((answer.status().as_u16(), answer.bytes().await?.len()))
    }

    async fn ask(&self, path: &str) -> anyhow::Result<Response> {
        let request = self.http.get(format!("http://{}{path}", self.host));
        Ok(request.header(header::COOKIE, &self.cookie).send().await?)
    }

    /// What the form of the page at this place sends.
    async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> anyhow::Result<()> {
        let page = self.ask(path).await?;
        self.keep(&page);
        let text = page.text().await?;
        let (_, rest) = text.split_once("name=\"seal\" value=\"").context("a form")?;
        let (seal, _) = rest.split_once('"').context("its end")?;
        let fields = [&[("seal", seal)], fields].concat();
        let request = self.http.post(format!("http://{}{path}", self.host)).body(encoded(&fields));
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let request = request.header(header::COOKIE, &self.cookie);
        let answer = request.header("sec-fetch-site", "same-origin").send().await?;
        ensure!(answer.status().as_u16() == 303, "{path}: {}", answer.status());
        self.keep(&answer);
        Ok(())
    }

    fn keep(&mut self, answer: &Response) {
        for cookie in answer.headers().get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().unwrap_or_default();
            cookie.split(';').next().unwrap_or_default().clone_into(&mut self.cookie);
        }
    }
}

fn encoded(fields: &[(&str, &str)]) -> String {
    let escaped = |text: &str| -> String {
        let byte = |byte: u8| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        };
        text.bytes().map(byte).collect()
    };
    let pairs = fields.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value)));
    pairs.collect::<Vec<_>>().join("&")
}

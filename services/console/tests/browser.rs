//! A browser that keeps cookies, finds forms and links, and runs no script.

use std::cell::RefCell;

use actix_web::{cookie::Cookie, test::TestRequest};

use crate::support::{Client, PASSWORD, Reply, TestApp};

pub struct Browser {
    client: Client,
    cookies: RefCell<Vec<Cookie<'static>>>,
}

pub struct Page {
    pub reply: Reply,
    pub text: String,
}

impl Browser {
    pub fn new(app: &TestApp) -> Self {
        Self { client: app.nobody(), cookies: RefCell::default() }
    }

    /// One of the people of [`TestApp::tenant`].
    pub async fn signed_in(app: &TestApp, email: &str) -> Self {
        let browser = Self::new(app);
        let page = browser.get("/console/sign-in").await;
        let fields = [("email", email), ("password", PASSWORD)];
        browser.post_from(&page, "/console/sign-in", &fields).await.expect(303);
        browser
    }

    pub fn cookie(&self, name: &str) -> Option<Cookie<'static>> {
        self.cookies.borrow().iter().find(|cookie| cookie.name() == name).cloned()
    }

    pub fn set_cookie(&self, cookie: Cookie<'static>) {
        let mut cookies = self.cookies.borrow_mut();
        cookies.retain(|other| other.name() != cookie.name());
        if !cookie.value().is_empty() {
            cookies.push(cookie);
        }
    }

    pub async fn get(&self, path: &str) -> Page {
        self.send(TestRequest::get().uri(path)).await
    }

    /// What a page's form would send: its seal, and these fields.
    pub async fn post_from(&self, page: &Page, path: &str, fields: &[(&str, &str)]) -> Page {
        let seal = page.seal().to_owned();
        let fields = [&[("seal", seal.as_str())], fields].concat();
        self.post(path, &fields).await
    }

    /// By a form of the page that this browser could have opened last.
    pub async fn act(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let page = self.get("/console/account").await.expect(200);
        self.post_from(&page, path, fields).await
    }

    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let request = TestRequest::post().uri(path).set_form(fields);
        self.send(request.insert_header(("sec-fetch-site", "same-origin"))).await
    }

    pub async fn send(&self, request: TestRequest) -> Page {
        let cookies: Vec<_> = self
            .cookies
            .borrow()
            .iter()
            .map(|one| format!("{}={}", one.name(), one.value()))
            .collect();
        let request = if cookies.is_empty() {
            request
        } else {
            request.insert_header(("cookie", cookies.join("; ")))
        };
        let reply = self.client.send(request).await;
        for value in reply.headers.get_all("set-cookie") {
            let cookie = Cookie::parse_encoded(value.to_str().unwrap().to_owned()).unwrap();
            self.set_cookie(cookie);
        }
        let text = String::from_utf8_lossy(&reply.bytes).into_owned();
        Page { reply, text }
    }
}

impl Page {
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.reply.status, status, "{}", self.text);
        self
    }

    #[track_caller]
    pub fn shows(&self, words: &str) -> &Self {
        assert!(self.text.contains(words), "no `{words}` in {}", self.text);
        self
    }

    #[track_caller]
    pub fn shows_no(&self, words: &str) -> &Self {
        assert!(!self.text.contains(words), "`{words}` in {}", self.text);
        self
    }

    /// Where it leads, of a redirection.
    #[track_caller]
    pub fn location(&self) -> &str {
        self.reply.header("location").unwrap_or_else(|| panic!("leads nowhere: {}", self.text))
    }

    #[track_caller]
    pub fn seal(&self) -> &str {
        let mut seals = self.values_of("name=\"seal\" value=\"");
        seals.next().unwrap_or_else(|| panic!("no form in {}", self.text))
    }

    /// What stands between this and the next quote, wherever it is.
    pub fn values_of<'a>(&'a self, before: &'a str) -> impl Iterator<Item = &'a str> {
        let parts = self.text.split(before).skip(1);
        parts.map(|rest| rest.split_once('"').map_or(rest, |(value, _)| value))
    }

    /// The text of its only text area.
    #[track_caller]
    pub fn area(&self, name: &str) -> String {
        let (_, rest) = self.text.split_once(&format!("name=\"{name}\"")).expect("the text area");
        let (_, rest) = rest.split_once('>').expect("its end");
        let (text, _) = rest.split_once("</textarea>").expect("its end");
        unescaped(text)
    }
}

/// As a browser reads text.
pub fn unescaped(text: &str) -> String {
    let pairs = [("&quot;", "\""), ("&lt;", "<"), ("&gt;", ">"), ("&#39;", "'"), ("&amp;", "&")];
    pairs.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

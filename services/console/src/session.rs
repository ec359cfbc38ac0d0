//! The session as the browser keeps it: one cookie that scripts cannot read, with the access token, the
//! refresh token that gets the next one, and what its forms are known by. All three are in one cookie so
//! that nobody can put a part of theirs beside a part of a visitor's.

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex, PoisonError},
};

use actix_web::{
    HttpMessage, HttpRequest,
    cookie::{Cookie, SameSite, time::Duration},
    web,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use domain::{Digest, Timestamp};
use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use gateway::App;
use serde::Deserialize;
use serde_json::json;

use crate::{
    api::{Asking, Route},
    failure::Failure,
    guard::SetCookie,
};

/// A session ends after so long without a refresh; the browser need not keep it longer.
const KEPT: Duration = Duration::days(14);
/// Before its end, so that an access token does not end on the way.
const EARLY: TimeDelta = TimeDelta::seconds(30);
/// For so long a refresh token that was used here gives what it gave: two tabs may come with it at once.
const REMEMBERED: TimeDelta = TimeDelta::seconds(60);
/// In no token of ours, and allowed in a cookie.
const BETWEEN: char = '~';

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Session {
    /// What a form of this session has in it.
    pub seal: String,
    /// Seconds since 1970 until which the access token is good.
    until: i64,
    refresh: String,
    pub access: String,
}

/// What the API answers to a sign-in, a refresh and an invitation.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct SignedIn {
    access_token: String,
    refresh_token: String,
    expires_in: i64,
}

impl Session {
    pub fn begin(signed_in: SignedIn, now: Timestamp) -> Result<Self, Failure> {
        Ok(Self::with_seal(new_seal()?, signed_in, now))
    }

    fn with_seal(seal: String, signed_in: SignedIn, now: Timestamp) -> Self {
        let until = now.timestamp() + signed_in.expires_in;
        let SignedIn { access_token: access, refresh_token: refresh, .. } = signed_in;
        Self { seal, until, refresh, access }
    }

    /// What the browser has sent, if it could be one.
    pub fn of(request: &HttpRequest) -> Option<Self> {
        Self::parse(request.cookie(name(request, SESSION)).as_ref()?.value())
    }

    fn parse(value: &str) -> Option<Self> {
        let mut parts = value.splitn(4, BETWEEN).map(str::to_owned);
        let (seal, until) = (parts.next()?, parts.next()?.parse().ok()?);
        let session = Self { seal, until, refresh: parts.next()?, access: parts.next()? };
        (!session.seal.is_empty()).then_some(session)
    }

    fn value(&self) -> String {
        let Self { seal, until, refresh, access } = self;
        format!("{seal}{BETWEEN}{until}{BETWEEN}{refresh}{BETWEEN}{access}")
    }

    pub fn cookie(&self, request: &HttpRequest) -> Cookie<'static> {
        let mut cookie = cookie(request, SESSION, self.value());
        cookie.set_max_age(KEPT);
        cookie
    }

    /// The session with an access token that is good for a while yet, and whether it is another one.
    pub async fn kept_up(
        self,
        request: &HttpRequest,
        app: &web::Data<App>,
    ) -> Option<(Self, bool)> {
        let now = app.clock.now();
        if now.timestamp() + EARLY.num_seconds() < self.until {
            return Some((self, false));
        }
        let signed_in = renewed(request, &self.refresh, now).await?;
        Some((Self::with_seal(self.seal, signed_in, now), true))
    }
}

type Renewal = Shared<BoxFuture<'static, Option<SignedIn>>>;

/// A refresh token is good for one use, and a second one ends the session. So whoever comes with one that
/// is being used here, or was a moment ago, gets the same answer.
async fn renewed(request: &HttpRequest, refresh: &str, now: Timestamp) -> Option<SignedIn> {
    static RENEWALS: LazyLock<Mutex<HashMap<Digest, (Timestamp, Renewal)>>> =
        LazyLock::new(Mutex::default);
    let renewal = {
        let mut renewals = RENEWALS.lock().unwrap_or_else(PoisonError::into_inner);
        renewals.retain(|_, (at, _)| now - *at < REMEMBERED);
        let key = Digest::of(refresh.as_bytes());
        renewals.entry(key).or_insert_with(|| (now, renew(request, refresh))).1.clone()
    };
    renewal.await
}

/// In a task of its own: a visitor who leaves meanwhile must not lose the next refresh token.
fn renew(request: &HttpRequest, refresh: &str) -> Renewal {
    let (asking, body) = (Asking::nobody(request), json!({ "refresh_token": refresh }));
    let asked = actix_web::rt::spawn(async move {
        let route = Route::of(["auth", "refresh"]);
        asking.send(actix_web::http::Method::POST, &route, &body).await.ok()
    });
    asked.map(|answer| answer.ok().flatten()).boxed().shared()
}

/// What the forms of a browser are known by: its session's, or else that of its visit.
pub(crate) fn seal_of(request: &HttpRequest) -> Option<String> {
    let of_visit = || request.cookie(name(request, VISIT)).map(|visit| visit.value().to_owned());
    let seal = Session::of(request).map(|session| session.seal).or_else(of_visit)?;
    (!seal.is_empty()).then_some(seal)
}

/// The same for a page with a form for who is not signed in; a browser without any gets one.
pub(crate) fn seal_for(request: &HttpRequest) -> Result<String, Failure> {
    if let Some(seal) = seal_of(request) {
        return Ok(seal);
    }
    let seal = new_seal()?;
    request.extensions_mut().insert(SetCookie(cookie(request, VISIT, seal.clone())));
    Ok(seal)
}

/// For a browser that has a session which is over.
pub(crate) fn ended(request: &HttpRequest) -> Cookie<'static> {
    let mut cookie = cookie(request, SESSION, String::new());
    cookie.make_removal();
    cookie
}

/// A cookie's names: under `https` one that no other host of the domain can set.
type Names = (&'static str, &'static str);
const SESSION: Names = ("cupola", "__Host-cupola");
const VISIT: Names = ("cupola-visit", "__Host-cupola-visit");

fn is_secure(request: &HttpRequest) -> bool {
    let app = request.app_data::<web::Data<App>>();
    app.is_some_and(|app| app.config.public_url.starts_with("https://"))
}

fn name(request: &HttpRequest, (plain, secure): Names) -> &'static str {
    if is_secure(request) { secure } else { plain }
}

fn cookie(request: &HttpRequest, names: Names, value: String) -> Cookie<'static> {
    Cookie::build(name(request, names), value)
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(is_secure(request))
        .finish()
}

/// What nobody can guess.
pub(crate) fn new_seal() -> Result<String, Failure> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::broken(&std::io::Error::other(error.to_string())))?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_reads_back_and_nothing_else_is_one() {
        let session = Session {
            seal: "s_-1".into(),
            until: 1_767_225_600,
            refresh: "cupr_abc".into(),
            access: "a.b.c".into(),
        };
        assert_eq!(Session::parse(&session.value()), Some(session));
        for wrong in ["", "~1~b~c", "a~x~b~c", "a~1~b", "a.b.c"] {
            assert_eq!(Session::parse(wrong), None, "{wrong}");
        }
    }
}

//! The API, asked in process: one more instance of the gateway's application in each of the server's
//! threads, made at the first question. A question goes through all that a request from outside goes
//! through: its credential is looked up, it is counted, and what it changes is written down.

use std::rc::Rc;

use actix_http::Request;
use actix_service::IntoServiceFactory;
use actix_web::{
    HttpRequest, HttpResponse,
    body::{self, BoxBody},
    dev::{AppConfig, Payload, Service, ServiceFactory, ServiceResponse},
    error::Error,
    http::{
        Method,
        header::{self, HeaderName, HeaderValue},
    },
    web::{self, Bytes},
};
use futures::{FutureExt, future::LocalBoxFuture};
use gateway::{App, Problem};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::sync::OnceCell;
use url::Url;

use crate::failure::{Errors, Failure};

/// Of an answer that a page is made of; what is larger is handed through ([`Asking::open`]).
const MAX_ANSWER_BYTES: usize = 32 << 20;
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// A page of a list.
#[derive(Debug, Deserialize)]
pub(crate) struct List<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
}

type Ask = dyn Fn(Request) -> LocalBoxFuture<'static, Result<ServiceResponse<BoxBody>, Error>>;

#[derive(Default)]
pub(crate) struct Api(OnceCell<Rc<Ask>>);

impl Api {
    async fn ask(&self, app: &web::Data<App>, question: Request) -> Result<HttpResponse, Failure> {
        let ask = self.0.get_or_init(|| assemble(app.clone())).await;
        let answer = ask(question).await.map_err(|error| Failure::broken(&error))?;
        Ok(answer.into_parts().1)
    }
}

async fn assemble(app: web::Data<App>) -> Rc<Ask> {
    let api = gateway::application(app, |_| ()).into_factory();
    let api = api.new_service(AppConfig::default()).await;
    let api = api.expect("the gateway's own threads have made it before");
    Rc::new(move |question| {
        let answer = api.call(question);
        async move { Ok(answer.await?.map_into_boxed_body()) }.boxed_local()
    })
}

/// Where a route of the API is: its parts are escaped, so that what a visitor has typed stays one part.
#[derive(Debug, Clone)]
pub(crate) struct Route(Url);

impl Route {
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut url = Url::parse("http://api/v1").expect("a literal");
        url.path_segments_mut().expect("it has a path").extend(parts);
        Self(url)
    }

    /// With a parameter; one that is empty is left out.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        let value = value.to_string();
        if !value.is_empty() {
            self.0.query_pairs_mut().append_pair(name, &value);
        }
        self
    }

    /// As people write it, and as a link within the console finds it.
    pub fn path(&self) -> &str {
        &self.0[url::Position::BeforePath..]
    }
}

/// On whose behalf the API is asked.
#[derive(Clone)]
pub(crate) struct Asking {
    request: HttpRequest,
    token: Option<String>,
}

impl Asking {
    pub fn nobody(request: &HttpRequest) -> Self {
        Self { request: request.clone(), token: None }
    }

    pub fn with_token(request: &HttpRequest, token: String) -> Self {
        Self { request: request.clone(), token: Some(token) }
    }

    pub async fn get<T: DeserializeOwned>(&self, route: &Route) -> Result<T, Failure> {
        read(self.open(self.question(Method::GET, route.path(), Payload::None)?).await?).await
    }

    /// What is not there is none.
    pub async fn find<T: DeserializeOwned>(&self, route: &Route) -> Result<Option<T>, Failure> {
        match self.get(route).await {
            Ok(found) => Ok(Some(found)),
            Err(Failure::Told(problem)) if problem.status == 404 => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    pub async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        route: &Route,
        json: &Value,
    ) -> Result<T, Failure> {
        read(self.open(self.with_json(method, route, json)?).await?).await
    }

    /// What was made, or what the form that asked for it had wrong.
    pub async fn make<T: DeserializeOwned>(
        &self,
        route: &Route,
        json: &Value,
    ) -> Result<(Option<T>, Errors), Failure> {
        match self.send(Method::POST, route, json).await {
            Ok(made) => Ok((Some(made), Errors::default())),
            Err(failure) => Ok((None, failure.into_errors()?)),
        }
    }

    /// The same as [`send`](Self::send) with one more header.
    pub async fn send_with<T: DeserializeOwned>(
        &self,
        method: Method,
        route: &Route,
        json: &Value,
        (name, value): (HeaderName, &str),
    ) -> Result<T, Failure> {
        let mut question = self.with_json(method, route, json)?;
        let value = HeaderValue::from_str(value).map_err(|error| Failure::broken(&error))?;
        question.headers_mut().insert(name, value);
        read(self.open(question).await?).await
    }

    /// Where there is nothing to send, or nothing to read of the answer.
    pub async fn order(&self, method: Method, route: &Route) -> Result<(), Failure> {
        let question = self.question(method, route.path(), Payload::None)?;
        self.open(question).await.map(drop)
    }

    /// The same with JSON.
    pub async fn change(&self, method: Method, route: &Route, json: &Value) -> Result<(), Failure> {
        self.send::<Ignored>(method, route, json).await.map(drop)
    }

    fn with_json(&self, method: Method, route: &Route, json: &Value) -> Result<Request, Failure> {
        let mut question =
            self.question(method, route.path(), json.to_string().into_bytes().into())?;
        question.headers_mut().insert(header::CONTENT_TYPE, JSON);
        Ok(question)
    }

    pub fn question(
        &self,
        method: Method,
        path: &str,
        payload: Payload,
    ) -> Result<Request, Failure> {
        let (mut question, _) = Request::new().replace_payload(payload);
        let head = question.head_mut();
        head.method = method;
        head.uri = path.parse().map_err(|_| Failure::not_found())?;
        head.peer_addr = self.request.peer_addr();
        let asked = self.request.headers();
        for name in [FORWARDED_FOR, header::USER_AGENT] {
            for value in asked.get_all(&name) {
                head.headers.append(name.clone(), value.clone());
            }
        }
        if let Some(token) = &self.token {
            let bearer = HeaderValue::try_from(format!("Bearer {token}"));
            // what cannot be in a header is no token of ours
            let bearer = bearer.map_err(|_| Failure::signed_out(&self.request))?;
            head.headers.insert(header::AUTHORIZATION, bearer);
        }
        Ok(question)
    }

    /// The answer as it comes; a problem is an error.
    pub async fn open(&self, question: Request) -> Result<HttpResponse, Failure> {
        let missing =
            || Failure::broken(&std::io::Error::other("the console was put together wrongly"));
        let api = self.request.app_data::<web::Data<Api>>().ok_or_else(missing)?;
        let app = self.request.app_data::<web::Data<App>>().ok_or_else(missing)?;
        let answer = api.ask(app, question).await?;
        if answer.status().is_success() || answer.status().is_redirection() {
            return Ok(answer);
        }
        let problem: Problem = read(answer).await?;
        Err(match problem.status {
            401 if self.token.is_some() => Failure::signed_out(&self.request),
            _ => Failure::Told(Box::new(problem)),
        })
    }
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Whatever was answered, be it nothing.
struct Ignored;

impl<'de> Deserialize<'de> for Ignored {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

async fn read<T: DeserializeOwned>(answer: HttpResponse) -> Result<T, Failure> {
    let bytes = whole(answer).await?;
    // a 204 is as good as null
    let bytes = if bytes.is_empty() { Bytes::from_static(b"null") } else { bytes };
    serde_json::from_slice(&bytes).map_err(|error| Failure::broken(&error))
}

pub(crate) async fn whole(answer: HttpResponse) -> Result<Bytes, Failure> {
    let bytes = body::to_bytes_limited(answer.into_body(), MAX_ANSWER_BYTES).await;
    let too_large = || std::io::Error::other("the API's answer is too large for a page");
    let bytes = bytes.map_err(|_| Failure::broken(&too_large()))?;
    bytes.map_err(|error| Failure::broken(&*error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_visitor_has_typed_stays_one_part_of_the_path() {
        let route = Route::of(["jobs", "../keys?x=1#y"]).with("limit", 5).with("status", "");
        assert_eq!(route.path(), "/v1/jobs/..%2Fkeys%3Fx=1%23y?limit=5");
        assert_eq!(Route::of(["jobs", "a b", "é"]).path(), "/v1/jobs/a%20b/%C3%A9");
    }
}

//! Requests and answers, short enough to read in a test.

use std::{fmt, rc::Rc};

use actix_web::{
    body::{self, BoxBody},
    dev::ServiceResponse,
    http::{Method, header::HeaderMap},
    test::TestRequest,
    web::Bytes,
};
use futures::future::LocalBoxFuture;
use serde_json::Value;

type Call = dyn Fn(TestRequest) -> LocalBoxFuture<'static, ServiceResponse<BoxBody>>;

#[derive(Clone)]
pub struct Client {
    call: Rc<Call>,
    credential: Option<String>,
}

impl Client {
    pub fn new(
        call: impl Fn(TestRequest) -> LocalBoxFuture<'static, ServiceResponse<BoxBody>> + 'static,
    ) -> Self {
        Self { call: Rc::new(call), credential: None }
    }

    pub fn with_credential(&self, credential: &str) -> Self {
        Self { call: Rc::clone(&self.call), credential: Some(credential.to_owned()) }
    }

    pub fn credential(&self) -> &str {
        self.credential.as_deref().expect("this client has a credential")
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(TestRequest::get().uri(path)).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.send(TestRequest::delete().uri(path)).await
    }

    pub async fn post(&self, path: &str, json: Value) -> Reply {
        self.send(TestRequest::post().uri(path).set_json(json)).await
    }

    pub async fn patch(&self, path: &str, json: Value) -> Reply {
        self.send(TestRequest::patch().uri(path).set_json(json)).await
    }

    /// Bytes as they are.
    pub async fn upload(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        bytes: impl Into<Bytes>,
    ) -> Reply {
        let request = TestRequest::default().method(method).uri(path);
        self.send(request.insert_header(("content-type", content_type)).set_payload(bytes)).await
    }

    pub async fn send(&self, request: TestRequest) -> Reply {
        Reply::read(self.open(request).await).await
    }

    /// The answer before its body has been read: for streams.
    pub async fn open(&self, request: TestRequest) -> ServiceResponse<BoxBody> {
        let request = match &self.credential {
            Some(credential) => {
                request.insert_header(("authorization", format!("Bearer {credential}")))
            }
            None => request,
        };
        (self.call)(request).await
    }
}

pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub bytes: Bytes,
    /// Null where the body is not JSON.
    pub json: Value,
}

impl Reply {
    async fn read(response: ServiceResponse<BoxBody>) -> Self {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let bytes = body::to_bytes(response.into_body()).await.expect("the body can be read");
        let json = serde_json::from_slice(&bytes).unwrap_or_default();
        Self { status, headers, bytes, json }
    }

    /// The same reply, if this is its status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// A problem of this code, complete and of the right type.
    #[track_caller]
    pub fn expect_problem(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status, self.text("/code")), (status, code), "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        assert_eq!(self.json["status"], status, "{self:?}");
        assert!(!self.text("/detail").is_empty() && !self.text("/title").is_empty(), "{self:?}");
        self
    }

    /// The text at a JSON pointer.
    #[track_caller]
    pub fn text(&self, pointer: &str) -> &str {
        let found = self.json.pointer(pointer).and_then(Value::as_str);
        found.unwrap_or_else(|| panic!("no text at {pointer} in {self:?}"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The fields that a problem names.
    pub fn fields(&self) -> Vec<&str> {
        let errors = self.json["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        errors.iter().filter_map(|error| error["field"].as_str()).collect()
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, String::from_utf8_lossy(&self.bytes))
    }
}

//! Errors with the two headers by which the client tells what is missing, and raises its own exceptions.

use crate::{ApiError, Code};
use actix_web::{
    HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{HeaderName, HeaderValue},
    },
};

#[derive(Debug)]
pub(crate) struct HubError {
    error: ApiError,
    /// What the client knows it by.
    what: Option<&'static str>,
}

impl HubError {
    /// No credential at all: the client is to take it for a repository that it may not see.
    pub fn of_caller(error: ApiError) -> Self {
        let what = (error.code == Code::Unauthenticated).then_some("RepoNotFound");
        Self { error, what }
    }

    pub fn of_repository(error: ApiError) -> Self {
        let what = (error.code == Code::NotFound).then_some("RepoNotFound");
        Self { error, what }
    }

    pub const fn as_api(&self) -> &ApiError {
        &self.error
    }

    pub const fn revision(error: ApiError) -> Self {
        Self { error, what: Some("RevisionNotFound") }
    }

    pub const fn entry(error: ApiError) -> Self {
        Self { error, what: Some("EntryNotFound") }
    }

    /// The client shows the details of no other status.
    pub fn bad(why: impl Into<String>) -> Self {
        ApiError::new(Code::BadRequest, why).into()
    }
}

impl std::fmt::Display for HubError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.error.fmt(f)
    }
}

impl<E: Into<ApiError>> From<E> for HubError {
    fn from(error: E) -> Self {
        Self { error: error.into(), what: None }
    }
}

impl ResponseError for HubError {
    fn status_code(&self) -> StatusCode {
        self.error.status_code()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = self.error.error_response();
        let printable: String =
            self.error.detail.chars().map(|c| if c.is_ascii_graphic() { c } else { ' ' }).collect();
        let headers = response.headers_mut();
        if let Ok(message) = HeaderValue::from_str(&printable) {
            headers.insert(HeaderName::from_static("x-error-message"), message);
        }
        if let Some(what) = self.what {
            headers.insert(HeaderName::from_static("x-error-code"), HeaderValue::from_static(what));
        }
        response
    }
}

//! What a client is told when something is wrong: `application/problem+json` (RFC 9457) with a stable
//! `code`. One table maps codes to statuses. What no client can mend is logged here, once, and shown
//! only as `internal` or `unavailable`.

use std::{fmt, str::FromStr};

use actix_web::{
    HttpResponse, ResponseError,
    http::{StatusCode, header},
};
use domain::{FieldError, FieldErrors};
use registry::BlobError;
use serde::{Deserialize, Serialize};
use store::StoreError;

const RETRY_UNAVAILABLE_SECS: u32 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    BadRequest,
    InvalidJson,
    Unauthenticated,
    Forbidden,
    StorageFull,
    NotFound,
    /// It was there, and its owner has deleted it.
    Gone,
    MethodNotAllowed,
    Conflict,
    /// What a change was made upon has changed.
    PreconditionFailed,
    DatasetNotReady,
    /// A piece of a file that does not go on where the upload stands.
    WrongOffset,
    PayloadTooLarge,
    /// A body that does not come.
    TooSlow,
    UnsupportedMediaType,
    RangeNotSatisfiable,
    ValidationFailed,
    IdempotencyMismatch,
    DatasetInvalid,
    QueueFull,
    RateLimited,
    /// Of files, in a month.
    EgressExceeded,
    /// Beyond a quota's size of a job.
    QuotaExceeded,
    BudgetExceeded,
    /// The platform's, not the tenant's.
    StoreFull,
    Internal,
    Unavailable,
}

impl Code {
    /// The table: status, code as clients see it, title.
    const fn row(self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Self::BadRequest => (S::BAD_REQUEST, "bad_request", "Bad request"),
            Self::InvalidJson => (S::BAD_REQUEST, "invalid_json", "The body is not JSON"),
            Self::Unauthenticated => {
                (S::UNAUTHORIZED, "unauthenticated", "A valid key or token is needed")
            }
            Self::Forbidden => (S::FORBIDDEN, "forbidden", "Not allowed"),
            Self::StorageFull => (S::FORBIDDEN, "storage_full", "The tenant's storage is full"),
            Self::NotFound => (S::NOT_FOUND, "not_found", "Not found"),
            Self::Gone => (S::GONE, "gone", "Deleted"),
            Self::MethodNotAllowed => {
                (S::METHOD_NOT_ALLOWED, "method_not_allowed", "Method not allowed")
            }
            Self::Conflict => (S::CONFLICT, "conflict", "Conflict"),
            Self::PreconditionFailed => {
                (S::PRECONDITION_FAILED, "precondition_failed", "Changed meanwhile")
            }
            Self::DatasetNotReady => {
                (S::CONFLICT, "dataset_not_ready", "The dataset is still being profiled")
            }
            Self::WrongOffset => (S::CONFLICT, "wrong_offset", "The upload stands elsewhere"),
            Self::PayloadTooLarge => {
                (S::PAYLOAD_TOO_LARGE, "payload_too_large", "The body is too large")
            }
            Self::UnsupportedMediaType => {
                (S::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "Unsupported media type")
            }
            Self::RangeNotSatisfiable => {
                (S::RANGE_NOT_SATISFIABLE, "range_not_satisfiable", "The file has no such part")
            }
            Self::ValidationFailed => {
                (S::UNPROCESSABLE_ENTITY, "validation_failed", "The request is not valid")
            }
            Self::IdempotencyMismatch => (
                S::UNPROCESSABLE_ENTITY,
                "idempotency_mismatch",
                "The idempotency key was used for another request",
            ),
            Self::DatasetInvalid => {
                (S::UNPROCESSABLE_ENTITY, "dataset_invalid", "The dataset cannot be used")
            }
            Self::QueueFull => (S::TOO_MANY_REQUESTS, "queue_full", "The tenant's queue is full"),
            Self::RateLimited => (S::TOO_MANY_REQUESTS, "rate_limited", "Too many requests"),
            Self::EgressExceeded => (
                S::TOO_MANY_REQUESTS,
                "egress_exceeded",
                "The tenant has downloaded what it may this month",
            ),
            Self::TooSlow => (S::REQUEST_TIMEOUT, "too_slow", "The body came too slowly"),
            Self::QuotaExceeded => (S::FORBIDDEN, "quota_exceeded", "Beyond the tenant's quota"),
            Self::BudgetExceeded => {
                (S::FORBIDDEN, "budget_exceeded", "Beyond what the tenant may spend")
            }
            Self::StoreFull => {
                (S::INSUFFICIENT_STORAGE, "object_store_full", "The platform has no room left")
            }
            Self::Internal => (S::INTERNAL_SERVER_ERROR, "internal", "Something went wrong here"),
            Self::Unavailable => (S::SERVICE_UNAVAILABLE, "unavailable", "Not available right now"),
        }
    }

    pub const fn status(self) -> StatusCode {
        self.row().0
    }

    pub const fn as_str(self) -> &'static str {
        self.row().1
    }

    pub const fn title(self) -> &'static str {
        self.row().2
    }
}

#[derive(Debug, Clone, thiserror::Error)]
pub struct ApiError {
    pub code: Code,
    pub detail: String,
    pub errors: Vec<FieldError>,
    pub retry_after_secs: Option<u32>,
    /// For a 405: the methods that there are.
    pub allow: Option<String>,
}

/// What stands in the body of every answer that is not a success.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Problem {
    /// `urn:cupola:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    /// Stable: programs may rely on it.
    #[schema(examples("validation_failed"))]
    pub code: String,
    /// What is wrong and what would be right, for people.
    pub detail: String,
    /// Field by field, where the request's content is at fault.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

impl ApiError {
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self { code, detail, errors: Vec::new(), retry_after_secs: None, allow: None }
    }

    /// The same for what does not exist and for what is another tenant's.
    pub fn not_found(what: &str, name: impl fmt::Display) -> Self {
        Self::new(Code::NotFound, format!("there is no {what} `{name}`"))
    }

    /// An id in a URL that could not be one names nothing.
    pub fn known_id<T: FromStr>(what: &str, text: &str) -> Result<T, Self> {
        text.parse().map_err(|_| Self::not_found(what, text))
    }

    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        FieldErrors::one(field, message).into()
    }

    #[must_use]
    pub fn retry_after(self, secs: u32) -> Self {
        Self { retry_after_secs: Some(secs), ..self }
    }

    /// For what is our fault: logged, and never shown.
    pub fn internal(error: &dyn std::error::Error) -> Self {
        tracing::error!(error = %Chain(error), "request failed");
        Self::new(
            Code::Internal,
            "the error has been logged; please try again or tell the operator",
        )
    }

    /// For what passes: the client may try again.
    pub fn unavailable(error: &dyn std::error::Error, what: &str) -> Self {
        tracing::warn!(error = %Chain(error), "{what} is not available");
        Self::new(Code::Unavailable, format!("{what} did not answer; try again in a moment"))
            .retry_after(RETRY_UNAVAILABLE_SECS)
    }
}

/// An error with what caused it, on one line.
struct Chain<'a>(&'a dyn std::error::Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.detail)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::from(&error)
    }
}

impl From<&StoreError> for ApiError {
    fn from(error: &StoreError) -> Self {
        if error.is_unavailable() {
            Self::unavailable(error, "the database")
        } else if error.is_bad_text() {
            Self::new(Code::BadRequest, "the request has a NUL character; leave it out")
        } else {
            Self::internal(error)
        }
    }
}

impl From<BlobError> for ApiError {
    fn from(error: BlobError) -> Self {
        Self::from(&error)
    }
}

impl From<&BlobError> for ApiError {
    fn from(error: &BlobError) -> Self {
        match error {
            BlobError::KeyDestroyed { .. } => Self::new(Code::NotFound, error.to_string()),
            BlobError::Keys(error) => error.into(),
            error if error.is_full() => {
                tracing::error!(error = %Chain(&error), "the object store is full");
                let why = "the platform's object store has no room left, and nothing was stored; the operator has \
                           to make room: try again later";
                Self::new(Code::StoreFull, why)
            }
            BlobError::Store(_) | BlobError::File { .. } => {
                Self::unavailable(error, "the object store")
            }
            error => Self::internal(error),
        }
    }
}

impl From<FieldErrors> for ApiError {
    fn from(errors: FieldErrors) -> Self {
        let detail = match errors.0.as_slice() {
            [only] => format!("{}: {}", only.field, only.message),
            several => format!("{} fields are not valid; see `errors`", several.len()),
        };
        Self { errors: errors.0, ..Self::new(Code::ValidationFailed, detail) }
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.code.status()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        if self.code == Code::Unauthenticated {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        if let Some(secs) = self.retry_after_secs {
            response.insert_header((header::RETRY_AFTER, secs));
        }
        if let Some(methods) = &self.allow {
            response.insert_header((header::ALLOW, methods.as_str()));
        }
        let problem = Problem {
            kind: format!("urn:cupola:problem:{}", self.code.as_str()),
            title: self.code.title().to_owned(),
            status: self.status_code().as_u16(),
            code: self.code.as_str().to_owned(),
            detail: self.detail.clone(),
            errors: self.errors.clone(),
        };
        response.insert_header((header::CONTENT_TYPE, "application/problem+json")).json(problem)
    }
}

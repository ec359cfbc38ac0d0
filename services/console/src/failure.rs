//! Why there is no page: the visitor has to sign in first, or the API has said no. Its own words are shown.

use actix_web::{
    HttpRequest, HttpResponse, ResponseError,
    http::{StatusCode, header},
};
use domain::FieldError;
use gateway::Problem;
use maud::html;
use url::form_urlencoded;

use crate::layout;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Nobody is signed in, or not any more; where to go on afterwards.
    #[error("signed out")]
    SignedOut { next: String },
    #[error("{}", .0.detail)]
    Told(Box<Problem>),
}

impl Failure {
    pub fn signed_out(request: &HttpRequest) -> Self {
        let is_page = request.method().is_safe();
        let next = request.uri().path_and_query().filter(|_| is_page);
        Self::SignedOut { next: next.map(ToString::to_string).unwrap_or_default() }
    }

    pub fn of(status: StatusCode, title: &str, detail: impl Into<String>) -> Self {
        Self::Told(Box::new(Problem {
            kind: String::new(),
            title: title.to_owned(),
            status: status.as_u16(),
            code: String::new(),
            detail: detail.into(),
            errors: Vec::new(),
        }))
    }

    pub fn not_found() -> Self {
        let detail = "There is nothing here, or nothing that you may see.";
        Self::of(StatusCode::NOT_FOUND, "Not found", detail)
    }

    /// For what is our fault: logged, and never shown.
    pub fn broken(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error, "the console could not make a page");
        let detail = "The error has been logged; please try again or tell the operator.";
        Self::of(StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong here", detail)
    }

    /// What is wrong with which field, for a form to be shown again; the failure itself where there is no
    /// sense in that.
    pub fn into_errors(self) -> Result<Errors, Self> {
        match self {
            Self::Told(problem)
                if (400..500).contains(&problem.status) && problem.status != 404 =>
            {
                Ok(Errors { detail: problem.detail, fields: problem.errors })
            }
            failure => Err(failure),
        }
    }
}

/// Why a form was not taken.
#[derive(Debug, Default)]
pub(crate) struct Errors {
    pub detail: String,
    pub fields: Vec<FieldError>,
}

impl Errors {
    pub fn is_empty(&self) -> bool {
        self.detail.is_empty() && self.fields.is_empty()
    }

    pub fn of_field(field: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        let detail = format!("{field}: {message}");
        Self { detail, fields: vec![FieldError { field: field.to_owned(), message }] }
    }

    pub fn at(&self, field: &str) -> Option<&str> {
        let found = self.fields.iter().find(|error| error.field == field);
        found.map(|error| error.message.as_str())
    }
}

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::SignedOut { .. } => StatusCode::SEE_OTHER,
            Self::Told(problem) => StatusCode::from_u16(problem.status).unwrap_or_default(),
        }
    }

    fn error_response(&self) -> HttpResponse {
        match self {
            Self::SignedOut { next } => {
                let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
                let to = format!("/console/sign-in?next={next}");
                HttpResponse::SeeOther().insert_header((header::LOCATION, to)).finish()
            }
            Self::Told(problem) => {
                let page = layout::plain(
                    &problem.title,
                    html! {
                        p { (problem.detail) }
                        @if !problem.errors.is_empty() {
                            ul { @for error in &problem.errors { li { code { (error.field) } " " (error.message) } } }
                        }
                        p { a.button href="/console" { "To the overview" } }
                    },
                );
                HttpResponse::build(self.status_code())
                    .content_type(layout::HTML)
                    .body(page.into_string())
            }
        }
    }
}

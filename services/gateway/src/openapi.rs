//! The OpenAPI 3.1 document, made from the routes themselves. What holds for every route is added
//! here, once: how to authenticate, and which [`Problem`]s there may be.

use actix_web::{App as Actix, http::StatusCode};
use utoipa::{
    Modify, OpenApi, ToSchema,
    openapi::{
        Content, Ref, RefOr, Response,
        path::{Operation, Parameter, ParameterIn, PathItem},
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_actix_web::AppExt;

use crate::{
    Code, Problem,
    download::FileBytes,
    inference_v2::{InferenceError, is_below},
    limits::FREE,
    serve,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Cupola",
        description = "Upload data, train models on shared compute, publish them, and call them."
    ),
    components(schemas(Problem, InferenceError)),
    modifiers(&Bearer)
)]
struct Base;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("An API key, or an access token made from one"))
            .build();
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
        let nothing: [&str; 0] = [];
        openapi.security = Some(vec![SecurityRequirement::new("bearer", nothing)]);
    }
}

pub fn openapi() -> utoipa::openapi::OpenApi {
    let app = Actix::new().into_utoipa_app().openapi(Base::openapi()).configure(serve::routes);
    let (_, mut document) = app.split_for_parts();
    for (path, item) in &mut document.paths.paths {
        for (_, operation) in operations(item) {
            add_parts(operation);
            add_problems(operation, FREE.contains(&path.as_str()), is_below(path));
            describe_answers(operation);
        }
    }
    document
}

/// The methods of a path, with their operations.
pub(crate) fn operations(
    path: &mut PathItem,
) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let PathItem { get, post, put, patch, delete, .. } = path;
    [("GET", get), ("POST", post), ("PUT", put), ("PATCH", patch), ("DELETE", delete)]
        .into_iter()
        .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// OpenAPI wants a description of every answer; where a route has no more to say, its status does.
fn describe_answers(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        let reason = status.parse().ok().and_then(|status: StatusCode| status.canonical_reason());
        if let (RefOr::T(response), Some(reason)) = (response, reason)
            && response.description.is_empty()
        {
            response.description = reason.to_owned();
        }
    }
}

/// What sends a file sends a part of it to who asks for one.
fn add_parts(operation: &mut Operation) {
    let responses = &mut operation.responses.responses;
    let Some(RefOr::T(whole)) = responses.get("200") else { return };
    let file = Some(RefOr::Ref(Ref::from_schema_name(FileBytes::name())));
    let is_file = |content: &RefOr<Content>| matches!(content, RefOr::T(it) if it.schema == file);
    if !whole.content.values().any(is_file) {
        return;
    }
    let mut part = whole.clone();
    part.description = "A part of it, as `Range` asks".to_owned();
    responses.insert("206".to_owned(), RefOr::T(part));
    let beyond = Response::new("The file has no such part");
    responses.insert("416".to_owned(), RefOr::T(beyond));
}

/// What every operation of its kind may answer when something is wrong. A route says itself what is its own:
/// a conflict, or a credential in its body that is not accepted.
fn add_problems(operation: &mut Operation, is_free: bool, is_inference: bool) {
    let open = SecurityRequirement::default();
    // where a credential may be shown, it may be a wrong one
    let is_public = operation.security.as_ref().is_some_and(|ways| *ways == [open]);
    let parameters = operation.parameters.as_deref().unwrap_or_default();
    let in_path = parameters.iter().any(is_in_path);
    let has_body = operation.request_body.is_some();
    let takes_something = has_body || !parameters.is_empty();
    let kinds: [(bool, &[Code]); 5] = [
        (!is_public, &[Code::Unauthenticated, Code::Forbidden]),
        (in_path, &[Code::NotFound]),
        (takes_something, &[Code::BadRequest, Code::ValidationFailed]),
        (has_body, &[Code::TooSlow, Code::PayloadTooLarge, Code::UnsupportedMediaType]),
        (!is_free, &[Code::RateLimited, Code::Internal, Code::Unavailable]),
    ];
    let of_kind = kinds.iter().filter(|(applies, _)| *applies).flat_map(|(_, codes)| *codes);
    let responses = &mut operation.responses.responses;
    for code in of_kind {
        let response = RefOr::T(Response::new(code.title()));
        responses.entry(code.status().as_str().to_owned()).or_insert(response);
    }
    for (status, response) in responses {
        if let RefOr::T(response) = response
            && status.parse().is_ok_and(|status: u16| status >= 400)
        {
            let (kind, schema) = match is_inference {
                true => ("application/json", InferenceError::name()),
                false => ("application/problem+json", Problem::name()),
            };
            let content = Content::new(Some(Ref::from_schema_name(schema)));
            response.content.insert(kind.to_owned(), RefOr::T(content));
        }
    }
}

fn is_in_path(parameter: &RefOr<Parameter>) -> bool {
    matches!(parameter, RefOr::T(Parameter { parameter_in: ParameterIn::Path, .. }))
}

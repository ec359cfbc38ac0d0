//! The OpenAPI 3.1 document, made from the routes themselves. What holds for every route is added
//! here, once: how to authenticate, and that errors are [`Problem`]s.

use actix_web::{App as Actix, http::StatusCode};
use utoipa::{
    Modify, OpenApi, ToSchema,
    openapi::{
        Content, Ref, RefOr, ResponseBuilder,
        path::{Operation, PathItem},
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_actix_web::AppExt;

use crate::{Problem, serve};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Cupola",
        description = "Upload data, train models on shared compute, publish them, and call them."
    ),
    components(schemas(Problem)),
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
    for path in document.paths.paths.values_mut() {
        for (_, operation) in operations(path) {
            describe_answers(operation);
            add_problem(operation);
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

fn add_problem(operation: &mut Operation) {
    let problem = Content::new(Some(Ref::from_schema_name(Problem::name())));
    let response = ResponseBuilder::new()
        .description("What is wrong, and the remedy")
        .content("application/problem+json", problem)
        .build();
    operation.responses.responses.insert("default".to_owned(), RefOr::T(response));
}

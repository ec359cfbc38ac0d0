//! Answers what no route takes: 405 with the methods that the path does take, or 404.

use actix_web::{HttpRequest, HttpResponse, ResponseError, dev::ResourceDef, web};
use utoipa::openapi::OpenApi;

use crate::{ApiError, Code, openapi::operations};

/// The documented paths and their methods.
pub(crate) struct Routes(Vec<(ResourceDef, String)>);

impl Routes {
    pub fn of(document: &OpenApi) -> Self {
        let paths = document.paths.paths.clone().into_iter();
        let routes = paths.map(|(path, mut item)| {
            let methods: Vec<_> = operations(&mut item).map(|(method, _)| method).collect();
            (ResourceDef::new(path), methods.join(", "))
        });
        Self(routes.collect())
    }

    fn methods(&self, path: &str) -> Option<&str> {
        let found = self.0.iter().find(|(pattern, _)| pattern.is_match(path));
        found.map(|(_, methods)| methods.as_str())
    }
}

pub(crate) async fn unrouted(req: HttpRequest, routes: web::Data<Routes>) -> HttpResponse {
    explain(&req, &routes).error_response()
}

fn explain(req: &HttpRequest, routes: &Routes) -> ApiError {
    let (method, path) = (req.method(), req.path());
    match routes.methods(path) {
        Some(methods) => {
            let detail = format!("{path} does not take {method}; it takes {methods}");
            let error = ApiError::new(Code::MethodNotAllowed, detail);
            ApiError { allow: Some(methods.to_owned()), ..error }
        }
        None => {
            let path: String = path.chars().take(200).collect();
            let detail = format!("there is no {path}; /openapi.json lists what there is");
            ApiError::new(Code::NotFound, detail)
        }
    }
}

//! The pages, one module for each part of the navigation.

mod account;
mod advice;
mod audit;
mod cause;
mod datasets;
mod endpoints;
mod entry;
mod example;
pub(crate) mod front;
mod handed;
mod jobs;
pub(crate) mod models;
mod operator;
mod overview;
mod sweeps;
mod tenant;

use actix_web::{HttpResponse, http::header, web};

use crate::failure::Failure;

/// Below `/console`.
pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    overview::routes(cfg);
    entry::routes(cfg);
    account::routes(cfg);
    example::routes(cfg);
    jobs::routes(cfg);
    sweeps::routes(cfg);
    datasets::routes(cfg);
    models::routes(cfg);
    endpoints::routes(cfg);
    tenant::routes(cfg);
    operator::routes(cfg);
    audit::routes(cfg);
    handed::routes(cfg);
}

pub(crate) async fn nothing_here() -> Result<HttpResponse, Failure> {
    Err(Failure::not_found())
}

/// After a form: so that going back or loading again sends it no second time.
fn see(place: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, place)).finish()
}

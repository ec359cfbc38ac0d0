//! The console: the platform as pages that the server renders. It is a client of the API and nothing more:
//! a page asks the API's own routes, in process, with its visitor's token ([`api`]), and shows what they
//! answer. So who may see and do what, what is written down and what is counted is the API's business
//! alone, and whatever a page shows can be had by the API as well.
//!
//! ```text
//! browser --cookie--> page --bearer--> /v1/… (the gateway's application, in this thread)
//! ```
//!
//! Every page works without JavaScript; what moves by itself needs a script of ours ([`assets`]). Pages load
//! nothing from elsewhere, and a form is taken only from a page of ours ([`guard`], [`form`]).

mod api;
mod assets;
mod chart;
mod failure;
mod form;
mod guard;
mod layout;
mod pages;
mod session;
mod visitor;
mod words;

use actix_web::{middleware::from_fn, web};

use crate::api::Api;

/// The console's routes, to be mounted beside the API's. Needs `web::Data<gateway::App>`.
pub fn routes(cfg: &mut web::ServiceConfig) {
    cfg.app_data(web::Data::new(Api::default()));
    let front = web::resource("/").route(web::get().to(pages::front::front));
    cfg.service(front.wrap(from_fn(guard::watch)));
    let registry = web::scope("/registry").configure(pages::models::open::routes);
    let registry = registry.default_service(web::to(pages::nothing_here));
    cfg.service(registry.wrap(from_fn(guard::watch)));
    // what never changes under its name needs neither cookie nor guard
    cfg.service(assets::serve);
    let console = web::scope("/console").configure(pages::routes);
    let console = console.default_service(web::to(pages::nothing_here));
    cfg.service(console.wrap(from_fn(guard::watch)));
}

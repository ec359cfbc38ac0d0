//! The HTTP API. One module per resource: its routes, what they take and what they show. A handler
//! extracts, parses, begins a transaction, calls the store, commits, and shows.
//!
//! Every route stands once, in its module's `routes`, and from there reaches both the server and the
//! OpenAPI document (`utoipa_actix_web`):
//!
//! ```text
//! pub(crate) fn routes(cfg: &mut ServiceConfig<'_>) { cfg.service(list).service(get); }
//!
//! #[utoipa::path(tag = "datasets", responses((status = 200, body = Listing<DatasetView>)))]
//! #[get("/v1/datasets")]
//! async fn list(app: web::Data<App>, caller: Caller<ReadDatasets>, page: Params<PageParams>)
//!     -> Result<web::Json<Listing<DatasetView>>, ApiError>
//! ```
//!
//! Paths are written whole. Security, and the errors that all routes of a kind have, are added to the document
//! in [`openapi`], so a route documents its success and the errors that are its own.

mod address;
mod advice;
mod audit;
pub mod auth;
mod body;
mod cause;
mod clearing;
mod counts;
mod datasets;
mod download;
mod egress;
mod endpoints;
mod error;
mod hub;
mod inference_v2;
mod invitations;
mod jobs;
mod keys;
mod limits;
mod measure;
mod metered;
mod models;
mod money;
mod openapi;
mod operators;
mod page;
mod people;
mod platform;
mod pools;
mod queue;
mod quotas;
mod recent;
mod schedules;
mod serve;
mod sharing;
mod state;
mod storage;
mod sweeps;
mod tenants;
mod unrouted;
mod usage;
mod workers;

pub use auth::{ApiSecret, Caller, Passwords, Signer};
pub use body::{Body, Params, in_time};
pub use counts::{Counts, settle_counts, write_counts};
pub use egress::Egress;
pub use endpoints::{Endpoints, warm, write_tallies};
pub use error::{ApiError, Code, Problem};
pub use jobs::{ExplanationView, explain_any};
pub use limits::RequestRates;
pub use measure::install_metrics;
pub use metered::Metered;
pub use openapi::openapi;
pub use page::{Listing, PageParams, after_cursor};
pub use recent::Recent;
pub use schedules::fire_due;
pub use serve::{Further, application, configure, serve};
pub use state::{App, Config};
pub use utoipa_actix_web::service_config::ServiceConfig;

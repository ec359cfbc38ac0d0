//! What those who run the platform look after: pools and workers, tenants, and who they are.

mod featured;
mod health;
mod heat;
mod people;
pub(super) mod pools;
mod queue;
mod shares;
mod tenant;
mod tenants;

use actix_web::web;

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    pools::routes(cfg);
    queue::routes(cfg);
    shares::routes(cfg);
    tenants::routes(cfg);
    tenant::routes(cfg);
    featured::routes(cfg);
    health::routes(cfg);
    people::routes(cfg);
}

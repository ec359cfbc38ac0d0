//! What a tenant looks after: its keys, its people, what it has used.

mod keys;
pub(super) mod people;
pub(super) mod usage;

use actix_web::web;

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    keys::routes(cfg);
    people::routes(cfg);
    usage::routes(cfg);
}

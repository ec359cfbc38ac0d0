//! Models: one's own, what others share, what is public; one of them with its versions; trying it.

mod change;
mod figures;
mod finding;
mod lineage;
pub(crate) mod open;
mod parts;
mod show;
mod snippets;
mod try_image;
mod try_it;

use std::collections::BTreeMap;

use actix_web::web;
use domain::Timestamp;
use serde::Deserialize;

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(finding::list).service(show::show);
    cfg.service(try_it::try_it).service(try_image::try_image);
    change::routes(cfg);
}

/// Where a page of models lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Console,
    /// What is public, for who is not signed in.
    Open,
}

impl Place {
    pub const fn address(self) -> &'static str {
        match self {
            Self::Console => "/console/models",
            Self::Open => "/registry",
        }
    }
}

/// What lists and pages show of a model.
#[derive(Deserialize)]
pub(super) struct Model {
    pub tenant: String,
    pub name: String,
    pub visibility: String,
    pub description: String,
    pub licence: Option<String>,
    pub tags: Vec<String>,
    pub latest_version: Option<u32>,
    pub metrics: BTreeMap<String, f64>,
    pub downloads: u64,
    pub likes: u64,
    pub predictions: u64,
    pub created_at: Timestamp,
}

/// What the platform's operators put forward.
#[derive(Deserialize)]
pub(super) struct Featured {
    pub name: String,
    pub title: String,
    /// `tenant/model`, those that are public still.
    pub models: Vec<String>,
}

impl Model {
    pub fn url(&self) -> String {
        self.at(Place::Console)
    }

    pub fn at(&self, place: Place) -> String {
        format!("{}/{}/{}", place.address(), self.tenant, self.name)
    }

    /// What people ask first, of figures on rows that were held back.
    fn figure(&self) -> Option<(&'static str, f64)> {
        let names = [
            "val_accuracy",
            "val_r2",
            "val_mean_absolute_error",
            "val_root_mean_squared_error",
            "val_perplexity",
            "val_loss",
        ];
        names.into_iter().find_map(|name| Some((name, *self.metrics.get(name)?)))
    }
}

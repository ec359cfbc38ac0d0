//! A page for each tenant that shows something to others.

use actix_web::{get, web};
use domain::name::Name;
use serde::Serialize;
use store::models::{self, Among, Kind, Search};
use utoipa::ToSchema;

use super::{
    ModelView,
    collections::{CollectionView, shown},
};
use crate::{ApiError, App, Caller, auth::ReadModels};

const MODELS: u32 = 50;

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OrganizationView {
    tenant: String,
    name: String,
    /// Of its public models, together.
    models: u64,
    downloads: u64,
    likes: u64,
    /// The public ones that most people take to now; `GET /v1/models` with `tenant` lists all.
    trending: Vec<ModelView>,
    /// Public ones.
    collections: Vec<CollectionView>,
}

/// Read what a tenant shows to everybody.
#[utoipa::path(
    operation_id = "get_organization", tag = "collections",
    params(("tenant" = String, Path)),
    responses((status = 200, body = OrganizationView)),
)]
#[get("/v1/organizations/{tenant}")]
pub(super) async fn get(
    app: web::Data<App>,
    caller: Caller<ReadModels>,
    tenant: web::Path<String>,
) -> Result<web::Json<OrganizationView>, ApiError> {
    let unknown = || ApiError::not_found("organization", tenant.as_str());
    let slug: Name = tenant.parse().map_err(|_| unknown())?;
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    let about = models::organization(&mut tx, slug.as_str()).await?.ok_or_else(unknown)?;
    let search = Search {
        kinds: vec![(Kind::Tenant, slug.to_string())],
        limit: Some(MODELS),
        ..Search::of(Among::Public)
    };
    let trending = models::search(&mut tx, &search).await?.items;
    let mut collections = shown(&mut tx, &slug).await?;
    tx.commit().await?;
    collections.retain(CollectionView::is_public);
    Ok(web::Json(OrganizationView {
        tenant: slug.into(),
        name: about.name,
        models: about.models,
        downloads: about.downloads,
        likes: about.likes,
        trending: trending.into_iter().map(ModelView::found).collect(),
        collections,
    }))
}

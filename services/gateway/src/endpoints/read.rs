//! Looking at endpoints.

use actix_web::{HttpResponse, get, http::header, web};
use domain::Timestamp;
use serde::Serialize;
use store::endpoints;
use utoipa::ToSchema;

use super::{EndpointView, ShadowView, TargetView, known, views};
use crate::{ApiError, App, Caller, Listing, auth::ReadModels};

/// List endpoints.
#[utoipa::path(
    operation_id = "list_endpoints", tag = "endpoints",
    responses((status = 200, body = Listing<EndpointView>)),
)]
#[get("/v1/endpoints")]
pub(super) async fn list(
    app: web::Data<App>,
    caller: Caller<ReadModels>,
) -> Result<web::Json<Listing<EndpointView>>, ApiError> {
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    let found = endpoints::list(&mut tx).await?;
    tx.commit().await?;
    let views: Result<_, _> = found.into_iter().map(EndpointView::of).collect();
    Ok(web::Json(Listing::whole(views?)))
}

/// Read an endpoint, and what came of its split.
#[utoipa::path(
    operation_id = "get_endpoint", tag = "endpoints",
    params(("endpoint" = String, Path)),
    responses((status = 200, body = EndpointView)),
)]
#[get("/v1/endpoints/{endpoint}")]
pub(super) async fn get(
    app: web::Data<App>,
    caller: Caller<ReadModels>,
    name: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    let found = known(&mut tx, &name).await?;
    tx.commit().await?;
    tagged(EndpointView::of(found)?)
}

/// With the tag that a change may be made upon.
pub(super) fn tagged(view: EndpointView) -> Result<HttpResponse, ApiError> {
    let tag = header::EntityTag::new_strong(view.revision.to_string());
    Ok(HttpResponse::Ok().insert_header(header::ETag(tag)).json(view))
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EndpointRevisionView {
    revision: u32,
    /// By e-mail address.
    changed_by: String,
    traffic: Vec<TargetView>,
    shadow: Option<ShadowView>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// List an endpoint's splits: the newest hundred, newest first.
#[utoipa::path(
    operation_id = "list_endpoint_revisions", tag = "endpoints",
    params(("endpoint" = String, Path)),
    responses((status = 200, body = Listing<EndpointRevisionView>)),
)]
#[get("/v1/endpoints/{endpoint}/revisions")]
pub(super) async fn revisions(
    app: web::Data<App>,
    caller: Caller<ReadModels>,
    name: web::Path<String>,
) -> Result<web::Json<Listing<EndpointRevisionView>>, ApiError> {
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    let endpoint = known(&mut tx, &name).await?;
    let found = endpoints::revisions(&mut tx, endpoint.id).await?;
    tx.commit().await?;
    let views: Result<Vec<_>, ApiError> = found
        .into_iter()
        .map(|revision| {
            let (traffic, shadow) = views(&revision.targets)?;
            Ok(EndpointRevisionView {
                revision: revision.number,
                changed_by: revision.changed_by,
                traffic,
                shadow,
                created_at: revision.created_at,
            })
        })
        .collect();
    Ok(web::Json(Listing::whole(views?)))
}

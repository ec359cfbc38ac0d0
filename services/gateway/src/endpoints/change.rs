//! Making endpoints, shifting their traffic and taking that back. A version is loaded before anything is sent
//! to it, so that a split with one that cannot answer never comes into force.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, delete, http::header, post, put, web};
use domain::name::Name;
use serde::Deserialize;
use store::{
    TenantTx,
    endpoints::{self, Endpoint, NewTarget},
    models::{self, ModelVersion},
};
use utoipa::ToSchema;

use super::{EndpointView, called, draft::NewEndpoint, known, read::tagged};
use crate::{ApiError, App, Body, Caller, Code, audit::Object, auth::WriteModels, models::told};

/// Make an endpoint, or change it to this. Callers that are being answered are not disturbed.
#[utoipa::path(
    operation_id = "put_endpoint", tag = "endpoints",
    params(
        ("endpoint" = String, Path),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of what is changed: refused if another has changed it since"),
    ),
    request_body = NewEndpoint,
    responses(
        (status = 200, body = EndpointView),
        (status = 409, description = "The tenant has as many as it may"),
        (status = 412, description = "It was changed since, or is not there"),
    ),
)]
#[put("/v1/endpoints/{endpoint}")]
pub(super) async fn put(
    app: web::Data<App>,
    caller: Caller<WriteModels>,
    path: web::Path<String>,
    new: Body<NewEndpoint>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let name: Name = path
        .parse()
        .map_err(|why: domain::name::NameError| ApiError::field("endpoint", why.to_string()))?;
    let settings = new.0.settings()?;
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    let named = new.0.targets(&mut tx).await?;
    tx.commit().await?;
    for one in &named {
        load(&app, &one.version, &one.field).await?;
    }
    let mut tx = caller.begin(&app).await?;
    let before = endpoints::lock(&mut tx, &name).await?;
    expect(&request, before.as_ref())?;
    let id = match &before {
        Some(before) => {
            endpoints::change(&mut tx, before.id, &settings).await?;
            before.id
        }
        None => endpoints::create(&mut tx, &name, &settings).await?.ok_or_else(|| {
            let why = format!("there are {} endpoints, which is the most", endpoints::MOST);
            ApiError::new(Code::Conflict, format!("{why}; remove one first"))
        })?,
    };
    let targets: Vec<_> = named.iter().map(|one| one.target).collect();
    if before.is_none_or(|before| split_of(&before) != targets) {
        endpoints::split(&mut tx, id, caller.user(), &targets).await?;
    }
    let put = known(&mut tx, name.as_str()).await?;
    tx.done(Object::new("endpoint", &name)).await?;
    tagged(EndpointView::of(put)?)
}

fn split_of(endpoint: &Endpoint) -> Vec<NewTarget> {
    let target = |target: &endpoints::Target| NewTarget {
        model: target.model,
        version: target.version,
        weight: target.weight,
        is_shadow: target.is_shadow,
    };
    endpoint.targets.iter().map(target).collect()
}

/// Whether it is still what the caller has seen.
fn expect(request: &HttpRequest, before: Option<&Endpoint>) -> Result<(), ApiError> {
    let Some(wanted) = request.headers().get(header::IF_MATCH) else { return Ok(()) };
    let refused = |why: String| Err(ApiError::new(Code::PreconditionFailed, why));
    let Some(before) = before else {
        return refused(
            "there is no such endpoint yet; leave `If-Match` out to make it".to_owned(),
        );
    };
    let tag = format!("\"{}\"", before.revision);
    let wanted = wanted.to_str().unwrap_or_default();
    if wanted.trim() == "*" || wanted.split(',').any(|one| one.trim() == tag) {
        return Ok(());
    }
    let shown: String = wanted.chars().take(60).collect();
    refused(format!("`If-Match` is {shown} and the endpoint is at {tag}; read it and try again"))
}

async fn load(app: &App, version: &Arc<ModelVersion>, field: &str) -> Result<(), ApiError> {
    let loaded = app.predictor.warm(version).await;
    loaded.map_err(|error| {
        let told = told(error);
        match told.code {
            Code::Conflict => ApiError::field(format!("{field}.version"), told.detail),
            _ => told,
        }
    })
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rollback {
    /// The split to go back to; the one before the one in force if absent.
    revision: Option<u32>,
}

/// Go back to an earlier split: it comes into force again as the newest revision.
#[utoipa::path(
    operation_id = "roll_back_endpoint", tag = "endpoints",
    params(("endpoint" = String, Path)),
    request_body = Rollback,
    responses(
        (status = 200, body = EndpointView),
        (status = 409, description = "There is no earlier split, or it has a version that is gone"),
    ),
)]
#[post("/v1/endpoints/{endpoint}/rollback")]
pub(super) async fn rollback(
    app: web::Data<App>,
    caller: Caller<WriteModels>,
    path: web::Path<String>,
    to: Body<Rollback>,
) -> Result<HttpResponse, ApiError> {
    let unknown = || ApiError::not_found("endpoint", &path);
    let name: Name = path.parse().map_err(|_| unknown())?;
    let mut tx = caller.begin(&app).await?;
    let endpoint = endpoints::lock(&mut tx, &name).await?.ok_or_else(unknown)?;
    let number = to.0.revision.unwrap_or(endpoint.revision - 1);
    let found = endpoints::revision(&mut tx, endpoint.id, number).await?;
    if found.is_empty() || number == endpoint.revision {
        let why = match to.0.revision {
            Some(_) if number == endpoint.revision => format!("{number} is in force already"),
            Some(_) => format!("there is no split {number} of `{name}`"),
            None => format!("`{name}` has had one split only; there is none to go back to"),
        };
        return Err(ApiError::new(Code::Conflict, why));
    }
    still_there(&mut tx, &found).await?;
    let earlier = Endpoint { targets: found, ..endpoint };
    endpoints::split(&mut tx, earlier.id, caller.user(), &split_of(&earlier)).await?;
    let back = known(&mut tx, name.as_str()).await?;
    tx.done(Object::new("endpoint", &name)).await?;
    tagged(EndpointView::of(back)?)
}

/// Nothing is loaded here: going back must not wait for anything.
async fn still_there(tx: &mut TenantTx<'_>, targets: &[endpoints::Target]) -> Result<(), ApiError> {
    for target in targets {
        let reference = domain::registry::Reference::Number(target.version);
        let found = models::version(tx, target.model, &reference).await?;
        if found.is_none_or(|found| found.state == domain::registry::VersionState::Deleted) {
            let why = format!("{} is gone, to which that split sends", called(target));
            return Err(ApiError::new(Code::Conflict, why));
        }
    }
    Ok(())
}

/// Remove an endpoint and its splits; the models stay.
#[utoipa::path(
    operation_id = "remove_endpoint", tag = "endpoints",
    params(("endpoint" = String, Path)),
    responses((status = 204, description = "It is gone")),
)]
#[delete("/v1/endpoints/{endpoint}")]
pub(super) async fn remove(
    app: web::Data<App>,
    caller: Caller<WriteModels>,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let mut tx = caller.begin(&app).await?;
    let found = known(&mut tx, &path).await?;
    endpoints::remove(&mut tx, &found.name).await?;
    tx.done(Object::new("endpoint", &found.name)).await?;
    Ok(HttpResponse::NoContent().finish())
}

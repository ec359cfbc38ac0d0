//! Lists of public models that the platform's operators put forward.

use actix_web::{HttpResponse, delete, get, put, web};
use domain::name::Name;
use serde::{Deserialize, Serialize};
use store::models::{self, FeaturedList};
use utoipa::ToSchema;

use crate::{
    ApiError, App, Body, Caller, Listing,
    audit::Object,
    auth::{ManageTenants, ReadSelf},
};

const MAX_MODELS: usize = 200;
const MAX_TITLE_CHARS: usize = 100;

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FeaturedView {
    name: String,
    title: String,
    /// `tenant/name`, in their order: those that are public still.
    models: Vec<String>,
}

/// List what is featured.
#[utoipa::path(
    operation_id = "list_featured", tag = "collections",
    responses((status = 200, body = Listing<FeaturedView>)),
)]
#[get("/v1/featured")]
pub(super) async fn list(
    app: web::Data<App>,
    _caller: Caller<ReadSelf>,
) -> Result<web::Json<Listing<FeaturedView>>, ApiError> {
    let mut tx = app.store.begin().await?;
    let found = models::featured(&mut tx).await?;
    tx.commit().await?;
    let view = |FeaturedList { name, title, models }| FeaturedView { name, title, models };
    Ok(web::Json(Listing::whole(found.into_iter().map(view).collect())))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewFeatured {
    title: String,
    /// `tenant/name` of public models, in their order.
    models: Vec<String>,
}

/// Make a list, or put this one in its place.
#[utoipa::path(
    operation_id = "put_featured", tag = "collections",
    params(("list" = Name, Path)),
    request_body = NewFeatured,
    responses((status = 204, description = "It is so")),
)]
#[put("/v1/featured/{list}")]
pub(super) async fn put(
    app: web::Data<App>,
    caller: Caller<ManageTenants>,
    path: web::Path<String>,
    new: Body<NewFeatured>,
) -> Result<HttpResponse, ApiError> {
    let name: Name = path
        .parse()
        .map_err(|why: domain::name::NameError| ApiError::field("list", why.to_string()))?;
    let NewFeatured { title, models: names } = new.0;
    if !(1..=MAX_TITLE_CHARS).contains(&title.chars().count()) {
        let why = format!("is to have 1 to {MAX_TITLE_CHARS} characters");
        return Err(ApiError::field("title", why));
    }
    if names.len() > MAX_MODELS {
        let why = format!("are {}; a list has at most {MAX_MODELS}", names.len());
        return Err(ApiError::field("models", why));
    }
    let mut tx = caller.begin_system(&app).await?;
    let mut ids = Vec::new();
    for (n, id) in models::public_ones(&mut tx, &names).await?.into_iter().enumerate() {
        let shown: String = names[n].chars().take(130).collect();
        let why = || ApiError::field(format!("models[{n}]"), format!("no public model `{shown}`"));
        ids.push(id.ok_or_else(why)?);
    }
    models::feature(&mut tx, &name, &title, &ids).await?;
    tx.done(Object::new("featured list", &name)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Remove a list; its models stay.
#[utoipa::path(
    operation_id = "remove_featured", tag = "collections",
    params(("list" = String, Path)),
    responses((status = 204, description = "It is gone")),
)]
#[delete("/v1/featured/{list}")]
pub(super) async fn remove(
    app: web::Data<App>,
    caller: Caller<ManageTenants>,
    path: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let unknown = || ApiError::not_found("featured list", path.as_str());
    let name: Name = path.parse().map_err(|_| unknown())?;
    let mut tx = caller.begin_system(&app).await?;
    if !models::unfeature(&mut tx, name.as_str()).await? {
        return Err(unknown());
    }
    tx.done(Object::new("featured list", &name)).await?;
    Ok(HttpResponse::NoContent().finish())
}

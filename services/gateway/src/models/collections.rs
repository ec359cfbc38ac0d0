//! Collections: models, one's own and others', that a tenant puts together under a title.

use actix_web::{HttpResponse, delete, get, put, web};
use domain::{FieldErrors, Timestamp, access::Permission, name::Name, registry::Visibility};
use serde::{Deserialize, Serialize};
use store::{
    TenantTx,
    models::{self, Collection, CollectionDraft},
};
use utoipa::ToSchema;

use super::known_model;
use crate::{
    ApiError, App, Body, Caller, Code, Listing,
    audit::Object,
    auth::{ReadModels, WriteModels},
};

const MAX_MODELS: usize = 200;
const MAX_TITLE_CHARS: usize = 100;
const MAX_DESCRIPTION_CHARS: usize = 2_000;

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CollectionView {
    tenant: String,
    name: String,
    title: String,
    description: String,
    visibility: Visibility,
    /// `tenant/name`, in their order: those that the caller sees.
    models: Vec<String>,
    url: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl CollectionView {
    pub fn is_public(&self) -> bool {
        self.visibility == Visibility::Public
    }
}

impl From<Collection> for CollectionView {
    fn from(collection: Collection) -> Self {
        Self {
            url: format!("/v1/collections/{}/{}", collection.tenant_slug, collection.name),
            tenant: collection.tenant_slug,
            name: collection.name,
            title: collection.title,
            description: collection.description,
            visibility: collection.visibility,
            models: collection.models,
            created_at: collection.created_at,
        }
    }
}

/// List a tenant's collections: another's public ones.
#[utoipa::path(
    operation_id = "list_collections", tag = "collections",
    params(("tenant" = String, Path)),
    responses((status = 200, body = Listing<CollectionView>)),
)]
#[get("/v1/collections/{tenant}")]
pub(super) async fn list(
    app: web::Data<App>,
    caller: Caller<ReadModels>,
    tenant: web::Path<String>,
) -> Result<web::Json<Listing<CollectionView>>, ApiError> {
    let tenant: Name = ApiError::known_id("tenant", &tenant)?;
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    let found = shown(&mut tx, &tenant).await?;
    tx.commit().await?;
    Ok(web::Json(Listing::whole(found)))
}

pub(super) async fn shown(
    tx: &mut TenantTx<'_>,
    tenant: &Name,
) -> Result<Vec<CollectionView>, ApiError> {
    let found = models::collections(tx, tenant.as_str()).await?;
    Ok(found.into_iter().map(CollectionView::from).collect())
}

/// Read a collection.
#[utoipa::path(
    operation_id = "get_collection", tag = "collections",
    params(("tenant" = String, Path), ("collection" = String, Path)),
    responses((status = 200, body = CollectionView)),
)]
#[get("/v1/collections/{tenant}/{collection}")]
pub(super) async fn get(
    app: web::Data<App>,
    caller: Caller<ReadModels>,
    path: web::Path<(String, String)>,
) -> Result<web::Json<CollectionView>, ApiError> {
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    let found = known(&mut tx, &path).await?;
    tx.commit().await?;
    Ok(web::Json(found.into()))
}

async fn known(
    tx: &mut TenantTx<'_>,
    (tenant, name): &(String, String),
) -> Result<Collection, ApiError> {
    let unknown = || ApiError::not_found("collection", format!("{tenant}/{name}"));
    let publisher: Name = tenant.parse().map_err(|_| unknown())?;
    let known: Name = name.parse().map_err(|_| unknown())?;
    models::collection(tx, publisher.as_str(), known.as_str()).await?.ok_or_else(unknown)
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewCollection {
    title: String,
    #[serde(default)]
    description: String,
    /// `private` if absent, or `public`.
    visibility: Option<Visibility>,
    /// `tenant/name`, in their order.
    #[serde(default)]
    models: Vec<String>,
}

impl NewCollection {
    fn check(&self) -> Result<(), FieldErrors> {
        let title = self.title.chars().count();
        if !(1..=MAX_TITLE_CHARS).contains(&title) {
            let why = format!("has {title} characters; use 1 to {MAX_TITLE_CHARS}");
            return Err(FieldErrors::one("title", why));
        }
        if self.description.chars().count() > MAX_DESCRIPTION_CHARS {
            let why = format!("has more than {MAX_DESCRIPTION_CHARS} characters");
            return Err(FieldErrors::one("description", why));
        }
        if self.visibility == Some(Visibility::Shared) {
            return Err(FieldErrors::one("visibility", "of a collection is `private` or `public`"));
        }
        if self.models.len() > MAX_MODELS {
            let why = format!("are {}; a collection has at most {MAX_MODELS}", self.models.len());
            return Err(FieldErrors::one("models", why));
        }
        Ok(())
    }
}

/// Make a collection, or put this one in its place.
#[utoipa::path(
    operation_id = "put_collection", tag = "collections",
    params(("tenant" = String, Path), ("collection" = String, Path)),
    request_body = NewCollection,
    responses((status = 200, body = CollectionView)),
)]
#[put("/v1/collections/{tenant}/{collection}")]
pub(super) async fn put(
    app: web::Data<App>,
    caller: Caller<WriteModels>,
    path: web::Path<(String, String)>,
    new: Body<NewCollection>,
) -> Result<web::Json<CollectionView>, ApiError> {
    let new = new.0;
    new.check()?;
    own(&caller, &path.0)?;
    let name: Name = path
        .1
        .parse()
        .map_err(|why: domain::name::NameError| ApiError::field("collection", why.to_string()))?;
    let mut tx = caller.begin(&app).await?;
    let before = models::collection(&mut tx, caller.tenant_slug(), name.as_str()).await?;
    let visibility = new.visibility.unwrap_or(Visibility::Private);
    let was_public = before.is_some_and(|before| before.visibility == Visibility::Public);
    if (visibility == Visibility::Public || was_public) && !caller.may(Permission::PublishModels) {
        let why = "public collections are for those who may publish models; ask an owner or admin";
        return Err(ApiError::new(Code::Forbidden, why));
    }
    let models = members(&mut tx, &new.models).await?;
    let draft =
        CollectionDraft { title: new.title, description: new.description, visibility, models };
    if !models::put_collection(&mut tx, &name, &draft).await? {
        let why = "there are 1,000 collections, which is the most; remove one first";
        return Err(ApiError::new(Code::Conflict, why));
    }
    let put = known(&mut tx, &path).await?;
    tx.done(Object::new("collection", format!("{}/{name}", path.0))).await?;
    Ok(web::Json(put.into()))
}

async fn members(
    tx: &mut TenantTx<'_>,
    names: &[String],
) -> Result<Vec<domain::ModelId>, ApiError> {
    let mut members = Vec::new();
    for (n, text) in names.iter().enumerate() {
        let shown: String = text.chars().take(130).collect();
        let why = || ApiError::field(format!("models[{n}]"), format!("there is no `{shown}`"));
        let (tenant, name) = text.split_once('/').ok_or_else(why)?;
        let member = known_model(tx, tenant, name).await.map_err(|_| why())?.id;
        if members.contains(&member) {
            let why = format!("`{shown}` stands here already");
            return Err(ApiError::field(format!("models[{n}]"), why));
        }
        members.push(member);
    }
    Ok(members)
}

fn own<P: crate::auth::InTenant>(caller: &Caller<P>, tenant: &str) -> Result<(), ApiError> {
    if caller.tenant_slug() == tenant {
        return Ok(());
    }
    let why = format!("collections of `{tenant}` are for its own people to change");
    Err(ApiError::new(Code::Forbidden, why))
}

/// Remove a collection; its models stay.
#[utoipa::path(
    operation_id = "remove_collection", tag = "collections",
    params(("tenant" = String, Path), ("collection" = String, Path)),
    responses((status = 204, description = "It is gone")),
)]
#[delete("/v1/collections/{tenant}/{collection}")]
pub(super) async fn remove(
    app: web::Data<App>,
    caller: Caller<WriteModels>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    own(&caller, &path.0)?;
    let mut tx = caller.begin(&app).await?;
    let found = known(&mut tx, &path).await?;
    if found.visibility == Visibility::Public && !caller.may(Permission::PublishModels) {
        let why = "public collections are for those who may publish models; ask an owner or admin";
        return Err(ApiError::new(Code::Forbidden, why));
    }
    models::remove_collection(&mut tx, &found.name).await?;
    tx.done(Object::new("collection", format!("{}/{}", path.0, path.1))).await?;
    Ok(HttpResponse::NoContent().finish())
}

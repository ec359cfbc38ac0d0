//! API keys: members handle their own, owners those of the whole tenant.

use actix_web::{HttpResponse, delete, get, post, web};
use domain::{ApiKeyId, FieldErrors, TenantId, Timestamp, UserId, access::Permission};
use serde::{Deserialize, Serialize};
use store::{
    SystemTx,
    keys::{self, ApiKey, NewKey},
};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::{
    ApiError, ApiSecret, App, Body, Caller, Listing, auth::ManageKeys, people::check_label,
};

pub(crate) fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list).service(create).service(revoke);
}

#[derive(Serialize, ToSchema)]
struct KeyView {
    id: ApiKeyId,
    user: UserId,
    name: String,
    /// The key's first characters, by which to recognise it.
    prefix: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
}

impl From<ApiKey> for KeyView {
    fn from(key: ApiKey) -> Self {
        let ApiKey { id, user, name, prefix, created_at, expires_at, revoked_at, last_used_at } =
            key;
        Self { id, user, name, prefix, created_at, expires_at, revoked_at, last_used_at }
    }
}

/// A key that has just been made.
#[derive(Serialize, ToSchema)]
pub(crate) struct IssuedKey {
    id: ApiKeyId,
    /// The key itself. It is shown this once and not kept.
    #[schema(examples("cup_…"))]
    secret: String,
    prefix: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct KeyDraft {
    /// What it is for, 1 to 100 characters.
    #[schema(examples("laptop"))]
    name: String,
    /// Never, if absent.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

/// A key for `user`, in `tenant` or as operator.
pub(crate) async fn issue(
    tx: &mut SystemTx<'_>,
    tenant: TenantId,
    user: UserId,
    name: &str,
    expires_at: Option<Timestamp>,
) -> Result<IssuedKey, ApiError> {
    let secret = ApiSecret::generate().map_err(|error| ApiError::internal(&error))?;
    let id = ApiKeyId::generate();
    let prefix = secret.prefix();
    let tenant = Some(tenant);
    let key = NewKey { id, tenant, user, name, prefix, sha256: secret.sha256(), expires_at };
    keys::create(tx, &key).await?;
    Ok(IssuedKey { id, secret: secret.reveal().to_owned(), prefix: prefix.to_owned() })
}

/// Whose keys the caller handles: everybody's, or their own.
fn scope(caller: &Caller<ManageKeys>) -> Option<UserId> {
    let everybody = caller.role().allows(Permission::ManagePeople);
    (!everybody).then(|| caller.user())
}

/// API keys: your own; an owner sees the tenant's.
#[utoipa::path(
    operation_id = "list_keys", tag = "keys",
    responses((status = 200, body = Listing<KeyView>)),
)]
#[get("/v1/keys")]
async fn list(
    app: web::Data<App>,
    caller: Caller<ManageKeys>,
) -> Result<web::Json<Listing<KeyView>>, ApiError> {
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    let found = keys::list(&mut tx, scope(&caller)).await?;
    tx.commit().await?;
    Ok(web::Json(Listing::whole(found.into_iter().map(KeyView::from).collect())))
}

/// Make an API key for yourself.
#[utoipa::path(
    operation_id = "create_key", tag = "keys",
    request_body = KeyDraft,
    responses((status = 201, body = IssuedKey)),
)]
#[post("/v1/keys")]
async fn create(
    app: web::Data<App>,
    caller: Caller<ManageKeys>,
    Body(draft): Body<KeyDraft>,
) -> Result<HttpResponse, ApiError> {
    let mut errors = FieldErrors::default();
    check_label(&mut errors, "name", &draft.name);
    if draft.expires_at.is_some_and(|at| at <= app.clock.now()) {
        errors.add("expires_at", "is in the past; name a later moment, or leave it out");
    }
    errors.into_result(())?;
    let mut tx = app.store.begin().await?;
    let (tenant, user) = (caller.tenant(), caller.user());
    let issued = issue(&mut tx, tenant, user, &draft.name, draft.expires_at).await?;
    tx.commit().await?;
    Ok(HttpResponse::Created().json(issued))
}

/// Revoke an API key: it and its access tokens end at once.
#[utoipa::path(
    operation_id = "revoke_key", tag = "keys",
    params(("id" = ApiKeyId, Path)),
    responses((status = 204)),
)]
#[delete("/v1/keys/{id}")]
async fn revoke(
    app: web::Data<App>,
    caller: Caller<ManageKeys>,
    id: web::Path<ApiKeyId>,
) -> Result<HttpResponse, ApiError> {
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    if !keys::revoke(&mut tx, *id, scope(&caller)).await? {
        return Err(ApiError::not_found("API key", id));
    }
    tx.commit().await?;
    Ok(HttpResponse::NoContent().finish())
}

//! API keys: people handle their own, those who run the tenant everybody's.

use std::{collections::BTreeSet, net::IpAddr};

use actix_web::{HttpResponse, delete, get, post, web};
use chrono::TimeDelta;
use domain::{
    ApiKeyId, FieldErrors, TenantId, Timestamp, UserId,
    access::{Credential, Permission, Scopes},
};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use store::{
    SystemTx,
    keys::{self, ApiKey, KeyDraft, NewKey},
    people,
};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::{
    ApiError, ApiSecret, App, Body, Caller, Code, Listing,
    audit::Object,
    auth::{ManageKeys, new_secret, scope_names},
    people::{check_grant, check_label},
};

const MAX_ADDRESSES: usize = 100;
/// For how long a key that was rotated goes on, if nothing is said.
const OVERLAP_SECS: u32 = 24 * 3_600;
const MAX_OVERLAP_SECS: u32 = 30 * 24 * 3_600;

pub(crate) fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(list).service(create).service(rotate).service(revoke);
}

#[derive(Serialize, ToSchema)]
struct KeyView {
    id: ApiKeyId,
    user: UserId,
    name: String,
    /// The key's first characters, by which to recognise it.
    prefix: String,
    /// What it may be used for, of what its owner's role grants; null: all of it.
    scopes: Option<Vec<&'static str>>,
    /// Networks that it may be used from; empty: all.
    allowed_addresses: Vec<String>,
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
        let ApiKey { id, user, prefix, draft, created_at, revoked_at, last_used_at } = key;
        let KeyDraft { name, expires_at, scopes, addresses: allowed_addresses } = draft;
        Self {
            id,
            user,
            name,
            prefix,
            scopes: scope_names(&scopes),
            allowed_addresses,
            created_at,
            expires_at,
            revoked_at,
            last_used_at,
        }
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

fn scopes(errors: &mut FieldErrors, names: Option<Vec<String>>) -> Scopes {
    let Some(names) = names else { return Scopes::All };
    let mut some = BTreeSet::new();
    for (at, name) in names.iter().enumerate() {
        match name.parse::<Permission>() {
            Ok(permission) => {
                some.insert(permission);
            }
            Err(message) => errors.add(format!("scopes[{at}]"), message),
        }
    }
    Scopes::Only(some)
}

/// As they are kept: every one a network, a single address with its length too.
fn networks(errors: &mut FieldErrors, given: &[String]) -> Vec<String> {
    if given.len() > MAX_ADDRESSES {
        let message = format!("use at most {MAX_ADDRESSES}; there are {}", given.len());
        errors.add("allowed_addresses", message);
        return Vec::new();
    }
    let mut kept = Vec::new();
    for (at, text) in given.iter().enumerate() {
        let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        match network {
            Ok(network) => kept.push(network.trunc().to_string()),
            Err(_) => {
                let shown: String = text.chars().take(60).collect();
                let message =
                    format!("`{shown}` is not a network; as in 203.0.113.0/24 or 2001:db8::1");
                errors.add(format!("allowed_addresses[{at}]"), message);
            }
        }
    }
    kept
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct KeyRequest {
    /// What it is for, 1 to 100 characters.
    #[schema(examples("laptop"))]
    name: String,
    /// For a service account of the tenant, by those who run it; for yourself, if absent.
    user: Option<UserId>,
    /// Never, if absent.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// Some of what its owner's role grants, as in `jobs:submit`; all of it, if absent.
    scopes: Option<Vec<String>>,
    /// Networks (`203.0.113.0/24`, `2001:db8::/32`) or single addresses; everywhere, if absent.
    #[serde(default)]
    allowed_addresses: Vec<String>,
}

impl KeyRequest {
    fn check(self, app: &App) -> Result<(Option<UserId>, KeyDraft), FieldErrors> {
        let Self { name, user, expires_at, scopes: names, allowed_addresses } = self;
        let mut errors = FieldErrors::default();
        check_label(&mut errors, "name", &name);
        if expires_at.is_some_and(|at| at <= app.clock.now()) {
            errors.add("expires_at", "is in the past; name a later moment, or leave it out");
        }
        let scopes = scopes(&mut errors, names);
        let addresses = networks(&mut errors, &allowed_addresses);
        errors.into_result((user, KeyDraft { name, expires_at, scopes, addresses }))
    }
}

/// A key for `user` in `tenant`.
pub(crate) async fn issue(
    tx: &mut SystemTx<'_>,
    tenant: TenantId,
    user: UserId,
    draft: KeyDraft,
) -> Result<IssuedKey, ApiError> {
    let secret: ApiSecret = new_secret()?;
    let id = ApiKeyId::generate();
    let prefix = secret.prefix();
    let key = NewKey { id, tenant: Some(tenant), user, prefix, sha256: secret.sha256(), draft };
    keys::create(tx, &key).await?;
    Ok(IssuedKey { id, secret: secret.reveal().to_owned(), prefix: prefix.to_owned() })
}

/// Whose keys the caller handles: everybody's, or their own.
fn whose(caller: &Caller<ManageKeys>) -> Option<UserId> {
    (!caller.may(Permission::ManagePeople)).then(|| caller.user())
}

/// API keys: your own; those who run the tenant see everybody's.
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
    let found = keys::list(&mut tx, whose(&caller)).await?;
    tx.commit().await?;
    Ok(web::Json(Listing::whole(found.into_iter().map(KeyView::from).collect())))
}

/// Make an API key for yourself, or for a service account.
///
/// It may be held to some scopes, some networks and a time. One that is makes no other key.
#[utoipa::path(
    operation_id = "create_key", tag = "keys",
    request_body = KeyRequest,
    responses(
        (status = 201, body = IssuedKey),
        (status = 404, description = "There is no such service account"),
    ),
)]
#[post("/v1/keys")]
async fn create(
    app: web::Data<App>,
    caller: Caller<ManageKeys>,
    Body(request): Body<KeyRequest>,
) -> Result<HttpResponse, ApiError> {
    let (user, draft) = request.check(&app)?;
    check_free(&caller)?;
    let mut tx = caller.begin_system(&app).await?;
    let user = user.unwrap_or(caller.user());
    check_whose(&mut tx, &caller, user).await?;
    let issued = issue(&mut tx, caller.tenant(), user, draft).await?;
    tx.done(Object::new("API key", issued.id)).await?;
    Ok(HttpResponse::Created().json(issued))
}

/// What is held to less than its owner's role would shake that off by making another one.
fn check_free(caller: &Caller<ManageKeys>) -> Result<(), ApiError> {
    if !caller.is_restricted() {
        return Ok(());
    }
    let detail = "this API key is held to some scopes, networks or a time, and makes no other key; sign in, or \
                  use one that is not";
    Err(ApiError::new(Code::Forbidden, detail))
}

/// One's own, or a service account's. Nobody makes a key for another person: it would speak in their name.
async fn check_whose(
    tx: &mut SystemTx<'_>,
    caller: &Caller<ManageKeys>,
    user: UserId,
) -> Result<(), ApiError> {
    if user == caller.user() {
        return Ok(());
    }
    let found = people::member(tx, caller.tenant(), user).await?;
    let visible = found.filter(|_| caller.may(Permission::ManagePeople));
    let member = visible.ok_or_else(|| ApiError::not_found("user", user))?;
    if !member.is_service {
        let message = format!("`{user}` is a person, who makes keys alone; name a service account");
        return Err(ApiError::field("user", message));
    }
    check_grant(caller, member.role)
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Rotation {
    /// For how long the old key goes on, in seconds; a day, if absent.
    overlap_seconds: Option<u32>,
}

/// Replace an API key: another one under the same terms, while the old one goes on for a while.
#[utoipa::path(
    operation_id = "rotate_key", tag = "keys",
    params(("id" = ApiKeyId, Path)),
    request_body = Rotation,
    responses((status = 201, body = IssuedKey)),
)]
#[post("/v1/keys/{id}/rotate")]
async fn rotate(
    app: web::Data<App>,
    caller: Caller<ManageKeys>,
    id: web::Path<ApiKeyId>,
    Body(Rotation { overlap_seconds }): Body<Rotation>,
) -> Result<HttpResponse, ApiError> {
    let overlap = overlap_seconds.unwrap_or(OVERLAP_SECS);
    if overlap > MAX_OVERLAP_SECS {
        let message = format!("`{overlap}`: use at most {MAX_OVERLAP_SECS}, which is 30 days");
        return Err(ApiError::field("overlap_seconds", message));
    }
    let mut tx = caller.begin_system(&app).await?;
    let old = keys::lock(&mut tx, caller.tenant(), *id, whose(&caller)).await?;
    let old = old.ok_or_else(|| ApiError::not_found("API key", &id))?;
    if caller.credential() != Credential::Key(old.id) {
        check_free(&caller)?;
    }
    // whoever asks sees the new one
    check_whose(&mut tx, &caller, old.user).await?;
    let now = app.clock.now();
    keys::expire(&mut tx, old.id, now + TimeDelta::seconds(overlap.into())).await?;
    let issued = issue(&mut tx, caller.tenant(), old.user, old.draft).await?;
    tx.done(Object::new("API key", old.id)).await?;
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
    let mut tx = caller.begin(&app).await?;
    if !keys::revoke(&mut tx, *id, whose(&caller)).await? {
        return Err(ApiError::not_found("API key", id));
    }
    tx.done(Object::new("API key", id)).await?;
    Ok(HttpResponse::NoContent().finish())
}

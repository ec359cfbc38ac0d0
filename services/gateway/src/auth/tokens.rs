//! Credentials: a token from a key, the keys that verify tokens, and who one is.

use actix_web::{get, post, web};
use domain::{
    UserId,
    access::{Role, Scopes},
};
use jsonwebtoken::jwk::JwkSet;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{Caller, ReadSelf, signer::AccessToken};
use crate::{ApiError, App, Code, audit::Object};

pub(crate) fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(create).service(me).service(jwks);
}

#[derive(Serialize, ToSchema)]
pub(crate) struct TokenView {
    pub access_token: String,
    /// Always `Bearer`.
    pub token_type: &'static str,
    /// Seconds.
    pub expires_in: u32,
}

impl From<AccessToken> for TokenView {
    fn from(AccessToken { token, expires_in_secs }: AccessToken) -> Self {
        Self { access_token: token, token_type: "Bearer", expires_in: expires_in_secs }
    }
}

#[derive(Serialize, ToSchema)]
struct MeView {
    id: UserId,
    email: String,
    role: Role,
    /// Slug of the tenant; null for those who run the platform.
    tenant: Option<String>,
    /// What the credential may be used for, of what the role grants; null: all of it.
    scopes: Option<Vec<&'static str>>,
}

/// A short-lived access token in exchange for an API key.
///
/// The key is the request's `Authorization`. Revoking the key ends its tokens at once.
#[utoipa::path(
    operation_id = "create_token", tag = "auth",
    responses((status = 200, body = TokenView)),
)]
#[post("/v1/auth/token")]
async fn create(
    app: web::Data<App>,
    caller: Caller<ReadSelf>,
) -> Result<web::Json<TokenView>, ApiError> {
    if caller.is_token() {
        let detail = "an access token cannot make another one; send the API key";
        return Err(ApiError::new(Code::Forbidden, detail));
    }
    let made = app.signer.sign(caller.user(), caller.credential(), app.clock.now());
    let made = made.map_err(|error| ApiError::internal(&error))?;
    caller.begin_system(&app).await?.done(Object::new("user", caller.user())).await?;
    Ok(web::Json(made.into()))
}

/// Who the credential stands for.
#[utoipa::path(
    operation_id = "get_me", tag = "auth",
    responses((status = 200, body = MeView)),
)]
#[get("/v1/me")]
async fn me(caller: Caller<ReadSelf>) -> web::Json<MeView> {
    web::Json(MeView {
        id: caller.user(),
        email: caller.email().to_owned(),
        role: caller.role(),
        tenant: caller.home().map(|(_, slug)| slug.clone()),
        scopes: scope_names(caller.scopes()),
    })
}

/// The public keys that verify access tokens (RFC 7517).
#[utoipa::path(
    operation_id = "get_jwks", tag = "auth", security(()),
    responses((status = 200, body = serde_json::Value)),
)]
#[get("/.well-known/jwks.json")]
async fn jwks(app: web::Data<App>) -> web::Json<JwkSet> {
    web::Json(app.signer.public_keys())
}

/// `None` for everything.
pub(crate) fn scope_names(scopes: &Scopes) -> Option<Vec<&'static str>> {
    match scopes {
        Scopes::All => None,
        Scopes::Only(some) => Some(some.iter().map(|one| one.as_str()).collect()),
    }
}

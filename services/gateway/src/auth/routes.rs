//! Credentials: a token from a key, the keys that verify tokens, and who one is.

use actix_web::{get, post, web};
use domain::{UserId, access::Role};
use jsonwebtoken::jwk::JwkSet;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{Caller, ReadSelf};
use crate::{ApiError, App, Code};

pub(crate) fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(token).service(me).service(jwks);
}

#[derive(Serialize, ToSchema)]
struct TokenView {
    access_token: String,
    /// Always `Bearer`.
    token_type: &'static str,
    /// Seconds.
    expires_in: u32,
}

#[derive(Serialize, ToSchema)]
struct MeView {
    id: UserId,
    email: String,
    role: Role,
    /// Slug of the tenant; null for operators.
    tenant: Option<String>,
}

/// A short-lived access token in exchange for an API key.
///
/// The key is the request's `Authorization`. Revoking the key ends its tokens at once.
#[utoipa::path(
    operation_id = "create_token", tag = "auth",
    responses((status = 200, body = TokenView)),
)]
#[post("/v1/auth/token")]
async fn token(
    app: web::Data<App>,
    caller: Caller<ReadSelf>,
) -> Result<web::Json<TokenView>, ApiError> {
    if caller.is_token() {
        let detail = "an access token cannot make another one; send the API key";
        return Err(ApiError::new(Code::Forbidden, detail));
    }
    let made = app.signer.sign(caller.user(), caller.key(), app.clock.now());
    let made = made.map_err(|error| ApiError::internal(&error))?;
    Ok(web::Json(TokenView {
        access_token: made.token,
        token_type: "Bearer",
        expires_in: made.expires_in_secs,
    }))
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

//! Signing in with a password, and the sessions that it begins: kept alive by refresh tokens that are good
//! for one use, listed and ended by whose they are.

use actix_web::{HttpRequest, HttpResponse, delete, get, http::header, post, web};
use chrono::TimeDelta;
use domain::{FieldErrors, SessionId, TenantId, Timestamp, UserId, access::Credential};
use serde::{Deserialize, Serialize};
use store::{
    SystemTx,
    people::{self, Known},
    sessions::{self, NewSession, Refreshed, Session},
};
use tracing::warn;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{
    Caller, OfReset, ReadSelf, Secret, check_password, new_secret, read_secret, secret::OfRefresh,
    tokens::TokenView, unauthenticated,
};
use crate::{
    ApiError, App, Body, Code, Listing,
    address::Address,
    audit::{Act, Actor, Object},
    limits::count_guess,
    people::normal,
};

/// Without a refresh.
const IDLE: TimeDelta = TimeDelta::days(14);
const LONGEST: TimeDelta = TimeDelta::days(90);
const MAX_USER_AGENT_CHARS: usize = 200;

pub(crate) fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(sign_in).service(renew).service(sign_out);
    cfg.service(list).service(end).service(change_password).service(reset_password);
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Credentials {
    #[schema(examples("ada@example.com"))]
    email: String,
    password: String,
    /// Slug of the tenant to work in, for who belongs to several.
    tenant: Option<String>,
}

/// A session that has begun, or goes on.
#[derive(Serialize, ToSchema)]
pub(crate) struct SignedIn {
    session: SessionId,
    /// Slug of the tenant; null for those who run the platform.
    tenant: Option<String>,
    #[serde(flatten)]
    token: TokenView,
    /// For `POST /v1/auth/refresh`, once: each refresh gives another one.
    refresh_token: String,
}

/// Begin a session with a password.
///
/// The access token lasts minutes; the refresh token gets the next one. A session ends after 14 days without
/// a refresh, after 90 days, by signing out, or when a refresh token comes a second time.
#[utoipa::path(
    operation_id = "sign_in", tag = "auth", security(()),
    request_body = Credentials,
    responses(
        (status = 200, body = SignedIn),
        (status = 401, description = "The e-mail address or the password is wrong"),
        (status = 403, description = "Belongs to no tenant"),
    ),
)]
#[post("/v1/auth/sign-in")]
async fn sign_in(
    app: web::Data<App>,
    req: HttpRequest,
    Body(draft): Body<Credentials>,
) -> Result<web::Json<SignedIn>, ApiError> {
    let email = normal(&draft.email);
    count_guess(&app, &req, &email).await?;
    let mut tx = app.store.begin().await?;
    let known = people::known(&mut tx, &email).await?;
    tx.commit().await?;
    let hash = known.as_ref().and_then(|known| known.password_hash.clone());
    let wanted = draft.tenant.as_deref();
    if let Some(known) = &known {
        let tenant = place(known, wanted).ok().flatten().map(|(id, _)| id);
        Actor::of_user(known.user, tenant).remember(&req);
    }
    // the same words, and the same time, for an address that nobody has
    let wrong = || unauthenticated("the e-mail address or the password is wrong");
    if !app.passwords.is(draft.password, hash).await? {
        return Err(wrong());
    }
    let known = known.ok_or_else(wrong)?;
    let place = place(&known, wanted)?;
    let tenant = place.as_ref().map(|(id, _)| *id);
    let mut tx = app.store.begin().await?;
    let signed_in = begin_session(&app, &req, &mut tx, known.user, place).await?;
    let actor = Actor::of_user(known.user, tenant);
    Act::by(tx, actor, &req).done(Object::new("session", signed_in.session)).await?;
    Ok(web::Json(signed_in))
}

/// Where a person works from now on; none is the platform.
fn place(known: &Known, wanted: Option<&str>) -> Result<Option<(TenantId, String)>, ApiError> {
    let tenants = &known.tenants;
    let slugs = || tenants.iter().map(|(_, slug)| slug.as_str()).collect::<Vec<_>>().join(", ");
    match (wanted, known.platform_role, tenants.as_slice()) {
        (Some(wanted), ..) => {
            let found = tenants.iter().find(|(_, slug)| slug == wanted).cloned();
            let message = || format!("you do not belong to `{wanted}`; you belong to: {}", slugs());
            found.map(Some).ok_or_else(|| ApiError::field("tenant", message()))
        }
        (None, Some(_), _) => Ok(None),
        (None, None, [only]) => Ok(Some(only.clone())),
        (None, None, []) => {
            let detail = "you belong to no tenant; ask an owner of one for an invitation";
            Err(ApiError::new(Code::Forbidden, detail))
        }
        (None, None, _) => {
            Err(ApiError::field("tenant", format!("name one of yours: {}", slugs())))
        }
    }
}

/// For somebody who has shown who they are.
pub(crate) async fn begin_session(
    app: &App,
    req: &HttpRequest,
    tx: &mut SystemTx<'_>,
    user: UserId,
    place: Option<(TenantId, String)>,
) -> Result<SignedIn, ApiError> {
    let (id, now) = (SessionId::generate(), app.clock.now());
    let refresh = new_secret::<OfRefresh>()?;
    let agent = req.headers().get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    let agent: String = agent.unwrap_or_default().chars().take(MAX_USER_AGENT_CHARS).collect();
    let new = NewSession {
        id,
        tenant: place.as_ref().map(|(id, _)| *id),
        user,
        now,
        expires_at: now + IDLE,
        address: &Address::of(req).to_string(),
        user_agent: &agent,
        refresh: refresh.sha256(),
    };
    sessions::begin(tx, &new).await?;
    signed_in(app, id, user, place.map(|(_, slug)| slug), &refresh)
}

fn signed_in(
    app: &App,
    session: SessionId,
    user: UserId,
    tenant: Option<String>,
    refresh: &Secret<OfRefresh>,
) -> Result<SignedIn, ApiError> {
    let token = app.signer.sign(user, Credential::Session(session), app.clock.now());
    let token = token.map_err(|error| ApiError::internal(&error))?.into();
    Ok(SignedIn { session, tenant, token, refresh_token: refresh.reveal().to_owned() })
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RefreshDraft {
    refresh_token: String,
}

/// The next access token of a session, and the next refresh token.
///
/// A refresh token is good for one use. One that comes a second time was stolen, by whoever came first or
/// second: the session ends for both.
#[utoipa::path(
    operation_id = "refresh_session", tag = "auth", security(()),
    request_body = RefreshDraft,
    responses(
        (status = 200, body = SignedIn),
        (status = 401, description = "The refresh token is unknown, used or expired"),
    ),
)]
#[post("/v1/auth/refresh")]
async fn renew(
    app: web::Data<App>,
    req: HttpRequest,
    Body(draft): Body<RefreshDraft>,
) -> Result<web::Json<SignedIn>, ApiError> {
    let old = read_secret::<OfRefresh>(&draft.refresh_token)?;
    let (next, now) = (new_secret::<OfRefresh>()?, app.clock.now());
    let mut tx = app.store.begin().await?;
    let lasts = (now + IDLE, LONGEST.num_seconds() as f64);
    let refreshed = sessions::refresh(&mut tx, old.sha256(), next.sha256(), now, lasts).await?;
    let (session, user) = match refreshed {
        Refreshed::Yes { session, user } => (session, user),
        Refreshed::Reused { session, user, tenant } => {
            Actor::of_user(user, tenant).remember(&req);
            tx.commit().await?;
            warn!(session.id = %session, "a refresh token came a second time; the session has ended");
            let detail = "the refresh token had been used before, so that its session has ended; sign in again";
            return Err(unauthenticated(detail));
        }
        Refreshed::Unknown => {
            let detail = "the refresh token is unknown, or its session has ended; sign in again";
            return Err(unauthenticated(detail));
        }
    };
    // whoever has left the tenant meanwhile has no use for a token
    let principal = store::principals::by_session(&mut tx, session, now).await?;
    let principal = principal
        .ok_or_else(|| unauthenticated("you do not belong to the session's tenant any more"))?;
    let actor = Actor::from(&principal);
    Act::by(tx, actor, &req).done(Object::new("session", session)).await?;
    let tenant = principal.tenant.map(|(_, slug)| slug);
    signed_in(&app, session, user, tenant, &next).map(web::Json)
}

/// End the session that the access token was made in.
#[utoipa::path(
    operation_id = "sign_out", tag = "auth",
    responses((status = 204), (status = 409, description = "An API key has no session")),
)]
#[post("/v1/auth/sign-out")]
async fn sign_out(app: web::Data<App>, caller: Caller<ReadSelf>) -> Result<HttpResponse, ApiError> {
    let session = caller.session().ok_or_else(|| {
        let detail =
            "this is an API key, which has no session; revoke it with DELETE /v1/keys/{id}";
        ApiError::new(Code::Conflict, detail)
    })?;
    let mut tx = caller.begin_system(&app).await?;
    sessions::end(&mut tx, caller.user(), session, app.clock.now()).await?;
    tx.done(Object::new("session", session)).await?;
    Ok(HttpResponse::NoContent().finish())
}

#[derive(Serialize, ToSchema)]
struct SessionView {
    id: SessionId,
    /// Slug of the tenant; null for those who run the platform.
    tenant: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    last_used_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// Where the sign-in came from.
    address: String,
    user_agent: String,
    /// Whether it is the one that asks.
    current: bool,
}

/// Your sessions, in every tenant.
#[utoipa::path(
    operation_id = "list_sessions", tag = "auth",
    responses((status = 200, body = Listing<SessionView>)),
)]
#[get("/v1/auth/sessions")]
async fn list(
    app: web::Data<App>,
    caller: Caller<ReadSelf>,
) -> Result<web::Json<Listing<SessionView>>, ApiError> {
    let mut tx = app.store.begin().await?;
    let found = sessions::list(&mut tx, caller.user(), app.clock.now()).await?;
    tx.commit().await?;
    let view = |session: Session| {
        let Session { id, tenant, created_at, last_used_at, expires_at, address, user_agent } =
            session;
        let current = caller.session() == Some(id);
        SessionView {
            id,
            tenant,
            created_at,
            last_used_at,
            expires_at,
            address,
            user_agent,
            current,
        }
    };
    Ok(web::Json(Listing::whole(found.into_iter().map(view).collect())))
}

/// End a session of yours: its access tokens end at once.
#[utoipa::path(
    operation_id = "end_session", tag = "auth",
    params(("id" = SessionId, Path)),
    responses((status = 204)),
)]
#[delete("/v1/auth/sessions/{id}")]
async fn end(
    app: web::Data<App>,
    caller: Caller<ReadSelf>,
    id: web::Path<SessionId>,
) -> Result<HttpResponse, ApiError> {
    let mut tx = caller.begin_system(&app).await?;
    if !sessions::end(&mut tx, caller.user(), *id, app.clock.now()).await? {
        return Err(ApiError::not_found("session", id));
    }
    tx.done(Object::new("session", id)).await?;
    Ok(HttpResponse::NoContent().finish())
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PasswordChange {
    current: String,
    new: String,
}

/// Choose another password: your other sessions end.
#[utoipa::path(
    operation_id = "change_password", tag = "auth",
    request_body = PasswordChange,
    responses((status = 204)),
)]
#[post("/v1/auth/password")]
async fn change_password(
    app: web::Data<App>,
    req: HttpRequest,
    caller: Caller<ReadSelf>,
    Body(draft): Body<PasswordChange>,
) -> Result<HttpResponse, ApiError> {
    count_guess(&app, &req, caller.email()).await?;
    check_new(&draft.new, caller.email())?;
    let mut tx = app.store.begin().await?;
    let known = people::known(&mut tx, caller.email()).await?;
    tx.commit().await?;
    let hash = known.and_then(|known| known.password_hash);
    if !app.passwords.is(draft.current, hash).await? {
        return Err(ApiError::field("current", "is not your password"));
    }
    let hash = app.passwords.hash(draft.new).await?;
    let mut tx = caller.begin_system(&app).await?;
    people::set_password(&mut tx, caller.user(), &hash).await?;
    sessions::end_others(&mut tx, caller.user(), caller.session(), app.clock.now()).await?;
    tx.done(Object::new("user", caller.user())).await?;
    Ok(HttpResponse::NoContent().finish())
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PasswordReset {
    /// From an operator: `cupola admin reset-password`.
    reset_token: String,
    new: String,
}

/// Choose a password with a token from an operator: all your sessions end.
#[utoipa::path(
    operation_id = "reset_password", tag = "auth", security(()),
    request_body = PasswordReset,
    responses(
        (status = 204),
        (status = 401, description = "The reset token is unknown, used or expired"),
    ),
)]
#[post("/v1/auth/password/reset")]
async fn reset_password(
    app: web::Data<App>,
    req: HttpRequest,
    Body(draft): Body<PasswordReset>,
) -> Result<HttpResponse, ApiError> {
    let token = read_secret::<OfReset>(&draft.reset_token)?;
    check_new(&draft.new, "")?;
    let hash = app.passwords.hash(draft.new).await?;
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let user = people::take_reset(&mut tx, token.sha256(), now).await?.ok_or_else(|| {
        unauthenticated("the reset token is unknown, used or expired; ask an operator for another")
    })?;
    people::set_password(&mut tx, user, &hash).await?;
    sessions::end_others(&mut tx, user, None, now).await?;
    Act::by(tx, Actor::of_user(user, None), &req).done(Object::new("user", user)).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn check_new(password: &str, email: &str) -> Result<(), FieldErrors> {
    let mut errors = FieldErrors::default();
    check_password(&mut errors, "new", password, email);
    errors.into_result(())
}

//! Who is calling, and what they may do. A handler takes a [`Caller`] of the permission it needs; one
//! exists only if the credential is valid at this moment and its role grants that permission.
//!
//! A credential is an API key, or a short-lived token made from one or in a session. Each is looked up at
//! every request, so that revoking a key, ending a session, or taking a person out of a tenant, works at once;
//! for predictions within a second ([`crate::recent`]).

pub mod jwt;
mod manifests;
mod password;
mod reader;
mod secret;
mod sessions;
mod signer;
mod tickets;
mod tokens;

use std::marker::PhantomData;

use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload, http::header, web};
use chrono::TimeDelta;
use domain::{
    Digest, RequestId, SessionId, TenantId, UserId,
    access::{Credential, Permission, Role, Scopes},
};
use futures::{
    FutureExt,
    future::{LocalBoxFuture, Ready, ready},
};
use store::{
    StoreError,
    principals::{self, Principal},
    reads::{Shown, Wanted},
};
use utoipa_actix_web::service_config::ServiceConfig;

pub use jsonwebtoken::jwk::JwkSet;
pub use manifests::{ManifestRefused, verify_manifest};
pub use password::Passwords;
pub(crate) use password::check_password;
pub(crate) use reader::Reader;
pub use secret::{
    ApiSecret, OfInvitation, OfKey, OfRefresh, OfReset, Purpose as SecretPurpose, Secret,
};
pub(crate) use sessions::{SignedIn, begin_session};
pub use signer::{Signer, SignerError, rewrap, rotate};
pub(crate) use tokens::scope_names;

use signer::TokenRefused;

use crate::{
    ApiError, App, Code,
    address::Address,
    audit::{Actor, Origin},
    body::no_state,
    limits::count_principal,
};

/// After their end, so that a refresh token that comes late is told from one that never was.
const SESSIONS_KEPT: TimeDelta = TimeDelta::days(30);

pub(crate) fn routes(cfg: &mut ServiceConfig<'_>) {
    tokens::routes(cfg);
    sessions::routes(cfg);
}

/// A permission as a type.
pub trait Permits: 'static {
    const PERMISSION: Permission;
    /// Whether it is exercised inside a tenant, so that the caller must belong to one.
    const IN_TENANT: bool;
}

/// Permissions that only people of a tenant have.
pub trait InTenant: Permits {}

macro_rules! permits {
    ($($name:ident $(: $in_tenant:ident)?;)*) => {$(
        #[derive(Debug)]
        pub struct $name;
        impl Permits for $name {
            const PERMISSION: Permission = Permission::$name;
            const IN_TENANT: bool = false $(|| stringify!($in_tenant).len() > 0)?;
        }
        $(impl $in_tenant for $name {})?
    )*};
}

permits! {
    ReadSelf;
    ManageKeys: InTenant;
    ReadDatasets: InTenant;
    WriteDatasets: InTenant;
    ReadJobs: InTenant;
    SubmitJobs: InTenant;
    ReadModels: InTenant;
    WriteModels: InTenant;
    PublishModels: InTenant;
    Predict: InTenant;
    ManagePeople: InTenant;
    ReadTenants;
    ManageTenants;
    ManagePools;
    ReadWorkers;
    ManageWorkers;
    ManageOperators;
    ReadAudit;
}

#[derive(Debug)]
pub struct Caller<P> {
    principal: Principal,
    /// An access token made from its credential was sent, and not the credential itself.
    is_token: bool,
    request: HttpRequest,
    permission: PhantomData<P>,
}

impl<P: Permits> Caller<P> {
    pub const fn user(&self) -> UserId {
        self.principal.user
    }

    pub const fn credential(&self) -> Credential {
        self.principal.credential
    }

    pub const fn session(&self) -> Option<SessionId> {
        match self.principal.credential {
            Credential::Session(id) => Some(id),
            Credential::Key(_) => None,
        }
    }

    pub fn email(&self) -> &str {
        &self.principal.email
    }

    pub const fn role(&self) -> Role {
        self.principal.role
    }

    pub const fn scopes(&self) -> &Scopes {
        &self.principal.scopes
    }

    /// Whether the credential may do less than whose it is.
    pub fn is_restricted(&self) -> bool {
        self.principal.is_restricted()
    }

    /// Whether it may do this too.
    pub fn may(&self, permission: Permission) -> bool {
        self.principal.role.allows(permission) && self.principal.scopes.allows(permission)
    }

    /// None for those who run the platform.
    pub fn home(&self) -> Option<&(TenantId, String)> {
        self.principal.tenant.as_ref()
    }

    pub const fn is_token(&self) -> bool {
        self.is_token
    }

    /// As the answer's `X-Request-Id` says it.
    pub(crate) fn request_id(&self) -> Option<RequestId> {
        self.request.extensions().get().copied()
    }

    pub(crate) fn actor(&self) -> Actor {
        Actor::from(&self.principal)
    }

    pub(crate) fn origin(&self) -> Origin {
        Origin::of(&self.request)
    }
}

impl<P: InTenant> Caller<P> {
    pub fn tenant(&self) -> TenantId {
        self.in_tenant().0
    }

    pub fn tenant_slug(&self) -> &str {
        &self.in_tenant().1
    }

    fn in_tenant(&self) -> &(TenantId, String) {
        self.home().expect("checked when the caller was made")
    }
}

impl<P: Permits> FromRequest for Caller<P> {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let app = web::Data::<App>::extract(req);
        let request = req.clone();
        async move {
            let app = app.await.map_err(|_| no_state())?;
            let presented = bearer(&request)?;
            let identified = match P::PERMISSION {
                Permission::Predict => recently(&app, presented).await?,
                _ => identify(&app, &presented).await?,
            };
            admit(&app, request, identified).await
        }
        .boxed_local()
    }
}

/// Somebody whose credential has not been looked at yet. A handler that reads one thing has it looked at on
/// the same way to the database.
pub struct Unknown<P> {
    request: HttpRequest,
    permission: PhantomData<P>,
}

impl<P: Permits> FromRequest for Unknown<P> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self { request: req.clone(), permission: PhantomData }))
    }
}

impl<P: InTenant> Unknown<P> {
    /// Who they are, and what they want, if there is such a thing and they have it.
    pub(crate) async fn read<W: Wanted>(
        self,
        app: &App,
        wanted: Option<&W>,
    ) -> Result<(Caller<P>, Option<W::Found>), ApiError> {
        let shown = read_credential(app, &bearer(&self.request)?).await?;
        let (principal, found) = match wanted {
            Some(wanted) => app.store.read(&shown, wanted).await?.unzip(),
            None => (app.store.principal(&shown).await?, None),
        };
        let caller = admit(app, self.request, identified(&shown, principal)?).await?;
        Ok((caller, found.flatten()))
    }
}

/// Whose a credential is, and whether it is an access token.
type Identified = (Principal, bool);

/// The caller that they turned out to be.
async fn admit<P: Permits>(
    app: &App,
    request: HttpRequest,
    (principal, is_token): Identified,
) -> Result<Caller<P>, ApiError> {
    within(&principal, Address::of(&request))?;
    Actor::from(&principal).remember(&request);
    count_principal(app, &request, &principal).await?;
    permit::<P>(&principal)?;
    Ok(Caller { principal, is_token, request, permission: PhantomData })
}

/// What is to be done about credentials from time to time.
pub(crate) async fn tend(app: &App) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let now = app.clock.now();
    app.signer.tend(now).await?;
    let mut tx = app.store.begin().await?;
    store::sessions::forget_ended(&mut tx, now - SESSIONS_KEPT).await?;
    tx.commit().await?;
    Ok(())
}

pub(crate) fn unauthenticated(detail: &str) -> ApiError {
    ApiError::new(Code::Unauthenticated, detail)
}

fn bearer(req: &HttpRequest) -> Result<String, ApiError> {
    let header = req.headers().get(header::AUTHORIZATION).ok_or_else(|| {
        unauthenticated("send your API key or an access token as `Authorization: Bearer …`")
    })?;
    header
        .to_str()
        .ok()
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, presented)| presented.trim().to_owned())
        .filter(|presented| !presented.is_empty())
        .ok_or_else(|| unauthenticated("the Authorization header must be `Bearer …`"))
}

pub(crate) fn new_secret<P: SecretPurpose>() -> Result<Secret<P>, ApiError> {
    Secret::generate().map_err(|error| ApiError::internal(&error))
}

pub(crate) fn read_secret<P: SecretPurpose>(text: &str) -> Result<Secret<P>, ApiError> {
    text.parse().map_err(|error| unauthenticated(&format!("{error}")))
}

async fn identify(app: &App, presented: &str) -> Result<Identified, ApiError> {
    let shown = read_credential(app, presented).await?;
    let principal = app.store.principal(&shown).await?;
    identified(&shown, principal)
}

/// As it was within the last second.
async fn recently(app: &web::Data<App>, presented: String) -> Result<Identified, ApiError> {
    let key = Digest::of(presented.as_bytes());
    let state = app.clone();
    let ask = || async move { identify(&state, &presented).await };
    app.recent.principals.get(key, app.clock.now(), ask).await
}

fn identified(shown: &Shown, principal: Option<Principal>) -> Result<Identified, ApiError> {
    let principal = principal.ok_or_else(|| ended(shown))?;
    Ok((principal, !matches!(shown, Shown::Secret(_))))
}

fn within(principal: &Principal, address: Address) -> Result<(), ApiError> {
    if !address.is_among(&principal.addresses) {
        let detail = format!(
            "the API key may not be used from {address}; its `allowed_addresses` say from where"
        );
        return Err(ApiError::new(Code::Forbidden, detail));
    }
    Ok(())
}

/// One that could be good: its checksum, or its signature, is.
async fn read_credential(app: &App, text: &str) -> Result<Shown, ApiError> {
    if text.starts_with(ApiSecret::START) {
        let secret: ApiSecret = read_secret(text)?;
        return Ok(Shown::Secret(secret.sha256()));
    }
    let now = app.clock.now();
    let claims = app.signer.verify(text, now).await.map_err(|refused| match refused {
        TokenRefused::NotChecked(error) => ApiError::unavailable(&error, "the database"),
        refused => unauthenticated(&format!("the access token is not accepted: {refused}")),
    })?;
    Ok(match claims.by {
        Credential::Key(id) => Shown::Key(id),
        Credential::Session(id) => Shown::Session(id, now),
    })
}

/// It is good for nothing any more, or never was.
fn ended(shown: &Shown) -> ApiError {
    let made_from = |what| format!("the {what} that the access token was made from has ended");
    unauthenticated(&match shown {
        Shown::Secret(_) => "the API key is unknown, expired or revoked".to_owned(),
        Shown::Key(_) => made_from("API key"),
        Shown::Session(..) => made_from("session"),
    })
}

/// Whose the credential of a refused request is or was.
pub(crate) async fn known(app: &App, req: &HttpRequest) -> Result<Option<Actor>, StoreError> {
    let Ok(presented) = bearer(req) else { return Ok(None) };
    let secret = presented.parse::<ApiSecret>().ok().map(|secret| secret.sha256());
    let claims = match &secret {
        Some(_) => None,
        None => app.signer.verify(&presented, app.clock.now()).await.ok(),
    };
    let mut tx = app.store.begin().await?;
    let known = match (claims.map(|claims| claims.by), secret) {
        (Some(Credential::Key(id)), _) => principals::of_old_key(&mut tx, Some(id), None).await?,
        (Some(Credential::Session(id)), _) => principals::of_old_session(&mut tx, id).await?,
        (None, Some(sha256)) => principals::of_old_key(&mut tx, None, Some(sha256)).await?,
        (None, None) => None,
    };
    tx.commit().await?;
    Ok(known.map(Actor::from))
}

fn permit<P: Permits>(principal: &Principal) -> Result<(), ApiError> {
    let Principal { role, scopes, tenant, .. } = principal;
    if !role.allows(P::PERMISSION) || (tenant.is_none() && P::IN_TENANT) {
        let able = Role::those(|role| role.allows(P::PERMISSION)).join(" or ");
        let detail = format!("{able} may do this; your role is {}", role.as_str());
        return Err(ApiError::new(Code::Forbidden, detail));
    }
    if !scopes.allows(P::PERMISSION) {
        let needed = P::PERMISSION.as_str();
        let detail = format!("the API key needs the scope `{needed}`; it has {scopes}");
        return Err(ApiError::new(Code::Forbidden, detail));
    }
    Ok(())
}

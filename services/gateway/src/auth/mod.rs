//! Who is calling, and what they may do. A handler takes a [`Caller`] of the permission it needs; one
//! exists only if the credential is valid at this moment and its role grants that permission.
//!
//! A credential is an API key, or a short-lived token made from one. Both are looked up at every
//! request, so that revoking a key, or taking a person out of a tenant, works at once.

mod key;
mod routes;
mod signer;

use std::marker::PhantomData;

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header, web};
use domain::{
    ApiKeyId, TenantId, UserId,
    access::{Permission, Role},
};
use futures::{FutureExt, future::LocalBoxFuture};
use store::keys::{self, Principal};

pub use key::ApiSecret;
pub(crate) use routes::routes;
pub use signer::Signer;

use crate::{ApiError, App, Code, body::no_state};

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
    PublishModels: InTenant;
    Predict: InTenant;
    ManagePeople: InTenant;
    ManageTenants;
    ManagePools;
    ReadWorkers;
    ManageWorkers;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Credential {
    Key,
    Token,
}

#[derive(Debug)]
pub struct Caller<P> {
    principal: Principal,
    credential: Credential,
    permission: PhantomData<P>,
}

impl<P: Permits> Caller<P> {
    pub const fn user(&self) -> UserId {
        self.principal.user
    }

    pub const fn key(&self) -> ApiKeyId {
        self.principal.key
    }

    pub fn email(&self) -> &str {
        &self.principal.email
    }

    pub const fn role(&self) -> Role {
        self.principal.role
    }

    /// None for operators.
    pub fn home(&self) -> Option<&(TenantId, String)> {
        self.principal.tenant.as_ref()
    }

    pub const fn is_token(&self) -> bool {
        matches!(self.credential, Credential::Token)
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
        let presented = bearer(req);
        let app = web::Data::<App>::extract(req);
        async move {
            let app = app.await.map_err(|_| no_state())?;
            let (principal, credential) = identify(&app, &presented?).await?;
            permit::<P>(&principal)?;
            Ok(Self { principal, credential, permission: PhantomData })
        }
        .boxed_local()
    }
}

fn unauthenticated(detail: &str) -> ApiError {
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

async fn identify(app: &App, presented: &str) -> Result<(Principal, Credential), ApiError> {
    if presented.starts_with(ApiSecret::START) {
        let secret: ApiSecret = presented.parse().map_err(|_| {
            unauthenticated("the API key is mistyped or cut off: its checksum does not fit")
        })?;
        let mut tx = app.store.begin().await?;
        let principal = keys::authenticate(&mut tx, secret.sha256())
            .await?
            .ok_or_else(|| unauthenticated("the API key is unknown, expired or revoked"))?;
        keys::touch(&mut tx, principal.key).await?;
        tx.commit().await?;
        return Ok((principal, Credential::Key));
    }
    let claims = app.signer.verify(presented, app.clock.now()).map_err(|refused| {
        unauthenticated(&format!("the access token is not accepted: {refused}"))
    })?;
    let mut tx = app.store.begin().await?;
    let principal = keys::authenticate_by_id(&mut tx, claims.key).await?.ok_or_else(|| {
        unauthenticated(
            "the API key that the access token was made from has expired or been revoked",
        )
    })?;
    tx.commit().await?;
    Ok((principal, Credential::Token))
}

fn permit<P: Permits>(principal: &Principal) -> Result<(), ApiError> {
    let allowed = principal.role.allows(P::PERMISSION);
    if allowed && (principal.tenant.is_some() || !P::IN_TENANT) {
        return Ok(());
    }
    let role = principal.role.as_str();
    let able: Vec<_> = Role::ALL.into_iter().filter(|role| role.allows(P::PERMISSION)).collect();
    let able: Vec<_> = able.into_iter().map(Role::as_str).collect();
    let detail = format!("{} may do this; your role is {role}", able.join(" or "));
    Err(ApiError::new(Code::Forbidden, detail))
}

//! The audit log, as the gateway writes it. A handler that changes something gets its transaction from
//! its caller ([`Caller::begin`]) and finishes it by naming what it has changed ([`Act::done`]), so that
//! the record lands with the change or not at all. What was refused is written around all routes, by
//! [`watch`]: at most so many a minute, so that nobody fills the disk with attempts.

mod origin;
mod read;
mod refusals;
mod sealer;

use std::{
    fmt,
    ops::{Deref, DerefMut},
};

use actix_web::{HttpMessage, HttpRequest};
use domain::{
    TenantId, UserId,
    access::Credential,
    audit::{DONE, Entry},
};
use store::{
    SystemTx, TenantTx, Tx, audit,
    principals::{Known, Principal},
};

pub(crate) use self::{
    origin::{Operations, Origin},
    read::routes,
    refusals::watch,
    sealer::keep_sealing,
};
use crate::{
    ApiError, App, Caller,
    auth::{InTenant, Permits},
};

/// Who is known to have asked, or to be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Actor {
    user: UserId,
    credential: Option<Credential>,
    role: Option<&'static str>,
    /// In whose log it stands; None for those who run the platform.
    tenant: Option<TenantId>,
}

impl From<&Principal> for Actor {
    fn from(principal: &Principal) -> Self {
        Self {
            user: principal.user,
            credential: Some(principal.credential),
            role: Some(principal.role.as_str()),
            tenant: principal.tenant.as_ref().map(|(tenant, _)| *tenant),
        }
    }
}

impl From<Known> for Actor {
    fn from(Known { credential, user, tenant }: Known) -> Self {
        Self { user, credential: Some(credential), role: None, tenant }
    }
}

impl Actor {
    /// Somebody who says who they are, and has no credential yet.
    pub const fn of_user(user: UserId, tenant: Option<TenantId>) -> Self {
        Self { user, credential: None, role: None, tenant }
    }

    /// For [`watch`], should the request be refused.
    pub fn remember(&self, req: &HttpRequest) {
        req.extensions_mut().insert(self.clone());
    }
}

fn entry(actor: Option<&Actor>, origin: &Origin, object: Object, result: &str) -> Entry {
    let (key, session) = match actor.and_then(|actor| actor.credential) {
        Some(Credential::Key(id)) => (Some(id), None),
        Some(Credential::Session(id)) => (None, Some(id)),
        None => (None, None),
    };
    Entry {
        user: actor.map(|actor| actor.user),
        key,
        session,
        role: actor.and_then(|actor| actor.role).map(str::to_owned),
        address: origin.address.clone(),
        action: origin.action.clone(),
        object_kind: Some(object.kind.to_owned()),
        object: Some(object.name),
        result: result.to_owned(),
        request: origin.request,
    }
}

/// What something was done to.
#[derive(Debug)]
pub(crate) struct Object {
    kind: &'static str,
    name: String,
    tenant: Option<TenantId>,
}

impl Object {
    /// By its id, or the name that people call it by.
    pub fn new(kind: &'static str, name: impl fmt::Display) -> Self {
        Self { kind, name: name.to_string(), tenant: None }
    }

    /// A tenant's, where an operator has changed it: it stands in the tenant's log.
    #[must_use]
    pub fn of(self, tenant: TenantId) -> Self {
        Self { tenant: Some(tenant), ..self }
    }
}

/// Something that a caller is doing. Dropped before it is [done](Self::done), it has not happened.
#[derive(Debug)]
pub(crate) struct Act<T> {
    tx: T,
    actor: Actor,
    origin: Origin,
}

impl<T: Tx> Act<T> {
    /// Of somebody who is no [`Caller`]: who signs in has no credential yet.
    pub fn by(tx: T, actor: Actor, req: &HttpRequest) -> Self {
        Self { tx, actor, origin: Origin::of(req) }
    }

    /// Writes down what was done and commits.
    pub async fn done(mut self, object: Object) -> Result<(), ApiError> {
        let tenant = object.tenant.or(self.actor.tenant);
        let entry = entry(Some(&self.actor), &self.origin, object, DONE);
        audit::append(&mut self.tx, tenant, &entry).await?;
        Ok(self.tx.end().await?)
    }
}

impl<T> Deref for Act<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.tx
    }
}

impl<T> DerefMut for Act<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.tx
    }
}

impl<P: InTenant> Caller<P> {
    /// To change something of the caller's own tenant.
    pub(crate) async fn begin(&self, app: &App) -> Result<Act<TenantTx<'static>>, ApiError> {
        Ok(self.act(app.store.begin_for(self.tenant()).await?))
    }
}

impl<P: Permits> Caller<P> {
    /// To change what is the platform's, or what a tenant may not change by itself.
    pub(crate) async fn begin_system(&self, app: &App) -> Result<Act<SystemTx<'static>>, ApiError> {
        Ok(self.act(app.store.begin().await?))
    }

    fn act<T>(&self, tx: T) -> Act<T> {
        Act { tx, actor: self.actor(), origin: self.origin() }
    }
}

//! Who reads what is published: somebody with a credential that may, who sees what their tenant sees, or a
//! visitor, who has shown none and sees what is public alone. One operation answers both.

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header, web};
use domain::TenantId;
use futures::{FutureExt, future::LocalBoxFuture};
use store::TenantTx;

use super::{Caller, ReadModels, bearer};
use crate::{ApiError, App, body::no_state, limits::count_visitor};

pub(crate) enum Reader {
    Caller(Box<Caller<ReadModels>>),
    Visitor,
}

impl Reader {
    /// None of a visitor.
    pub fn tenant(&self) -> Option<TenantId> {
        match self {
            Self::Caller(caller) => Some(caller.tenant()),
            Self::Visitor => None,
        }
    }

    pub async fn begin(&self, app: &App) -> Result<TenantTx<'static>, ApiError> {
        Ok(match self.tenant() {
            Some(tenant) => app.store.begin_for(tenant).await?,
            None => app.store.begin_for_visitor().await?,
        })
    }

    /// Whose credential is wrong is no visitor: they are told.
    async fn of(request: HttpRequest) -> Result<Self, ApiError> {
        let app = request.app_data::<web::Data<App>>().cloned().ok_or_else(no_state)?;
        if request.headers().contains_key(header::AUTHORIZATION) {
            let caller = Caller::extract(&request).await?;
            return Ok(Self::Caller(Box::new(caller)));
        }
        if !app.config.visitors {
            return Err(nothing_shown(&request));
        }
        count_visitor(&app, &request).await?;
        Ok(Self::Visitor)
    }
}

/// What is not for visitors, as every operation says it that is for nobody without a credential.
pub(crate) fn nothing_shown(request: &HttpRequest) -> ApiError {
    bearer(request).map(drop).err().unwrap_or_else(no_state)
}

impl FromRequest for Reader {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        Self::of(request.clone()).boxed_local()
    }
}

//! Who looks at a page. A handler that takes a [`Visitor`] is for those who are signed in: everybody else
//! is sent to the sign-in, and from there back.

use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload, web};
use futures::{FutureExt, future::LocalBoxFuture};
use gateway::App;
use serde::Deserialize;

use crate::{
    api::{Asking, Route},
    failure::Failure,
    guard::SetCookie,
    session::Session,
};

pub(crate) struct Visitor {
    pub api: Asking,
    pub me: Me,
    /// For the forms of the page.
    pub seal: String,
    pub request: HttpRequest,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Me {
    pub id: String,
    pub email: String,
    pub role: String,
    /// None for those who run the platform.
    pub tenant: Option<String>,
}

impl Me {
    pub fn tenant(&self) -> &str {
        self.tenant.as_deref().unwrap_or_default()
    }

    /// Whether forms that change something are shown; the API decides anyway.
    pub fn develops(&self) -> bool {
        matches!(self.role.as_str(), "owner" | "admin" | "developer")
    }

    pub fn manages(&self) -> bool {
        matches!(self.role.as_str(), "owner" | "admin")
    }

    pub fn operates(&self) -> bool {
        self.role == "operator"
    }
}

impl Visitor {
    /// In a session that stays what it is.
    async fn of(request: HttpRequest) -> Result<Self, Failure> {
        let signed_out = || Failure::signed_out(&request);
        let app = request.app_data::<web::Data<App>>().cloned().ok_or_else(signed_out)?;
        let session = Session::of(&request).ok_or_else(signed_out)?;
        let kept = session.kept_up(&request, &app).await;
        let (session, is_new) = kept.ok_or_else(signed_out)?;
        if is_new {
            request.extensions_mut().insert(SetCookie(session.cookie(&request)));
        }
        let api = Asking::with_token(&request, session.access);
        let me = api.get(&Route::of(["me"])).await?;
        Ok(Self { api, me, seal: session.seal, request })
    }

    pub fn app(&self) -> Result<&web::Data<App>, Failure> {
        self.request.app_data().ok_or_else(|| Failure::signed_out(&self.request))
    }
}

impl FromRequest for Visitor {
    type Error = Failure;
    type Future = LocalBoxFuture<'static, Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        Self::of(request.clone()).boxed_local()
    }
}

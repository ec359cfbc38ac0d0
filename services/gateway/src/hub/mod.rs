//! The protocol of the Hugging Face Hub, as its Python client speaks it with `HF_ENDPOINT` at `/hub`, on
//! the registry's own models: a repository is a model, a commit is a version, a tag is an alias, and
//! `main` is the newest version that is published.

mod account;
mod card;
mod commit;
mod error;
mod files;
mod large;
mod list;
mod repos;
mod tags;
mod views;

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use domain::registry::{Reference, Revision, VersionState};
use futures::{FutureExt, future::LocalBoxFuture};
use store::{
    TenantTx,
    models::{self, Model, ModelVersion},
};

pub(crate) use self::{error::HubError, views::pipeline_tag};
use crate::{
    ApiError, App, Caller, ServiceConfig,
    auth::Permits,
    models::{known_model, sealed},
};

pub(crate) fn routes(cfg: &mut ServiceConfig<'_>) {
    cfg.service(account::whoami)
        .service(account::validate_yaml)
        .service(list::list)
        .service(list::like)
        .service(list::unlike)
        .service(repos::create)
        .service(repos::info)
        .service(repos::info_at)
        .service(repos::auth_check)
        .service(repos::settings)
        .service(repos::refs)
        .service(repos::commits)
        .service(tags::create)
        .service(tags::remove)
        .service(files::tree)
        .service(files::tree_below)
        .service(files::paths_info)
        .service(commit::preupload)
        .service(commit::commit)
        .service(large::batch)
        .service(large::put)
        .service(files::resolve);
}

/// A caller, whose absence is told in the client's words.
pub(crate) struct Known<P>(pub Caller<P>);

impl<P: Permits> FromRequest for Known<P> {
    type Error = HubError;
    type Future = LocalBoxFuture<'static, Result<Self, HubError>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let caller = Caller::<P>::from_request(req, payload);
        async move { caller.await.map(Self).map_err(HubError::of_caller) }.boxed_local()
    }
}

/// The repository that a URL names, if the reader may see it.
async fn repository(tx: &mut TenantTx<'_>, tenant: &str, name: &str) -> Result<Model, HubError> {
    known_model(tx, tenant, name).await.map_err(HubError::of_repository)
}

/// The version that a revision names, with its manifest.
async fn at(
    app: &App,
    mut tx: TenantTx<'_>,
    model: &Model,
    revision: &str,
) -> Result<ModelVersion, HubError> {
    let unknown = || {
        let name = format!("{}/{}@{revision}", model.tenant_slug, model.name);
        HubError::revision(ApiError::not_found("revision", name))
    };
    let reference: Reference = revision.parse().map_err(|_| unknown())?;
    let found = models::version(&mut tx, model.id, &reference).await?;
    tx.commit().await?;
    let found = found.filter(|found| found.state != VersionState::Deleted).ok_or_else(unknown)?;
    Ok(sealed(app, found).await?)
}

/// What names its content.
fn commit_of(version: &ModelVersion) -> Result<&Revision, HubError> {
    let sealed = version.sealed.as_ref().map(|(revision, _)| revision);
    sealed.ok_or_else(|| {
        let why = "the version has no manifest yet; try again in a moment";
        ApiError::new(crate::Code::Unavailable, why).retry_after(1).into()
    })
}

/// Where the client reaches the gateway, with `HF_ENDPOINT`'s path.
fn endpoint(req: &HttpRequest) -> String {
    let connection = req.connection_info();
    format!("{}://{}/hub", connection.scheme(), connection.host())
}

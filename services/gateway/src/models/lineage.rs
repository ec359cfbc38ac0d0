//! Where a version came from, back to the data, and what came of it.

use actix_web::{get, web};
use domain::{
    Digest, JobId, TenantId,
    registry::{Base, Revision, SourceKind, VersionState},
};
use serde::Serialize;
use store::models::{self, Relative};
use utoipa::ToSchema;

use super::{TrainedOn, known_model, known_version, sealed};
use crate::{
    ApiError, App, Caller,
    auth::{ReadDatasets, Reader, verify_manifest},
    datasets::{known_name, version_number},
};

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LineageView {
    /// The version that was asked about.
    version: RelativeView,
    /// What it was built upon, and what that was built upon: the nearest first.
    ancestors: Vec<RelativeView>,
    /// What the last of these was built upon, where that is not shown to the caller; null for a visitor.
    beyond: Option<Base>,
    /// What was built upon it, and upon that: the nearest first, at most 1,000.
    descendants: Vec<RelativeView>,
}

/// A version among those that it is related to.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RelativeView {
    /// Publisher and name.
    model: String,
    version: u32,
    revision: Option<Revision>,
    state: VersionState,
    source: SourceKind,
    /// Of those that a job has trained.
    trained_on: Option<TrainedOn>,
    /// The job that made it; shown to its own tenant.
    job: Option<JobId>,
    /// What it was built upon, as `tenant/model:version`, if the caller sees it.
    base: Option<String>,
    url: String,
}

impl RelativeView {
    fn new(of: Relative, reader: Option<TenantId>) -> Self {
        let trained_on =
            of.dataset.map(|(dataset, version, sha256)| TrainedOn { dataset, version, sha256 });
        Self {
            url: format!("/v1/models/{}/versions/{}", of.model, of.number),
            model: of.model,
            version: of.number,
            revision: of.revision,
            state: of.state,
            source: of.kind,
            trained_on,
            job: of.job.filter(|_| Some(of.tenant) == reader),
            base: of.base.map(|(model, number)| format!("{model}:{number}")),
        }
    }
}

/// Read a version's lineage: back to the data that it was trained on, and on to what was built upon it.
#[utoipa::path(
    operation_id = "get_model_lineage",
    tag = "models",
    security((), ("bearer" = [])),
    params(("tenant" = String, Path), ("model" = String, Path), ("version" = String, Path)),
    responses((status = 200, body = LineageView), (status = 410, description = "The version was deleted")),
)]
#[get("/v1/models/{tenant}/{model}/versions/{version}/lineage")]
pub(super) async fn lineage(
    app: web::Data<App>,
    reader: Reader,
    path: web::Path<(String, String, String)>,
) -> Result<web::Json<LineageView>, ApiError> {
    let (tenant, name, named) = path.into_inner();
    let mut tx = reader.begin(&app).await?;
    let model = known_model(&mut tx, &tenant, &name).await?;
    let version = known_version(&mut tx, &model, &named).await?;
    tx.commit().await?;
    let version = sealed(&app, version).await?;
    let mut tx = reader.begin(&app).await?;
    let itself = models::relative(&mut tx, model.id, version.number).await?;
    let itself = itself
        .ok_or_else(|| ApiError::not_found("model version", format!("{tenant}/{name}/{named}")))?;
    let ancestors = models::ancestors(&mut tx, model.id, version.number).await?;
    let descendants = models::descendants(&mut tx, model.id, version.number).await?;
    tx.commit().await?;
    let beyond = match &reader {
        Reader::Caller(_) => beyond(&app, ancestors.last().unwrap_or(&itself)),
        // what is not public has no name for one
        Reader::Visitor => None,
    };
    let view = |of| RelativeView::new(of, reader.tenant());
    Ok(web::Json(LineageView {
        version: view(itself),
        ancestors: ancestors.into_iter().map(view).collect(),
        beyond,
        descendants: descendants.into_iter().map(view).collect(),
    }))
}

/// What its manifest names as its base, if that is not among what was found.
fn beyond(app: &App, last: &Relative) -> Option<Base> {
    if last.base.is_some() {
        return None;
    }
    let read = verify_manifest(last.manifest.as_deref()?, &app.signer.manifest_keys());
    read.ok()?.0.base
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DatasetLineageView {
    dataset: String,
    version: u32,
    sha256: Digest,
    /// What was trained on it, and what was built upon that: the nearest first, at most 1,000.
    models: Vec<RelativeView>,
}

/// Read what was trained on a dataset's version, and what was built upon that.
#[utoipa::path(
    operation_id = "get_dataset_lineage",
    tag = "datasets",
    params(("name" = String, Path), ("version" = String, Path, description = "A number or `latest`")),
    responses((status = 200, body = DatasetLineageView)),
)]
#[get("/v1/datasets/{name}/versions/{version}/lineage")]
pub(super) async fn of_dataset(
    app: web::Data<App>,
    caller: Caller<ReadDatasets>,
    path: web::Path<(String, String)>,
) -> Result<web::Json<DatasetLineageView>, ApiError> {
    let (name, number) = path.into_inner();
    let unknown = || ApiError::not_found("dataset version", format!("{name}/{number}"));
    let name = known_name(&name)?;
    let number = version_number(&number).ok_or_else(unknown)?;
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    let found = store::datasets::version(&mut tx, name.as_str(), number).await?;
    let found = found.ok_or_else(unknown)?;
    let models = models::of_dataset(&mut tx, found.dataset, found.number).await?;
    tx.commit().await?;
    Ok(web::Json(DatasetLineageView {
        dataset: found.dataset_name,
        version: found.number,
        sha256: found.sha256,
        models: models.into_iter().map(|of| RelativeView::new(of, Some(caller.tenant()))).collect(),
    }))
}

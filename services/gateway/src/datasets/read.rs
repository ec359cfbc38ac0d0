//! Reading datasets: what there is, what is in it, and the bytes themselves.

use actix_web::{HttpRequest, HttpResponse, get, web};
use domain::{
    TenantId,
    dataset::{Compression, Format},
    name::Name,
};
use store::datasets::{self, Version};

use super::{DatasetVersionView, DatasetView, known_name, version_number};
use crate::{
    ApiError, App, Caller, Listing,
    auth::{ReadDatasets, Unknown},
    download::{File, FileBytes, send},
};

/// List the tenant's datasets.
#[utoipa::path(
    operation_id = "list_datasets",
    tag = "datasets",
    responses((status = 200, body = Listing<DatasetView>)),
)]
#[get("/v1/datasets")]
pub(super) async fn list(
    app: web::Data<App>,
    caller: Caller<ReadDatasets>,
) -> Result<web::Json<Listing<DatasetView>>, ApiError> {
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    let found = datasets::list(&mut tx).await?;
    tx.commit().await?;
    Ok(web::Json(Listing::whole(found.into_iter().map(Into::into).collect())))
}

/// Read a dataset.
#[utoipa::path(
    operation_id = "get_dataset",
    tag = "datasets",
    params(("name" = String, Path)),
    responses(
        (status = 200, body = DatasetView),
    ),
)]
#[get("/v1/datasets/{name}")]
pub(super) async fn get(
    app: web::Data<App>,
    caller: Unknown<ReadDatasets>,
    name: web::Path<String>,
) -> Result<web::Json<DatasetView>, ApiError> {
    let wanted: Option<Name> = name.parse().ok();
    let (_, found) = caller.read(&app, wanted.as_ref()).await?;
    let dataset = found.ok_or_else(|| ApiError::not_found("dataset", &name))?;
    Ok(web::Json(dataset.into()))
}

/// List a dataset's versions, newest first.
#[utoipa::path(
    operation_id = "list_dataset_versions",
    tag = "datasets",
    params(("name" = String, Path)),
    responses(
        (status = 200, body = Listing<DatasetVersionView>),
    ),
)]
#[get("/v1/datasets/{name}/versions")]
pub(super) async fn list_versions(
    app: web::Data<App>,
    caller: Caller<ReadDatasets>,
    name: web::Path<String>,
) -> Result<web::Json<Listing<DatasetVersionView>>, ApiError> {
    let name = known_name(&name)?;
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    let found = datasets::versions(&mut tx, name.as_str()).await?;
    tx.commit().await?;
    if found.is_empty() {
        return Err(ApiError::not_found("dataset", &name));
    }
    Ok(web::Json(Listing::whole(found.into_iter().map(Into::into).collect())))
}

/// Read a version, with its profile.
#[utoipa::path(
    operation_id = "get_dataset_version",
    tag = "datasets",
    params(("name" = String, Path), ("version" = String, Path, description = "A number, or `latest`")),
    responses(
        (status = 200, body = DatasetVersionView),
    ),
)]
#[get("/v1/datasets/{name}/versions/{version}")]
pub(super) async fn get_version(
    app: web::Data<App>,
    caller: Caller<ReadDatasets>,
    path: web::Path<(String, String)>,
) -> Result<web::Json<DatasetVersionView>, ApiError> {
    let (name, number) = path.into_inner();
    let found = known_version(&app, caller.tenant(), &known_name(&name)?, &number).await?;
    Ok(web::Json(found.into()))
}

/// Download a version's bytes, as they were sent.
#[utoipa::path(
    operation_id = "download_dataset_version",
    tag = "datasets",
    params(("name" = String, Path), ("version" = String, Path, description = "A number, or `latest`")),
    responses(
        (status = 200, description = "The file", content(
            (FileBytes = "text/csv"),
            (FileBytes = "text/tab-separated-values"),
            (FileBytes = "application/x-ndjson"),
            (FileBytes = "text/plain"),
            (FileBytes = "application/zip"),
            (FileBytes = "application/gzip"),
            (FileBytes = "application/zstd"),
        )),
        (status = 304, description = "The client has it already"),
    ),
)]
#[get("/v1/datasets/{name}/versions/{version}/content")]
pub(super) async fn content(
    app: web::Data<App>,
    caller: Caller<ReadDatasets>,
    path: web::Path<(String, String)>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (name, number) = path.into_inner();
    let found = known_version(&app, caller.tenant(), &known_name(&name)?, &number).await?;
    let (media_type, ending) = media_type(found.format, found.compression);
    let file = File {
        owner: caller.tenant(),
        sha256: found.sha256,
        bytes: Some(found.bytes),
        name: format!("{name}-{}.{}{ending}", found.number, found.format),
        media_type,
    };
    send(&app, &request, caller.tenant(), file).await
}

async fn known_version(
    app: &App,
    tenant: TenantId,
    name: &Name,
    number: &str,
) -> Result<Version, ApiError> {
    let unknown = || ApiError::not_found("dataset version", format!("{name}/{number}"));
    let wanted = version_number(number).ok_or_else(unknown)?;
    let mut tx = app.store.begin_for(tenant).await?;
    let found = datasets::version(&mut tx, name.as_str(), wanted).await?;
    tx.commit().await?;
    found.ok_or_else(unknown)
}

/// The file as it was sent: a compressed one is not unpacked on the way, so that its digest holds.
const fn media_type(format: Format, compression: Compression) -> (&'static str, &'static str) {
    match (compression, format) {
        (Compression::Gzip, _) => ("application/gzip", ".gz"),
        (Compression::Zstd, _) => ("application/zstd", ".zst"),
        (Compression::None, Format::Csv) => ("text/csv", ""),
        (Compression::None, Format::Tsv) => ("text/tab-separated-values", ""),
        (Compression::None, Format::Jsonl) => ("application/x-ndjson", ""),
        (Compression::None, Format::Text) => ("text/plain", ""),
        (Compression::None, Format::Images) => ("application/zip", ".zip"),
    }
}

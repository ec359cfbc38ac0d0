//! A repository's files: listed as a tree, and sent with what the client's cache is kept by.

use std::collections::BTreeSet;

use actix_web::{
    HttpRequest, HttpResponse, get,
    http::{
        Method,
        header::{HeaderName, HeaderValue},
    },
    post, route, web,
};
use domain::registry::VersionFile;
use serde::{Deserialize, Serialize};
use store::models::ModelVersion;
use utoipa::ToSchema;

use super::{
    Known, at, commit_of,
    error::HubError,
    repository,
    views::{HubLfs, blob_id},
};
use crate::{
    ApiError, App, Params,
    auth::ReadModels,
    body::Whole,
    download::{File, FileBytes, send},
};

#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum HubEntry {
    File { path: String, size: u64, oid: String, lfs: HubLfs },
    Directory { path: String, oid: String, size: u64 },
}

impl HubEntry {
    fn file(file: &VersionFile) -> Self {
        Self::File {
            path: file.path.to_string(),
            size: file.bytes,
            oid: blob_id(file),
            lfs: HubLfs::of(file),
        }
    }

    fn folder(path: &str) -> Self {
        let mut oid = domain::Digest::of(path.as_bytes()).to_string();
        oid.truncate(40);
        Self::Directory { path: path.to_owned(), oid, size: 0 }
    }
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct HubTreeParams {
    /// Also what lies in folders.
    recursive: Option<String>,
}

impl HubTreeParams {
    fn is_recursive(&self) -> bool {
        self.recursive
            .as_deref()
            .is_some_and(|text| text.eq_ignore_ascii_case("true") || text == "1")
    }
}

/// List a repository's files at a revision.
#[utoipa::path(
    operation_id = "hub_list_tree", tag = "hub",
    params(
        ("tenant" = String, Path), ("model" = String, Path), ("revision" = String, Path),
        HubTreeParams,
    ),
    responses((status = 200, body = Vec<HubEntry>)),
)]
#[get("/hub/api/models/{tenant}/{model}/tree/{revision}")]
pub(super) async fn tree(
    app: web::Data<App>,
    caller: Known<ReadModels>,
    path: web::Path<(String, String, String)>,
    params: Params<HubTreeParams>,
) -> Result<web::Json<Vec<HubEntry>>, HubError> {
    let (tenant, name, revision) = path.into_inner();
    let version = read(&app, &caller, (&tenant, &name, &revision)).await?;
    Ok(web::Json(below(&version.files, "", params.0.is_recursive())))
}

/// List the files of a folder of a repository at a revision.
#[utoipa::path(
    operation_id = "hub_list_tree_below", tag = "hub",
    params(
        ("tenant" = String, Path), ("model" = String, Path), ("revision" = String, Path),
        ("file" = String, Path, description = "A folder"), HubTreeParams,
    ),
    responses((status = 200, body = Vec<HubEntry>)),
)]
#[get("/hub/api/models/{tenant}/{model}/tree/{revision}/{file:.*}")]
pub(super) async fn tree_below(
    app: web::Data<App>,
    caller: Known<ReadModels>,
    path: web::Path<(String, String, String, String)>,
    params: Params<HubTreeParams>,
) -> Result<web::Json<Vec<HubEntry>>, HubError> {
    let (tenant, name, revision, folder) = path.into_inner();
    let version = read(&app, &caller, (&tenant, &name, &revision)).await?;
    let entries = below(&version.files, &folder, params.0.is_recursive());
    if entries.is_empty() {
        return Err(HubError::entry(ApiError::not_found("folder", folder)));
    }
    Ok(web::Json(entries))
}

/// Folders first, as paths sort.
fn below(files: &[VersionFile], folder: &str, is_recursive: bool) -> Vec<HubEntry> {
    let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let mut folders = BTreeSet::new();
    let mut found = Vec::new();
    for file in files {
        let Some(rest) = file.path.as_str().strip_prefix(&prefix) else { continue };
        let slashes =
            rest.match_indices('/').map(|(at, _)| &file.path.as_str()[..prefix.len() + at]);
        if is_recursive {
            folders.extend(slashes);
            found.push(HubEntry::file(file));
        } else if let Some(first) = slashes.take(1).next() {
            folders.insert(first);
        } else {
            found.push(HubEntry::file(file));
        }
    }
    folders.into_iter().map(HubEntry::folder).chain(found).collect()
}

/// Which of these paths there are; in a form, `paths` once for each.
#[utoipa::path(
    operation_id = "hub_paths_info", tag = "hub",
    params(("tenant" = String, Path), ("model" = String, Path), ("revision" = String, Path)),
    request_body(content = String, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = Vec<HubEntry>)),
)]
#[post("/hub/api/models/{tenant}/{model}/paths-info/{revision}")]
pub(super) async fn paths_info(
    app: web::Data<App>,
    caller: Known<ReadModels>,
    path: web::Path<(String, String, String)>,
    form: Whole,
) -> Result<web::Json<Vec<HubEntry>>, HubError> {
    let (tenant, name, revision) = path.into_inner();
    let version = read(&app, &caller, (&tenant, &name, &revision)).await?;
    let asked: BTreeSet<_> = url::form_urlencoded::parse(&form.0)
        .filter(|(key, _)| key == "paths")
        .map(|(_, path)| path.trim_matches('/').to_owned())
        .collect();
    let all = below(&version.files, "", true).into_iter().filter(|entry| match entry {
        HubEntry::File { path, .. } | HubEntry::Directory { path, .. } => asked.contains(path),
    });
    Ok(web::Json(all.collect()))
}

/// Send a file of a repository at a revision. To HEAD, the client is told its size, its ETag and the commit.
#[utoipa::path(
    get, path = "/hub/{tenant}/{model}/resolve/{revision}/{file}",
    operation_id = "hub_resolve", tag = "hub",
    params(
        ("tenant" = String, Path), ("model" = String, Path), ("revision" = String, Path),
        ("file" = String, Path),
    ),
    responses(
        (status = 200, description = "The file", content(
            (FileBytes = "application/octet-stream"),
            (FileBytes = "text/plain"),
            (Object = "application/json"),
        )),
        (status = 304, description = "The client has it already"),
    ),
)]
#[route("/hub/{tenant}/{model}/resolve/{revision}/{file:.*}", method = "GET", method = "HEAD")]
pub(super) async fn resolve(
    app: web::Data<App>,
    caller: Known<ReadModels>,
    path: web::Path<(String, String, String, String)>,
    request: HttpRequest,
) -> Result<HttpResponse, HubError> {
    let (tenant, name, revision, file) = path.into_inner();
    let version = read(&app, &caller, (&tenant, &name, &revision)).await?;
    let commit = commit_of(&version)?.to_string();
    let known = version.files.iter().find(|known| known.path.as_str() == file);
    let Some(known) = known else {
        return Err(HubError::entry(ApiError::not_found("file", &file)));
    };
    let linked = [
        ("x-linked-size", known.bytes.to_string()),
        ("x-linked-etag", format!("\"{}\"", known.sha256)),
        ("x-repo-commit", commit),
    ];
    let file = File::of_version(version.tenant, known);
    let mut response = send(&app, &request, caller.0.tenant(), file).await?;
    if request.method() == Method::GET && response.status().is_success() {
        app.counts.downloaded(version.model, caller.0.tenant(), app.clock.now());
    }
    for (name, value) in linked {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    Ok(response)
}

async fn read(
    app: &App,
    caller: &Known<ReadModels>,
    (tenant, name, revision): (&str, &str, &str),
) -> Result<ModelVersion, HubError> {
    let mut tx = app.store.begin_for(caller.0.tenant()).await?;
    let model = repository(&mut tx, tenant, name).await?;
    at(app, tx, &model, revision).await
}

//! Repositories: making one, and reading what is said of one.

use actix_web::{HttpRequest, HttpResponse, get, post, put, web};
use domain::{
    Timestamp,
    access::Permission,
    name::Name,
    registry::{Reference, Visibility},
};
use serde::{Deserialize, Serialize};
use store::models::{self, Change, Creation, ModelVersion, Named};
use utoipa::ToSchema;

use super::{Known, at, commit_of, endpoint, error::HubError, repository, views::HubModel};
use crate::{
    ApiError, App, Body, Code,
    audit::Object,
    auth::{ReadModels, WriteModels},
    models::{looks_like, own_model, sealed},
};

/// Read a repository.
#[utoipa::path(
    operation_id = "hub_model_info", tag = "hub",
    params(("tenant" = String, Path), ("model" = String, Path)),
    responses((status = 200, body = HubModel)),
)]
#[get("/hub/api/models/{tenant}/{model}")]
pub(super) async fn info(
    app: web::Data<App>,
    caller: Known<ReadModels>,
    path: web::Path<(String, String)>,
) -> Result<web::Json<HubModel>, HubError> {
    let (tenant, name) = path.into_inner();
    let mut tx = app.store.begin_for(caller.0.tenant()).await?;
    let model = repository(&mut tx, &tenant, &name).await?;
    let latest = models::version(&mut tx, model.id, &Reference::Latest).await?;
    tx.commit().await?;
    let latest = match latest {
        Some(version) => Some(sealed(&app, version).await?),
        None => None,
    };
    Ok(web::Json(HubModel::new(model, latest.as_ref(), app.clock.now())?))
}

/// Read a repository at a revision.
#[utoipa::path(
    operation_id = "hub_model_info_at", tag = "hub",
    params(("tenant" = String, Path), ("model" = String, Path), ("revision" = String, Path)),
    responses((status = 200, body = HubModel)),
)]
#[get("/hub/api/models/{tenant}/{model}/revision/{revision}")]
pub(super) async fn info_at(
    app: web::Data<App>,
    caller: Known<ReadModels>,
    path: web::Path<(String, String, String)>,
) -> Result<web::Json<HubModel>, HubError> {
    let (tenant, name, revision) = path.into_inner();
    let mut tx = app.store.begin_for(caller.0.tenant()).await?;
    let model = repository(&mut tx, &tenant, &name).await?;
    let version = at(&app, tx, &model, &revision).await?;
    Ok(web::Json(HubModel::new(model, Some(&version), app.clock.now())?))
}

/// Whether the caller may read a repository.
#[utoipa::path(
    operation_id = "hub_auth_check", tag = "hub",
    params(("tenant" = String, Path), ("model" = String, Path)),
    responses((status = 200, description = "They may")),
)]
#[get("/hub/api/models/{tenant}/{model}/auth-check")]
pub(super) async fn auth_check(
    app: web::Data<App>,
    caller: Known<ReadModels>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, HubError> {
    let (tenant, name) = path.into_inner();
    let mut tx = app.store.begin_for(caller.0.tenant()).await?;
    repository(&mut tx, &tenant, &name).await?;
    tx.commit().await?;
    Ok(HttpResponse::Ok().finish())
}

#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct HubNewRepository {
    #[schema(value_type = Name)]
    name: String,
    /// The tenant; the caller's if absent.
    organization: Option<String>,
    /// `model`, which is also meant if absent.
    #[serde(rename = "type")]
    kind: Option<String>,
    visibility: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HubRepository {
    url: String,
    id: String,
    name: String,
}

/// The client takes a repository that is there already for a new one, if it was told to.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HubTaken {
    error: String,
    #[serde(flatten)]
    there: HubRepository,
}

/// Make a repository. It is private until it has a licence and is made public.
#[utoipa::path(
    operation_id = "hub_create_repo", tag = "hub",
    request_body = HubNewRepository,
    responses(
        (status = 200, body = HubRepository),
        (status = 409, description = "The name is taken", body = HubTaken),
    ),
)]
#[post("/hub/api/repos/create")]
pub(super) async fn create(
    app: web::Data<App>,
    caller: Known<WriteModels>,
    new: Body<HubNewRepository>,
    req: HttpRequest,
) -> Result<HttpResponse, HubError> {
    let (caller, new) = (caller.0, new.0);
    if new.kind.as_deref().is_some_and(|kind| kind != "model") {
        return Err(HubError::bad("repositories here are models; data is pushed to /v1/datasets"));
    }
    if new.visibility.as_deref().is_some_and(|visibility| visibility != "private") {
        let why = "a new repository is private: a public model needs a licence and a version first";
        return Err(HubError::bad(why));
    }
    let home = caller.tenant_slug().to_owned();
    if new.organization.is_some_and(|organization| organization != home) {
        let why = format!("you may make repositories in `{home}` alone");
        return Err(ApiError::new(Code::Forbidden, why).into());
    }
    let name: Name =
        new.name.parse().map_err(|why: domain::name::NameError| HubError::bad(why.to_string()))?;
    let id = format!("{home}/{name}");
    let url = format!("{}/{id}", endpoint(&req));
    let there = HubRepository { url, id: id.clone(), name: name.to_string() };
    let mut tx = caller.begin(&app).await?;
    match models::create(&mut tx, &name).await? {
        Creation::Created(_) => {}
        Creation::Exists(_) => {
            let error = format!("there is a model `{id}` already");
            return Ok(HttpResponse::Conflict().json(HubTaken { error, there }));
        }
        Creation::LooksLike(other) => return Err(HubError::bad(looks_like(&name, &other).detail)),
    }
    tx.done(Object::new("model", id)).await?;
    Ok(HttpResponse::Ok().json(there))
}

#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct HubSettings {
    visibility: Option<String>,
    private: Option<bool>,
}

/// Make a repository public or private.
#[utoipa::path(
    operation_id = "hub_update_repo", tag = "hub",
    params(("tenant" = String, Path), ("model" = String, Path)),
    request_body = HubSettings,
    responses((status = 200, description = "It is so")),
)]
#[put("/hub/api/models/{tenant}/{model}/settings")]
pub(super) async fn settings(
    app: web::Data<App>,
    caller: Known<WriteModels>,
    path: web::Path<(String, String)>,
    settings: Body<HubSettings>,
) -> Result<HttpResponse, HubError> {
    let (tenant, name) = path.into_inner();
    let caller = caller.0;
    let visibility = match (settings.0.visibility.as_deref(), settings.0.private) {
        (Some("public"), _) | (None, Some(false)) => Visibility::Public,
        (Some("private"), _) | (None, Some(true)) => Visibility::Private,
        _ => return Err(HubError::bad("`visibility` is `public` or `private` here")),
    };
    if !caller.may(Permission::PublishModels) {
        let why = "who sees a model is for those who may publish models; ask an owner or admin";
        return Err(ApiError::new(Code::Forbidden, why).into());
    }
    let mut tx = caller.begin(&app).await?;
    let model = own_model(&mut tx, &tenant, &name).await.map_err(HubError::of_repository)?;
    if visibility == Visibility::Public && model.licence.is_none() {
        let why = "a public model needs a licence: put `license: …` at the head of its README.md";
        return Err(HubError::bad(why));
    }
    let change = Change { visibility: Some(visibility), ..Change::default() };
    models::update(&mut tx, model.id, change).await?;
    tx.done(Object::new("model", format!("{tenant}/{name}"))).await?;
    Ok(HttpResponse::Ok().json(serde_json::json!({})))
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HubRefs {
    branches: Vec<HubRef>,
    converts: Vec<HubRef>,
    tags: Vec<HubRef>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct HubRef {
    name: String,
    #[serde(rename = "ref")]
    full: String,
    target_commit: String,
}

/// List what names a repository's versions.
#[utoipa::path(
    operation_id = "hub_list_refs", tag = "hub",
    params(("tenant" = String, Path), ("model" = String, Path)),
    responses((status = 200, body = HubRefs)),
)]
#[get("/hub/api/models/{tenant}/{model}/refs")]
pub(super) async fn refs(
    app: web::Data<App>,
    caller: Known<ReadModels>,
    path: web::Path<(String, String)>,
) -> Result<web::Json<HubRefs>, HubError> {
    let (tenant, name) = path.into_inner();
    let mut tx = app.store.begin_for(caller.0.tenant()).await?;
    let model = repository(&mut tx, &tenant, &name).await?;
    let aliases = models::aliases(&mut tx, model.id).await?;
    let latest = models::version(&mut tx, model.id, &Reference::Latest).await?;
    tx.commit().await?;
    let mut tags = Vec::new();
    for Named { alias: name, number, revision, .. } in aliases {
        let target_commit = match revision {
            Some(revision) => revision.to_string(),
            // published this very moment
            None => {
                let tx = app.store.begin_for(caller.0.tenant()).await?;
                commit_of(&at(&app, tx, &model, &number.to_string()).await?)?.to_string()
            }
        };
        tags.push(HubRef { full: format!("refs/tags/{name}"), name, target_commit });
    }
    let mut branches = Vec::new();
    if let Some(version) = latest {
        let target_commit = commit_of(&sealed(&app, version).await?)?.to_string();
        let (name, full) = ("main".to_owned(), "refs/heads/main".to_owned());
        branches.push(HubRef { name, full, target_commit });
    }
    Ok(web::Json(HubRefs { branches, converts: Vec::new(), tags }))
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HubCommit {
    id: String,
    title: String,
    message: String,
    #[schema(value_type = String, format = DateTime)]
    date: Timestamp,
    authors: Vec<HubAuthor>,
}

#[derive(Debug, Serialize, ToSchema)]
struct HubAuthor {
    user: String,
}

/// List a repository's versions, newest first.
#[utoipa::path(
    operation_id = "hub_list_commits", tag = "hub",
    params(("tenant" = String, Path), ("model" = String, Path), ("revision" = String, Path)),
    responses((status = 200, body = Vec<HubCommit>)),
)]
#[get("/hub/api/models/{tenant}/{model}/commits/{revision}")]
pub(super) async fn commits(
    app: web::Data<App>,
    caller: Known<ReadModels>,
    path: web::Path<(String, String, String)>,
) -> Result<web::Json<Vec<HubCommit>>, HubError> {
    let (tenant, name, revision) = path.into_inner();
    let mut tx = app.store.begin_for(caller.0.tenant()).await?;
    let model = repository(&mut tx, &tenant, &name).await?;
    let newest = at(&app, tx, &model, &revision).await?;
    let mut tx = app.store.begin_for(caller.0.tenant()).await?;
    let before = newest.number.checked_add(1);
    let versions = models::versions(&mut tx, model.id, before, Some(200)).await?.items;
    tx.commit().await?;
    let mut commits = Vec::new();
    for version in versions {
        commits.push(told(&sealed(&app, version).await?, &model.tenant_slug)?);
    }
    Ok(web::Json(commits))
}

fn told(version: &ModelVersion, tenant: &str) -> Result<HubCommit, HubError> {
    Ok(HubCommit {
        id: commit_of(version)?.to_string(),
        title: format!("Version {}, {}", version.number, version.kind.as_str()),
        message: version.reason.clone(),
        date: version.created_at,
        authors: vec![HubAuthor { user: tenant.to_owned() }],
    })
}

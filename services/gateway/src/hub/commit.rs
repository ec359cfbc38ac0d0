//! A commit: what is to change of a model's files, a line of JSON for each, makes the model's next
//! version. Bytes are stored as they come; rows are written once all of them are there.

mod change;
mod lines;

use actix_web::{HttpRequest, post, web};
use domain::registry::{FilePath, Reference, SourceKind, VersionState};
use serde::{Deserialize, Serialize};
use store::models::{self, Change, Model, ModelVersion, NewVersion};
use utoipa::ToSchema;

use self::{change::Changes, lines::read};
use super::{Known, commit_of, endpoint, error::HubError};
use crate::{
    ApiError, App, Body, Code,
    audit::{Act, Object},
    auth::WriteModels,
    models::{own_model, sealed},
    storage::check_room,
};
use domain::access::Permission;
use store::TenantTx;

/// A file up to this size stands in the commit itself.
const MAX_INLINE_BYTES: u64 = 32 << 20;
const MAX_FILES: usize = 10_000;

#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct HubPreupload {
    files: Vec<HubAnnounced>,
}

#[derive(Debug, Deserialize, ToSchema)]
struct HubAnnounced {
    path: String,
    size: u64,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HubModes {
    files: Vec<HubMode>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct HubMode {
    path: String,
    /// `regular` or `lfs`.
    upload_mode: &'static str,
    should_ignore: bool,
}

/// How each file of a commit is to be sent.
#[utoipa::path(
    operation_id = "hub_preupload", tag = "hub",
    params(("tenant" = String, Path), ("model" = String, Path), ("revision" = String, Path)),
    request_body = HubPreupload,
    responses((status = 200, body = HubModes)),
)]
#[post("/hub/api/models/{tenant}/{model}/preupload/{revision}")]
pub(super) async fn preupload(
    app: web::Data<App>,
    caller: Known<WriteModels>,
    path: web::Path<(String, String, String)>,
    announced: Body<HubPreupload>,
) -> Result<web::Json<HubModes>, HubError> {
    let (tenant, name, _) = path.into_inner();
    let mut tx = app.store.begin_for(caller.0.tenant()).await?;
    own_model(&mut tx, &tenant, &name).await.map_err(HubError::of_repository)?;
    tx.commit().await?;
    let mode = |HubAnnounced { path, size }: HubAnnounced| {
        path.parse::<FilePath>().map_err(|why| HubError::bad(why.to_string()))?;
        let upload_mode = if size <= MAX_INLINE_BYTES { "regular" } else { "lfs" };
        Ok(HubMode { path, upload_mode, should_ignore: false })
    };
    let files: Result<Vec<_>, HubError> = announced.0.files.into_iter().map(mode).collect();
    Ok(web::Json(HubModes { files: files? }))
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct HubCommitted {
    success: bool,
    commit_oid: String,
    commit_url: String,
}

/// Change a model's files: its next version has them.
#[utoipa::path(
    operation_id = "hub_commit", tag = "hub",
    params(("tenant" = String, Path), ("model" = String, Path), ("revision" = String, Path)),
    request_body(content(
        (String = "application/x-ndjson"),
        (String = "text/plain"),
    )),
    responses(
        (status = 200, body = HubCommitted),
        (status = 412, description = "`main` is not at `parentCommit` any more"),
    ),
)]
#[post("/hub/api/models/{tenant}/{model}/commit/{revision}")]
pub(super) async fn commit(
    app: web::Data<App>,
    caller: Known<WriteModels>,
    path: web::Path<(String, String, String)>,
    payload: web::Payload,
    req: HttpRequest,
) -> Result<web::Json<HubCommitted>, HubError> {
    let (tenant, name, revision) = path.into_inner();
    let caller = caller.0;
    if revision.parse() != Ok(Reference::Latest) {
        let why = format!("commits go to `main`, and not to `{revision}`: a version never changes");
        return Err(HubError::bad(why));
    }
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    let model = own_model(&mut tx, &tenant, &name).await.map_err(HubError::of_repository)?;
    tx.commit().await?;
    let changes = read(&app, model.tenant, payload).await?;
    let may_publish = caller.may(Permission::PublishModels);

    let mut tx = caller.begin(&app).await?;
    let version = add(&app, &mut tx, &model, &changes, may_publish).await?;
    tx.done(Object::new("model version", format!("{tenant}/{name}:{}", version.number))).await?;
    let version = sealed(&app, version).await?;
    let oid = commit_of(&version)?.to_string();
    let commit_url = format!("{}/{tenant}/{name}/commit/{oid}", endpoint(&req));
    Ok(web::Json(HubCommitted { success: true, commit_oid: oid, commit_url }))
}

/// One commit after the other: each begins from what the one before has left.
async fn add(
    app: &App,
    tx: &mut Act<TenantTx<'_>>,
    model: &Model,
    changes: &Changes,
    may_publish: bool,
) -> Result<ModelVersion, HubError> {
    models::lock(tx, model.id).await?;
    let head = models::version(&mut **tx, model.id, &Reference::Latest).await?;
    check_parent(changes, head.as_ref())?;
    let files = changes.applied(head.as_ref())?;
    if files.len() > MAX_FILES {
        return Err(HubError::bad(format!("a version has at most {MAX_FILES} files")));
    }
    let made = change::made(app, model.tenant, &files, head.as_ref()).await?;
    say(tx, model, changes, may_publish).await?;
    let new = NewVersion {
        kind: SourceKind::Uploaded,
        state: VersionState::Published,
        files,
        made,
        base: head.map(|head| (head.model, head.number)),
    };
    let number = models::add_version(tx, model.id, &new).await?;
    check_room(tx, "this commit").await?;
    let added = models::version(&mut **tx, model.id, &Reference::Number(number)).await?;
    added.ok_or_else(|| ApiError::not_found("model version", number).into())
}

fn check_parent(changes: &Changes, head: Option<&ModelVersion>) -> Result<(), HubError> {
    let Some(parent) = &changes.parent else { return Ok(()) };
    let found = head.and_then(|head| head.sealed.as_ref()).map(|(revision, _)| revision.as_str());
    if found == Some(parent.as_str()) {
        return Ok(());
    }
    let why = format!(
        "the commit was made upon {parent}, and `main` is at {} by now; look again and commit anew",
        found.unwrap_or("no commit yet")
    );
    Err(ApiError::new(Code::PreconditionFailed, why).into())
}

/// What a README.md says of the model, the model says too. A licence is for those who may publish.
async fn say(
    tx: &mut TenantTx<'_>,
    model: &Model,
    changes: &Changes,
    may_publish: bool,
) -> Result<(), HubError> {
    let Some(card) = &changes.card else { return Ok(()) };
    let licence = card.licence.filter(|licence| Some(*licence) != model.licence);
    if licence.is_some() && !may_publish {
        let why = "the licence is for those who may publish models; ask an owner or admin, or leave `license` as it is";
        return Err(ApiError::new(Code::Forbidden, why).into());
    }
    let change = Change {
        card: Some(card.text.clone()),
        licence,
        tags: card.tags.clone(),
        ..Change::default()
    };
    models::update(tx, model.id, change).await?;
    Ok(())
}

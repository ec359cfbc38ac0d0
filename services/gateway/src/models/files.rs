//! Downloading a version's files: the weights, which other tools can open, what is needed to rebuild the
//! network and its input, and whatever else was sent.

use actix_web::{HttpRequest, HttpResponse, get, web};

use super::{known_model, known_version};
use crate::{
    ApiError, App, Caller,
    auth::ReadModels,
    download::{File, FileBytes, send},
};

/// Download a file of a version.
#[utoipa::path(
    operation_id = "download_model_file",
    tag = "models",
    params(
        ("tenant" = String, Path),
        ("model" = String, Path),
        ("version" = String, Path, description = "A number, an alias, a revision, or `latest`"),
        ("file" = String, Path, description = "Its path, as `model.safetensors`"),
    ),
    responses(
        (status = 200, description = "The file", content(
            (FileBytes = "application/octet-stream"),
            (FileBytes = "text/plain"),
            (Object = "application/json"),
        )),
        (status = 304, description = "The client has it already"),
        (status = 410, description = "The version was deleted"),
    ),
)]
#[get("/v1/models/{tenant}/{model}/versions/{version}/files/{file:.*}")]
pub(super) async fn file(
    app: web::Data<App>,
    caller: Caller<ReadModels>,
    path: web::Path<(String, String, String, String)>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let (tenant, name, number, file) = path.into_inner();
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    let model = known_model(&mut tx, &tenant, &name).await?;
    let version = known_version(&mut tx, &model, &number).await?;
    tx.commit().await?;
    let known = version.files.iter().find(|known| known.path.as_str() == file);
    let Some(known) = known else {
        let paths: Vec<_> = version.files.iter().map(|known| known.path.as_str()).collect();
        let what = format!("file of the version (it has {})", paths.join(", "));
        return Err(ApiError::not_found(&what, file));
    };
    let response =
        send(&app, &request, caller.tenant(), File::of_version(version.tenant, known)).await?;
    if response.status().is_success() {
        app.counts.downloaded(model.id, caller.tenant(), app.clock.now());
    }
    Ok(response)
}

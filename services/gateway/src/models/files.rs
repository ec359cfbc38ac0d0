//! Downloading a version's two files: the weights, which other tools can open, and what is needed to
//! rebuild the network and its input.

use actix_web::{HttpRequest, HttpResponse, get, web};
use domain::child::{CONFIG_FILE, WEIGHTS_FILE};

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
        ("version" = String, Path, description = "A number, or `latest`"),
        ("file" = String, Path, description = "`model.safetensors` or `config.json`"),
    ),
    responses(
        (status = 200, description = "The file", content(
            (FileBytes = "application/octet-stream"),
            (Object = "application/json"),
        )),
        (status = 304, description = "The client has it already"),
    ),
)]
#[get("/v1/models/{tenant}/{model}/versions/{version}/files/{file}")]
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
    let (sha256, bytes, media_type) = match file.as_str() {
        WEIGHTS_FILE => {
            (version.weights_sha256, Some(version.weights_bytes), "application/octet-stream")
        }
        CONFIG_FILE => (version.config_sha256, None, "application/json"),
        _ => {
            let what = format!("file of the model (it has {WEIGHTS_FILE} and {CONFIG_FILE})");
            return Err(ApiError::not_found(&what, file));
        }
    };
    let file = File { owner: version.tenant, sha256, bytes, name: file, media_type };
    send(&app, &request, file).await
}

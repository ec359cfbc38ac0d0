//! Predicting: raw rows in, answers out. What the model does with them is the predictor's; here the
//! request is read and the errors are put in the client's words.

use actix_web::{post, web};
use domain::{
    FieldErrors,
    predict::{Prediction, Row},
    registry::VersionState,
};
use serde::{Deserialize, Serialize};
use serving::PredictError;
use store::models::ModelVersion;
use utoipa::{IntoParams, ToSchema};

use super::{known_model, known_version};
use crate::{ApiError, App, Body, Caller, Code, Params, auth::Predict};

const MAX_ROWS: usize = 10_000;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct PredictParams {
    /// A number, an alias or a revision; the newest that is published if absent.
    version: Option<String>,
}

/// One of the two: `row` for one answer, `rows` for up to 10,000.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PredictRequest {
    /// Column to value; columns that the model does not use are ignored.
    #[schema(value_type = Option<Object>, examples(json!({"radius_mean": 17.99, "texture_mean": 10.38})))]
    row: Option<Row>,
    #[schema(value_type = Option<Vec<Object>>)]
    rows: Option<Vec<Row>>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PredictAnswer {
    /// Publisher and name.
    pub model: String,
    pub version: u32,
    /// That the version should not be used any more, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// One for each row, in their order; of a forecaster, one for each series.
    pub predictions: Vec<Prediction>,
}

/// Predict with a published model.
#[utoipa::path(
    operation_id = "predict",
    tag = "models",
    params(("tenant" = String, Path), ("model" = String, Path), PredictParams),
    request_body = PredictRequest,
    responses(
        (status = 200, body = PredictAnswer),
        (status = 409, description = "The version's files are no model that can be run here"),
        (status = 410, description = "The version was deleted"),
    ),
)]
#[post("/v1/models/{tenant}/{model}/predict")]
pub(super) async fn predict(
    app: web::Data<App>,
    caller: Caller<Predict>,
    path: web::Path<(String, String)>,
    params: Params<PredictParams>,
    request: Body<PredictRequest>,
) -> Result<web::Json<PredictAnswer>, ApiError> {
    let (tenant, name) = path.into_inner();
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    let model = known_model(&mut tx, &tenant, &name).await?;
    let named = params.0.version.as_deref().unwrap_or("latest");
    let version = known_version(&mut tx, &model, named).await?;
    tx.commit().await?;
    let (rows, is_one) = request.0.rows()?;
    let answer = app.predictor.predict(&version, rows).await;
    let predictions = answer.map_err(|error| told_of_rows(error, is_one))?;
    app.counts.predicted(model.id, predictions.len() as u64);
    let model = format!("{tenant}/{name}");
    let warning = warning(&version);
    Ok(web::Json(PredictAnswer { model, version: version.number, warning, predictions }))
}

impl PredictRequest {
    /// The rows, and whether they came as one `row`.
    pub fn rows(self) -> Result<(Vec<Row>, bool), FieldErrors> {
        let example = "send `row`: {column: value, …}, or `rows` with several of them";
        match (self.row, self.rows) {
            (Some(row), None) => Ok((vec![row], true)),
            (None, Some(rows)) if rows.is_empty() => {
                Err(FieldErrors::one("rows", format!("is empty; {example}")))
            }
            (None, Some(rows)) if rows.len() > MAX_ROWS => {
                let why = format!("has {} rows; send at most {MAX_ROWS} at once", rows.len());
                Err(FieldErrors::one("rows", why))
            }
            (None, Some(rows)) => Ok((rows, false)),
            (Some(_), Some(_)) => {
                Err(FieldErrors::one("rows", format!("comes beside `row`; {example}")))
            }
            (None, None) => Err(FieldErrors::one("row", format!("is missing; {example}"))),
        }
    }
}

pub(crate) fn warning(version: &ModelVersion) -> Option<String> {
    let what = match version.state {
        VersionState::Deprecated => "is deprecated",
        VersionState::Yanked => "was yanked",
        VersionState::Draft | VersionState::Published | VersionState::Deleted => return None,
    };
    let reason = if version.reason.is_empty() { "" } else { ": " };
    Some(format!("version {} {what}{reason}{}", version.number, version.reason))
}

/// In the words of a request that may have had one `row`.
pub(crate) fn told_of_rows(error: PredictError, is_one: bool) -> ApiError {
    match error {
        PredictError::Rows(mut errors) => {
            if is_one {
                for error in &mut errors.0 {
                    error.field = error.field.replacen("rows[0]", "row", 1);
                }
            }
            errors.into()
        }
        error => told_of_version(error),
    }
}

/// What is wrong with the version, whatever it is asked.
pub(crate) fn told_of_version(error: PredictError) -> ApiError {
    match error {
        PredictError::Blobs(error) => error.into(),
        PredictError::NotOurs => {
            let why =
                "the version's files are no model that can be run here; download them instead";
            ApiError::new(Code::Conflict, why)
        }
        error => ApiError::internal(&error),
    }
}

//! Predicting: raw rows in, answers out, or one text as it comes. What the model does with them is the predictor's;
//! here the request is read and the errors are put in the client's words.

use actix_web::{HttpRequest, HttpResponse, http::header::ACCEPT, post, web};
use domain::{
    FieldErrors,
    explain::Explain,
    predict::{Prediction, Row},
};
use serde::{Deserialize, Serialize};
use serving::{Asked, generates};
use utoipa::{IntoParams, ToSchema};

use super::{
    asking::{By, asked, meter, named, told},
    telling,
};
use crate::{ApiError, App, Body, Caller, Params, auth::Predict, recent::Named};

pub(crate) const MAX_ROWS: usize = 10_000;
const MAX_TOP: u32 = 1_000_000;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct PredictParams {
    /// A number, an alias or a revision; the newest that is published if absent.
    version: Option<String>,
}

impl PredictParams {
    pub fn version(&self) -> &str {
        self.version.as_deref().unwrap_or("latest")
    }
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
    /// Of a classifier: only so many of the most probable classes, the most probable first.
    #[schema(minimum = 1)]
    top_k: Option<u32>,
    /// Of a language model, with `row`: the text as it comes, as server-sent events.
    #[serde(default)]
    stream: bool,
    /// Of a model of tables or texts: what each answer is made of. Each prediction then comes as `{prediction,
    /// explanation}`, of up to 32 rows at once.
    explain: Option<Explain>,
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
///
/// With `stream`, or where `text/event-stream` is accepted, a language model's text comes as server-sent events:
/// each `{"text": "…"}` goes on where the one before it ended, and the last one, `event: done`, has the whole.
#[utoipa::path(
    operation_id = "predict",
    tag = "models",
    params(("tenant" = String, Path), ("model" = String, Path), PredictParams),
    request_body = PredictRequest,
    responses(
        (status = 200, content(
            (PredictAnswer = "application/json"),
            (telling::TextEvent = "text/event-stream"),
        )),
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
    request: HttpRequest,
    body: Body<PredictRequest>,
) -> Result<HttpResponse, ApiError> {
    let (tenant, name) = path.into_inner();
    let named = named(&app, &caller, (&tenant, &name), params.0.version()).await?;
    let Question { rows, is_one, top, stream, explain } =
        body.0.read(&named, accepts_events(&request))?;
    let by = By::of(&caller);
    if stream {
        let row = rows.into_iter().next().expect("a stream is of one row");
        return telling::tell(app, by, named, row).await;
    }
    let asked = Asked { explain, ..asked(&by, &named) };
    let answered = app.predictor.predict(asked, rows).await;
    let answered = answered.map_err(|error| of_one(told(error), is_one))?;
    meter(&app, &by, &named, &answered);
    Ok(HttpResponse::Ok().json(PredictAnswer::new(&named, answered.predictions, top)))
}

impl PredictAnswer {
    /// `top`: so many classes of each.
    pub fn new(named: &Named, predictions: Vec<Prediction>, top: Option<usize>) -> Self {
        let predictions = match top {
            Some(top) => predictions.into_iter().map(|one| one.top(top)).collect(),
            None => predictions,
        };
        Self {
            model: named.name.clone(),
            version: named.version.number,
            warning: named.warning(),
            predictions,
        }
    }
}

/// A request that is well formed.
pub(crate) struct Question {
    pub rows: Vec<Row>,
    /// It came as one `row`.
    pub is_one: bool,
    pub top: Option<usize>,
    pub stream: bool,
    pub explain: Option<Explain>,
}

impl PredictRequest {
    /// `streams`: that a stream would be taken.
    pub fn read(self, named: &Named, streams: bool) -> Result<Question, FieldErrors> {
        let made = named.version.made.as_ref();
        let (top, stream, explain) = (self.top_k, self.stream, self.explain);
        let (rows, is_one) = self.rows()?;
        if let Some(explain) = explain {
            explain.check(rows.len())?;
        }
        let classifies = made.is_none_or(|made| !made.config.classes.is_empty());
        match top {
            Some(_) if !classifies => {
                let why = "is for classifiers, and this model has no classes; leave it out";
                return Err(FieldErrors::one("top_k", why));
            }
            Some(top) if !(1..=MAX_TOP).contains(&top) => {
                let why = format!("is {top}; use a number from 1 to {MAX_TOP}");
                return Err(FieldErrors::one("top_k", why));
            }
            _ => {}
        }
        let can_stream = made.is_none() || generates(&named.version);
        if stream && !(can_stream && is_one) {
            let why = if can_stream {
                "one text at a time comes as a stream; send `row`"
            } else {
                "only a language model's text comes as a stream; leave it out"
            };
            return Err(FieldErrors::one("stream", why));
        }
        let stream = stream || (streams && can_stream && is_one && explain.is_none());
        Ok(Question { rows, is_one, top: top.map(|top| top as usize), stream, explain })
    }

    /// The rows, and whether they came as one `row`.
    fn rows(self) -> Result<(Vec<Row>, bool), FieldErrors> {
        let example = "send `row`: {column: value, …}, or `rows` with several of them";
        match (self.row, self.rows) {
            (Some(row), None) => Ok((vec![row], true)),
            (None, Some(rows)) if rows.is_empty() => {
                Err(FieldErrors::one("rows", format!("is empty; {example}")))
            }
            (None, Some(rows)) if rows.len() > MAX_ROWS => {
                let why = format!(
                    "has {} rows; send at most {MAX_ROWS} at once, in several requests one after the other",
                    rows.len()
                );
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

fn accepts_events(request: &HttpRequest) -> bool {
    let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/event-stream"))
}

/// One `row` is not called `rows[0]`.
pub(crate) fn of_one(mut error: ApiError, is_one: bool) -> ApiError {
    if is_one {
        for field in &mut error.errors {
            field.field = field.field.replacen("rows[0]", "row", 1);
        }
        if let [only] = error.errors.as_slice() {
            error.detail = format!("{}: {}", only.field, only.message);
        }
    }
    error
}

//! Calling an endpoint: the split says who answers, and the shadow is asked behind the caller's back.

use std::{sync::Arc, time::Instant};

use actix_web::{HttpRequest, post, web};
use boot::rates::Rate;
use domain::{
    endpoint::sticky_draw,
    explain::Explain,
    predict::{Prediction, Row},
    registry::{Reference, VersionState},
};
use serving::Asked;
use store::{
    TenantTx,
    endpoints::{Endpoint, EndpointTally, Target, TargetKey},
    models::{self, ModelVersion},
};

use super::{called, known, parts};
use crate::{
    ApiError, App, Body, Caller, Code,
    auth::Predict,
    limits::{SOON_SECS, count_endpoint},
    models::{By, PredictAnswer, PredictRequest, Question, asked, meter, of_one, told},
    recent::Named,
};

const STICKY_KEY: &str = "Sticky-Key";
const MAX_KEY_CHARS: usize = 200;
/// How far two numbers may lie apart, of the larger, and still agree.
const CLOSE: f64 = 0.01;

/// Predict with one of an endpoint's versions.
#[utoipa::path(
    operation_id = "predict_by_endpoint", tag = "endpoints",
    params(
        ("endpoint" = String, Path),
        ("Sticky-Key" = Option<String>, Header, description = "Calls with the same key are answered by the same version, for as long as the weights stay: up to 200 characters"),
    ),
    request_body = PredictRequest,
    responses(
        (status = 200, body = PredictAnswer),
        (status = 409, description = "The version's files are no model that can be run here"),
        (status = 410, description = "The version that the call fell to was deleted, or is shown no more"),
    ),
)]
#[post("/v1/endpoints/{endpoint}/predict")]
pub(super) async fn predict(
    app: web::Data<App>,
    caller: Caller<Predict>,
    path: web::Path<String>,
    request: Body<PredictRequest>,
    http: HttpRequest,
) -> Result<web::Json<PredictAnswer>, ApiError> {
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    let endpoint = known(&mut tx, &path).await?;
    let _call = begin(&app, &http, &endpoint).await?;
    let (live, split, shadow) = parts(&endpoint.targets)?;
    let draw = draw(&http, &endpoint)?;
    let target = live[split.choose(draw)];
    let version = version(&mut tx, &endpoint, target).await?;
    let shadow = match shadow.filter(|shadow| draw % 100 < u64::from(shadow.weight)) {
        // whatever is wrong with it is not the caller's business
        Some(shadow) => self::version(&mut tx, &endpoint, shadow).await.ok().map(|v| (shadow, v)),
        None => None,
    };
    tx.commit().await?;
    let Question { rows, is_one, top, stream, explain } = request.0.read(&version, false)?;
    if stream {
        let why = "an endpoint answers whole texts; leave it out, or ask a version itself";
        return Err(ApiError::field("stream", why));
    }
    let by = By::of(&caller);
    let asked = if shadow.is_some() { rows.clone() } else { Vec::new() };
    let asking = Asking { by: &by, rows, explain, expected: None };
    let predictions = answer(&app, &endpoint, (target, &version), asking).await;
    let predictions = predictions.map_err(|error| of_one(told(error), is_one))?;
    if let Some((shadow, version)) = shadow {
        let (endpoint, shadow, answered) = (endpoint.clone(), shadow.clone(), predictions.clone());
        ask_behind(app.clone(), endpoint, (shadow, version), (by, asked), answered);
    }
    Ok(web::Json(PredictAnswer::new(&version, predictions, top)))
}

/// Within what the endpoint lets through.
async fn begin<'a>(
    app: &'a App,
    http: &HttpRequest,
    endpoint: &Endpoint,
) -> Result<super::Call<'a>, ApiError> {
    if let Some(rate) = endpoint.settings.per_second.and_then(std::num::NonZeroU32::new) {
        count_endpoint(app, http, endpoint.id, Rate::per_second(rate)).await?;
    }
    let most = endpoint.settings.max_concurrent;
    app.endpoints.under_way.begin(endpoint.id, most).ok_or_else(|| {
        let why = format!(
            "`{}` is answering {most} calls, its `max_concurrent`; come again in {SOON_SECS} s",
            endpoint.name
        );
        ApiError::new(Code::RateLimited, why).retry_after(SOON_SECS)
    })
}

/// By the sticky key if there is one, else by lot.
fn draw(http: &HttpRequest, endpoint: &Endpoint) -> Result<u64, ApiError> {
    let Some(key) = http.headers().get(STICKY_KEY) else {
        return getrandom::u64().map_err(|error| ApiError::internal(&error));
    };
    let key = key.to_str().ok().filter(|key| (1..=MAX_KEY_CHARS).contains(&key.len()));
    let key = key.ok_or_else(|| {
        let why = format!("is not 1 to {MAX_KEY_CHARS} visible ASCII characters");
        ApiError::field(STICKY_KEY, why)
    })?;
    Ok(sticky_draw(endpoint.id, key))
}

async fn version(
    tx: &mut TenantTx<'_>,
    endpoint: &Endpoint,
    target: &Target,
) -> Result<Named, ApiError> {
    let found = models::version(tx, target.model, &Reference::Number(target.version)).await?;
    let found = found.filter(|version| version.state != VersionState::Deleted);
    let named = |(version, name): (ModelVersion, &String)| Named {
        name: name.clone(),
        model: target.model,
        version: Arc::new(version),
    };
    found.zip(target.name.as_ref()).map(named).ok_or_else(|| {
        let why = format!(
            "{}, to which `{}` sends some calls, was deleted or is shown no more; change the endpoint's traffic",
            called(target),
            endpoint.name
        );
        ApiError::new(Code::Gone, why)
    })
}

/// What a version is asked.
struct Asking<'a> {
    by: &'a By,
    rows: Vec<Row>,
    explain: Option<Explain>,
    /// What a shadow is compared with.
    expected: Option<&'a [Prediction]>,
}

/// By this version, and counted.
async fn answer(
    app: &App,
    endpoint: &Endpoint,
    (target, named): (&Target, &Named),
    Asking { by, rows, explain, expected }: Asking<'_>,
) -> Result<Vec<Prediction>, serving::PredictError> {
    let begun = Instant::now();
    let asked = Asked { explain, ..asked(by, named) };
    let answer = app.predictor.predict(asked, rows).await;
    let key = TargetKey { endpoint: endpoint.id, revision: endpoint.revision, place: target.place };
    let mut tally = EndpointTally { requests: 1, ..EndpointTally::default() };
    match &answer {
        Ok(answered) => {
            let predictions = &answered.predictions;
            tally.rows = predictions.len() as u64;
            tally.micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
            let pairs = expected.unwrap_or_default().iter().zip(predictions);
            tally.agreed = pairs.filter(|(one, other)| agree(one, other)).count() as u64;
            meter(app, by, named, answered);
        }
        // those of the rows are the caller's
        Err(serving::PredictError::Rows(_)) => {}
        Err(_) => tally.errors = 1,
    }
    app.endpoints.tallies.add(key, tally);
    answer.map(|answered| answered.predictions)
}

/// At most some at once: where the machine has no time left, shadows are what it has none for.
fn ask_behind(
    app: web::Data<App>,
    endpoint: Endpoint,
    (shadow, named): (Target, Named),
    (by, rows): (By, Vec<Row>),
    answered: Vec<Prediction>,
) {
    let Ok(permit) = app.endpoints.shadow() else { return };
    tokio::spawn(async move {
        // an answer is compared, and not its reasons
        let asking = Asking { by: &by, rows, explain: None, expected: Some(&answered) };
        let asked = answer(&app, &endpoint, (&shadow, &named), asking).await;
        if let Err(error) = asked {
            let error = &error as &dyn std::error::Error;
            tracing::info!(endpoint.id = %endpoint.id, error, "a shadow did not answer");
        }
        drop(permit);
    });
}

/// The same class, text or best item; numbers within 1 %.
fn agree(one: &Prediction, other: &Prediction) -> bool {
    let close = |a: f64, b: f64| (a - b).abs() <= CLOSE * a.abs().max(b.abs());
    match (one, other) {
        (Prediction::Explained { prediction, .. }, other) => agree(prediction, other),
        (Prediction::Class { class: a, .. }, Prediction::Class { class: b, .. }) => a == b,
        (Prediction::Value { value: a }, Prediction::Value { value: b }) => close(*a, *b),
        (Prediction::Forecast { values: a, .. }, Prediction::Forecast { values: b, .. }) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| close(*a, *b))
        }
        (Prediction::Items { items: a }, Prediction::Items { items: b }) => {
            a.first().map(|best| &best.item) == b.first().map(|best| &best.item)
        }
        (Prediction::Text { text: a, .. }, Prediction::Text { text: b, .. }) => a == b,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_agrees_says_the_same() {
        let class = |class: &str| Prediction::Class {
            class: class.to_owned(),
            probabilities: std::collections::BTreeMap::new(),
        };
        let value = |value| Prediction::Value { value };
        assert!(agree(&class("B"), &class("B")));
        assert!(!agree(&class("B"), &class("M")));
        assert!(agree(&value(100.0), &value(100.9)));
        assert!(agree(&value(0.0), &value(0.0)));
        assert!(!agree(&value(100.0), &value(102.0)));
        assert!(!agree(&value(f64::NAN), &value(1.0)));
        assert!(!agree(&value(1.0), &class("1")));
    }
}

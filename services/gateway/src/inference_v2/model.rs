//! What is said of a model: its inputs and outputs, whether it answers, and what it has done.

use std::time::Duration;

use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use serde_json::{Value, json};
use serving::Times;
use utoipa::ToSchema;

use super::{answer::outputs, columns::columns};
use crate::{
    ApiError, App, Caller,
    auth::Predict,
    models::{named, runnable, told},
};

type Answer = Result<HttpResponse, ApiError>;

const LATEST: &str = "latest";

#[derive(Serialize, ToSchema)]
struct InferenceModel {
    /// `tenant/model`
    name: String,
    versions: Vec<String>,
    platform: &'static str,
    inputs: Vec<InferenceTensor>,
    outputs: Vec<InferenceTensor>,
}

/// -1 in a shape is a side that is known with the values, the number of rows before all.
#[derive(Serialize, ToSchema)]
struct InferenceTensor {
    name: String,
    datatype: &'static str,
    shape: Vec<i64>,
    /// Of probabilities: the classes, in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    labels: Vec<String>,
    /// It may be left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    optional: bool,
}

/// What the model takes and answers.
#[utoipa::path(
    operation_id = "get_model_v2", tag = "inference",
    params(("tenant" = String, Path), ("model" = String, Path)),
    responses((status = 200, body = InferenceModel), (status = 409), (status = 410)),
)]
#[get("/v2/models/{tenant}/{model}")]
pub(super) async fn metadata(
    app: web::Data<App>,
    caller: Caller<Predict>,
    path: web::Path<(String, String)>,
) -> Answer {
    let (tenant, model) = path.into_inner();
    describe(&app, &caller, [&tenant, &model, LATEST]).await
}

/// What the model takes and answers, at a version.
#[utoipa::path(
    operation_id = "get_model_v2_at", tag = "inference",
    params(("tenant" = String, Path), ("model" = String, Path), ("version" = String, Path)),
    responses((status = 200, body = InferenceModel), (status = 409), (status = 410)),
)]
#[get("/v2/models/{tenant}/{model}/versions/{version}")]
pub(super) async fn metadata_at(
    app: web::Data<App>,
    caller: Caller<Predict>,
    path: web::Path<(String, String, String)>,
) -> Answer {
    let (tenant, model, version) = path.into_inner();
    describe(&app, &caller, [&tenant, &model, &version]).await
}

/// Whether the model answers.
#[utoipa::path(
    operation_id = "get_ready_model_v2", tag = "inference",
    params(("tenant" = String, Path), ("model" = String, Path)),
    responses((status = 200), (status = 409), (status = 410)),
)]
#[get("/v2/models/{tenant}/{model}/ready")]
pub(super) async fn ready(
    app: web::Data<App>,
    caller: Caller<Predict>,
    path: web::Path<(String, String)>,
) -> Answer {
    let (tenant, model) = path.into_inner();
    say_ready(&app, &caller, [&tenant, &model, LATEST]).await
}

/// Whether the model answers, at a version.
#[utoipa::path(
    operation_id = "get_ready_model_v2_at", tag = "inference",
    params(("tenant" = String, Path), ("model" = String, Path), ("version" = String, Path)),
    responses((status = 200), (status = 409), (status = 410)),
)]
#[get("/v2/models/{tenant}/{model}/versions/{version}/ready")]
pub(super) async fn ready_at(
    app: web::Data<App>,
    caller: Caller<Predict>,
    path: web::Path<(String, String, String)>,
) -> Answer {
    let (tenant, model, version) = path.into_inner();
    say_ready(&app, &caller, [&tenant, &model, &version]).await
}

/// The model's configuration, as Triton says it.
#[utoipa::path(
    operation_id = "get_model_config_v2", tag = "inference",
    params(("tenant" = String, Path), ("model" = String, Path)),
    responses((status = 200, body = serde_json::Value), (status = 409), (status = 410)),
)]
#[get("/v2/models/{tenant}/{model}/config")]
pub(super) async fn configuration(
    app: web::Data<App>,
    caller: Caller<Predict>,
    path: web::Path<(String, String)>,
) -> Answer {
    let (tenant, model) = path.into_inner();
    configure(&app, &caller, [&tenant, &model, LATEST]).await
}

/// The model's configuration, as Triton says it, at a version.
#[utoipa::path(
    operation_id = "get_model_config_v2_at", tag = "inference",
    params(("tenant" = String, Path), ("model" = String, Path), ("version" = String, Path)),
    responses((status = 200, body = serde_json::Value), (status = 409), (status = 410)),
)]
#[get("/v2/models/{tenant}/{model}/versions/{version}/config")]
pub(super) async fn configuration_at(
    app: web::Data<App>,
    caller: Caller<Predict>,
    path: web::Path<(String, String, String)>,
) -> Answer {
    let (tenant, model, version) = path.into_inner();
    configure(&app, &caller, [&tenant, &model, &version]).await
}

/// What the model has done since it was loaded.
#[utoipa::path(
    operation_id = "get_model_stats_v2", tag = "inference",
    params(("tenant" = String, Path), ("model" = String, Path)),
    responses((status = 200, body = serde_json::Value), (status = 409), (status = 410)),
)]
#[get("/v2/models/{tenant}/{model}/stats")]
pub(super) async fn stats(
    app: web::Data<App>,
    caller: Caller<Predict>,
    path: web::Path<(String, String)>,
) -> Answer {
    let (tenant, model) = path.into_inner();
    count(&app, &caller, [&tenant, &model, LATEST]).await
}

/// What the model has done since it was loaded, at a version.
#[utoipa::path(
    operation_id = "get_model_stats_v2_at", tag = "inference",
    params(("tenant" = String, Path), ("model" = String, Path), ("version" = String, Path)),
    responses((status = 200, body = serde_json::Value), (status = 409), (status = 410)),
)]
#[get("/v2/models/{tenant}/{model}/versions/{version}/stats")]
pub(super) async fn stats_at(
    app: web::Data<App>,
    caller: Caller<Predict>,
    path: web::Path<(String, String, String)>,
) -> Answer {
    let (tenant, model, version) = path.into_inner();
    count(&app, &caller, [&tenant, &model, &version]).await
}

type Asked<'a> = [&'a str; 3];

async fn describe(
    app: &web::Data<App>,
    caller: &Caller<Predict>,
    [tenant, model, version]: Asked<'_>,
) -> Answer {
    let named = named(app, caller, (tenant, model), version).await?;
    let config = runnable(&named)?;
    let input = |column: super::columns::Column| InferenceTensor {
        datatype: column.datatype.name(),
        name: column.name,
        shape: vec![-1],
        labels: vec![],
        optional: column.optional,
    };
    let output = |output: super::answer::Output| InferenceTensor {
        name: output.name.to_owned(),
        datatype: output.datatype.name(),
        labels: if output.shape.len() > 1 { config.classes.clone() } else { vec![] },
        shape: output.shape,
        optional: false,
    };
    Ok(HttpResponse::Ok().json(InferenceModel {
        name: named.name.clone(),
        versions: vec![named.version.number.to_string()],
        platform: "cupola",
        inputs: columns(config).into_iter().map(input).collect(),
        outputs: outputs(config).into_iter().map(output).collect(),
    }))
}

async fn say_ready(
    app: &web::Data<App>,
    caller: &Caller<Predict>,
    [tenant, model, version]: Asked<'_>,
) -> Answer {
    let named = named(app, caller, (tenant, model), version).await?;
    runnable(&named)?;
    Ok(HttpResponse::Ok().finish())
}

/// A batch is the first side of every tensor here, so that Triton's own batching, 0, has none.
async fn configure(
    app: &web::Data<App>,
    caller: &Caller<Predict>,
    [tenant, model, version]: Asked<'_>,
) -> Answer {
    let named = named(app, caller, (tenant, model), version).await?;
    let config = runnable(&named)?;
    let kind = |datatype: &str| match datatype {
        "BYTES" => "TYPE_STRING".to_owned(),
        other => format!("TYPE_{other}"),
    };
    let inputs = columns(config).into_iter().map(|column| {
        let (data_type, optional) = (kind(column.datatype.name()), column.optional);
        json!({"name": column.name, "data_type": data_type, "dims": [-1], "optional": optional})
    });
    let outputs = outputs(config).into_iter().map(|output| {
        json!({"name": output.name, "data_type": kind(output.datatype.name()), "dims": output.shape})
    });
    Ok(HttpResponse::Ok().json(json!({
        "name": named.name,
        "platform": "cupola",
        "backend": "cupola",
        "max_batch_size": 0,
        "input": inputs.collect::<Value>(),
        "output": outputs.collect::<Value>(),
    })))
}

/// All nothing where it is not loaded.
async fn count(
    app: &web::Data<App>,
    caller: &Caller<Predict>,
    [tenant, model, version]: Asked<'_>,
) -> Answer {
    let named = named(app, caller, (tenant, model), version).await?;
    let number = named.version.number;
    let counts = app.predictor.counts((named.model, number)).await.map_err(told)?;
    let rows: u64 = counts.callers.values().map(|calls| calls.rows).sum();
    let sum = |times: &[&Times]| Times {
        count: times.iter().map(|times| times.count).sum(),
        total: times.iter().map(|times| times.total).sum(),
    };
    let passes = sum(&counts.passes.values().collect::<Vec<_>>());
    let mut by_size: Vec<_> = counts.passes.iter().collect();
    by_size.sort_by_key(|(size, _)| **size);
    let batches = by_size.into_iter().map(|(size, times)| {
        let nothing = said(Times { count: times.count, total: Duration::ZERO });
        json!({
            "batch_size": size, "compute_input": nothing, "compute_infer": said(*times),
            "compute_output": nothing,
        })
    });
    let nothing = said(Times { count: passes.count, total: Duration::ZERO });
    Ok(HttpResponse::Ok().json(json!({ "model_stats": [{
        "name": named.name,
        "version": number.to_string(),
        "inference_count": rows,
        "execution_count": passes.count,
        "inference_stats": {
            "success": said(counts.answered),
            "fail": said(counts.failed),
            "queue": said(counts.waited),
            "compute_input": nothing,
            "compute_infer": said(passes),
            "compute_output": nothing,
        },
        "batch_stats": batches.collect::<Value>(),
    }] })))
}

fn said(times: Times) -> Value {
    let ns = u64::try_from(times.total.as_nanos()).unwrap_or(u64::MAX);
    json!({ "count": times.count, "ns": ns })
}

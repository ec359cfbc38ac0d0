//! Two versions side by side: what their specifications and their figures have different.

use std::collections::BTreeSet;

use actix_web::{get, web};
use domain::{
    JobId, Timestamp,
    comparison::{Comparison, Side},
    job::JobStatus,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{
    TenantTx,
    models::{
        Model, ModelVersion,
        evaluations::{self, Evaluated},
    },
};
use utoipa::{IntoParams, ToSchema};

use super::{known_model, known_version};
use crate::{ApiError, App, Caller, Params, auth::ReadModels};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct CompareParams {
    /// A version of the same model, or `tenant/model:version` of another.
    with: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ComparisonView {
    /// As `tenant/model:version`.
    a: String,
    b: String,
    /// Whether the weights are the same, to the byte; null where one has none.
    same_weights: Option<bool>,
    /// Whether both were trained on the same bytes; null where one was not trained here.
    same_data: Option<bool>,
    /// Of the specifications, by path; null where one has no such value.
    specification: Vec<Difference>,
    /// All that either has of its own training, by name.
    metrics: Vec<MetricDifference>,
    /// Both judged on the same rows, by jobs of the caller's tenant: the newest first.
    evaluations: Vec<EvaluationView>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EvaluationView {
    job: JobId,
    status: JobStatus,
    dataset: String,
    dataset_version: u32,
    /// On the rows that this one's training held back; on all of them if null.
    held_back_by: Option<Side>,
    /// Null until the job has succeeded.
    result: Option<Comparison>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<Evaluated> for EvaluationView {
    fn from(found: Evaluated) -> Self {
        Self {
            job: found.job,
            status: found.status,
            dataset: found.dataset,
            dataset_version: found.dataset_version,
            held_back_by: found.held_back_by,
            result: found.result,
            created_at: found.created_at,
        }
    }
}

#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(super) struct Difference {
    #[schema(examples("optimizer.learning_rate"))]
    path: String,
    a: Option<Value>,
    b: Option<Value>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MetricDifference {
    name: String,
    a: Option<f64>,
    b: Option<f64>,
    /// b - a, where both have it.
    difference: Option<f64>,
}

/// Compare a version with another: specifications, metrics, data and weights.
#[utoipa::path(
    operation_id = "compare_model_versions",
    tag = "models",
    params(
        ("tenant" = String, Path), ("model" = String, Path), ("version" = String, Path), CompareParams,
    ),
    responses((status = 200, body = ComparisonView), (status = 410, description = "One of them was deleted")),
)]
#[get("/v1/models/{tenant}/{model}/versions/{version}/compare")]
pub(super) async fn compare(
    app: web::Data<App>,
    caller: Caller<ReadModels>,
    path: web::Path<(String, String, String)>,
    params: Params<CompareParams>,
) -> Result<web::Json<ComparisonView>, ApiError> {
    let (tenant, name, named) = path.into_inner();
    let mut tx = app.store.begin_for(caller.tenant()).await?;
    let model = known_model(&mut tx, &tenant, &name).await?;
    let a = known_version(&mut tx, &model, &named).await?;
    let (other, b) = other(&mut tx, &model, &params.0.with).await?;
    let pair = ((a.model, a.number), (b.model, b.number));
    let evaluations = evaluations::of_pair(&mut tx, pair.0, pair.1).await?;
    tx.commit().await?;
    let found = compared((&model, &a), (&other, &b));
    let evaluations = evaluations.into_iter().map(EvaluationView::from).collect();
    Ok(web::Json(ComparisonView { evaluations, ..found }))
}

pub(super) async fn other(
    tx: &mut TenantTx<'_>,
    model: &Model,
    named: &str,
) -> Result<(Model, ModelVersion), ApiError> {
    let Some((of, version)) = named.split_once(':') else {
        return Ok((model.clone(), known_version(tx, model, named).await?));
    };
    let (tenant, name) = of.split_once('/').ok_or_else(|| {
        let why = "name a version of the same model, or `tenant/model:version`";
        ApiError::field("with", why)
    })?;
    let other = known_model(tx, tenant, name).await?;
    let version = known_version(tx, &other, version).await?;
    Ok((other, version))
}

type Named<'a> = (&'a Model, &'a ModelVersion);

fn compared((a_model, a): Named<'_>, (b_model, b): Named<'_>) -> ComparisonView {
    let name = |model: &Model, version: &ModelVersion| {
        format!("{}/{}:{}", model.tenant_slug, model.name, version.number)
    };
    let weights = a.made.as_ref().zip(b.made.as_ref());
    let data = a.trained.as_ref().zip(b.trained.as_ref());
    let names: BTreeSet<_> = a.metrics.keys().chain(b.metrics.keys()).collect();
    let metrics = names.into_iter().map(|name| {
        let (a, b) = (a.metrics.get(name).copied(), b.metrics.get(name).copied());
        let difference = a.zip(b).map(|(a, b)| b - a);
        MetricDifference { name: name.clone(), a, b, difference }
    });
    let mut specification = Vec::new();
    differences("", spec(a), spec(b), &mut specification);
    ComparisonView {
        a: name(a_model, a),
        b: name(b_model, b),
        same_weights: weights.map(|(a, b)| a.weights_sha256 == b.weights_sha256),
        same_data: data.map(|(a, b)| a.dataset_sha256 == b.dataset_sha256),
        specification,
        metrics: metrics.collect(),
        evaluations: Vec::new(),
    }
}

fn spec(of: &ModelVersion) -> Option<Value> {
    let spec = &of.made.as_ref()?.config.spec;
    let mut spec = serde_json::to_value(spec).expect("a specification is JSON");
    if let Value::Object(fields) = &mut spec {
        // nobody has chosen it
        fields.remove("estimate");
    }
    Some(spec)
}

/// Down to the values that differ, with the way to each.
fn differences(path: &str, a: Option<Value>, b: Option<Value>, found: &mut Vec<Difference>) {
    if a == b {
        return;
    }
    match (a, b) {
        (Some(Value::Object(mut a)), Some(Value::Object(mut b))) => {
            let keys: BTreeSet<_> = a.keys().chain(b.keys()).cloned().collect();
            let dot = if path.is_empty() { "" } else { "." };
            for key in keys {
                differences(&format!("{path}{dot}{key}"), a.remove(&key), b.remove(&key), found);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) => {
            let longest = a.len().max(b.len());
            let (mut a, mut b) = (a.into_iter(), b.into_iter());
            for n in 0..longest {
                differences(&format!("{path}[{n}]"), a.next(), b.next(), found);
            }
        }
        (a, b) => found.push(Difference { path: path.to_owned(), a, b }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_differs_is_named_by_its_path_and_nothing_else_is() {
        let a = json!({"epochs": 3, "optimizer": {"type": "Adam", "rate": 0.1}, "layers": [{"units": 8}]});
        let b = json!({"epochs": 3, "optimizer": {"type": "Adam", "rate": 0.2}, "layers": [{"units": 8}, {"units": 1}], "l2": 1});
        let mut found = Vec::new();
        differences("", Some(a.clone()), Some(b), &mut found);
        let of = |path: &str, a, b| Difference { path: path.to_owned(), a, b };
        assert_eq!(
            found,
            [
                of("l2", None, Some(json!(1))),
                of("layers[1]", None, Some(json!({"units": 1}))),
                of("optimizer.rate", Some(json!(0.1)), Some(json!(0.2))),
            ]
        );
        found.clear();
        differences("", Some(a.clone()), Some(a), &mut found);
        assert_eq!(found, []);
    }
}

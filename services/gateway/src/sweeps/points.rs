//! The points of a sweep, and the specification at each of them.

use std::collections::BTreeMap;

use domain::spec::TrainingDraft;
use serde_json::{Map, Value};

use crate::ApiError;

/// Values by the names of their fields, parts separated by points.
pub(crate) type Point = Map<String, Value>;

const MAX_POINTS: usize = 1_000;
/// The data, and what they start from, are the same for all: what is checked against is read once.
const FIXED: [&str; 5] = ["dataset", "version", "test", "base_model", "concurrency"];

/// Every combination of `parameters`, or `points` as they are.
pub(super) fn of(
    parameters: Option<&BTreeMap<String, Vec<Value>>>,
    points: Option<&[Point]>,
) -> Result<Vec<Point>, ApiError> {
    let (field, points) = match (parameters, points) {
        (Some(parameters), None) => ("parameters", combined(parameters)?),
        (None, Some(points)) => ("points", points.to_vec()),
        _ => {
            let why = "give either `parameters` or `points`: what differs from job to job";
            return Err(ApiError::field("parameters", why));
        }
    };
    if points.is_empty() || points.len() > MAX_POINTS {
        return Err(ApiError::field(field, too_many(points.len() as u128)));
    }
    let fixed = points.iter().flat_map(Point::keys).find(|name| {
        let first = name.split('.').next().unwrap_or_default();
        FIXED.contains(&first)
    });
    match fixed {
        Some(name) => {
            let why = format!("`{name}` is the same for all jobs of a sweep; put it into `spec`");
            Err(ApiError::field(field, why))
        }
        None => Ok(points),
    }
}

fn too_many(count: u128) -> String {
    format!("{count} points; a sweep has 1 to {MAX_POINTS}")
}

/// The last name varies fastest.
fn combined(parameters: &BTreeMap<String, Vec<Value>>) -> Result<Vec<Point>, ApiError> {
    let counts = parameters.values().map(|values| values.len() as u128);
    let count = counts.fold(1, u128::saturating_mul);
    if parameters.is_empty() || count == 0 || count > MAX_POINTS as u128 {
        let count = if parameters.is_empty() { 0 } else { count };
        return Err(ApiError::field("parameters", too_many(count)));
    }
    let mut points = vec![Point::new()];
    for (name, values) in parameters {
        let with = |point: &Point, value: &Value| {
            let mut point = point.clone();
            point.insert(name.clone(), value.clone());
            point
        };
        points = points.iter().flat_map(|p| values.iter().map(move |v| with(p, v))).collect();
    }
    Ok(points)
}

/// The specification with a point's values in place of its own.
pub(super) fn apply(spec: &TrainingDraft, point: &Point) -> Result<TrainingDraft, ApiError> {
    let mut whole = serde_json::to_value(spec).map_err(|error| ApiError::internal(&error))?;
    for (name, value) in point {
        let mut place = &mut whole;
        for part in name.split('.') {
            if place.is_null() {
                *place = Value::Object(Map::new());
            }
            let Value::Object(fields) = place else {
                let why =
                    format!("there is no field `{part}` there; name one of the specification");
                return Err(ApiError::field(name.clone(), why));
            };
            place = fields.entry(part).or_insert(Value::Null);
        }
        *place = value.clone();
    }
    serde_path_to_error::deserialize(whole)
        .map_err(|error| ApiError::field(error.path().to_string(), error.inner().to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parameters(of: Value) -> BTreeMap<String, Vec<Value>> {
        serde_json::from_value(of).unwrap()
    }

    #[test]
    fn every_combination_is_a_point() {
        let given = parameters(json!({"epochs": [1, 2], "batch_size": [8, 16, 32]}));
        let points = of(Some(&given), None).unwrap();
        assert_eq!(points.len(), 6);
        assert_eq!(Value::Object(points[1].clone()), json!({"batch_size": 8, "epochs": 2}));
    }

    #[test]
    fn too_many_points_none_and_other_data_are_refused() {
        let thousand: Vec<_> = (0..1_000).collect();
        let million = parameters(json!({"epochs": thousand, "batch_size": thousand}));
        let error = of(Some(&million), None).unwrap_err();
        assert!(error.errors[0].message.contains("1000000 points"), "{error:?}");
        assert!(of(Some(&parameters(json!({}))), None).is_err());
        assert!(of(Some(&parameters(json!({"epochs": []}))), None).is_err());
        assert!(of(None, None).is_err());
        assert!(of(None, Some(&[])).is_err());
        assert!(of(Some(&parameters(json!({"test.dataset": ["a"]}))), None).is_err());
        assert!(of(Some(&parameters(json!({"base_model": ["a/b"]}))), None).is_err());
    }

    #[test]
    fn a_value_takes_its_place_deep_in_the_specification() {
        let spec = TrainingDraft { dataset: "flowers".into(), ..TrainingDraft::default() };
        let point = json!({"optimizer": {"type": "Adam", "learning_rate": 0.5}, "epochs": 3});
        let Value::Object(mut point) = point else { panic!() };
        let applied = apply(&spec, &point);
        assert_eq!(applied.map(|draft| draft.epochs).ok(), Some(Some(3)));
        point = Point::from_iter([("dataset.name".to_owned(), json!(1))]);
        assert_eq!(apply(&spec, &point).unwrap_err().errors[0].field, "dataset.name");
        point = Point::from_iter([("resources.cpu_milli".to_owned(), json!(500))]);
        let resources = apply(&spec, &point).unwrap().resources.unwrap();
        assert_eq!(resources.cpu_milli, Some(500));
        point = Point::from_iter([("epoch".to_owned(), json!(1))]);
        assert!(apply(&spec, &point).unwrap_err().errors[0].message.contains("epoch"));
    }
}

//! One row of the table: data, a specification with its seed, and what it is asked to reach.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, bail, ensure};
use e2e::bench::{self, Data};
use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    pub name: String,
    pub data: Data,
    /// Another file on which the finished model is tested.
    pub test: Option<String>,
    pub asked: Vec<Asked>,
    /// Where the model has a best answer that can be computed, how.
    pub closed_form: Option<ClosedForm>,
    /// Why the specification is as it is.
    pub note: String,
    /// As it would be submitted; without `dataset`.
    pub spec: Value,
}

/// A bound on a metric of the finished model, or none where it is only reported.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Asked {
    pub metric: String,
    pub at_least: Option<f64>,
    pub above: Option<f64>,
    pub at_most: Option<f64>,
    pub below: Option<f64>,
    /// Below another metric of the same model.
    pub below_metric: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClosedForm {
    LeastSquares,
    /// Logistic regression has none, but Newton's method finds its one optimum to the last digits.
    Logistic,
}

/// The rows of a folder by their files' names.
pub fn load(folder: &Path) -> anyhow::Result<Vec<Row>> {
    let rows = bench::load::<Row>(folder)?;
    let checked = |(file, row): (String, Row)| {
        check(&row, &file).with_context(|| file)?;
        Ok(row)
    };
    rows.into_iter().map(checked).collect()
}

fn check(row: &Row, file: &str) -> anyhow::Result<()> {
    ensure!(row.seed().is_some(), "the specification must fix its seed");
    ensure!(row.name == file, "it must be named as its row");
    for asked in &row.asked {
        if asked.bounds().count() > 1 {
            bail!("{}: give one bound", asked.metric);
        }
    }
    Ok(())
}

impl Row {
    pub fn seed(&self) -> Option<u64> {
        self.spec["seed"].as_u64()
    }

    /// What it needs below the folder of the data.
    pub fn files(&self) -> Vec<&str> {
        self.data.files().chain(self.test.as_deref()).collect()
    }
}

impl Asked {
    fn bounds(&self) -> impl Iterator<Item = String> {
        [
            self.at_least.map(|bound| format!(">= {bound}")),
            self.above.map(|bound| format!("> {bound}")),
            self.at_most.map(|bound| format!("<= {bound}")),
            self.below.map(|bound| format!("< {bound}")),
            self.below_metric.clone().map(|name| format!("< {name}")),
        ]
        .into_iter()
        .flatten()
    }

    /// As the table shows it.
    pub fn describe(&self, metrics: &BTreeMap<String, f64>) -> String {
        let bound = self.bounds().next().unwrap_or_else(|| "-".to_owned());
        let other = self.below_metric.as_ref().and_then(|name| metrics.get(name));
        other.map_or(bound.clone(), |value| format!("< {value:.4} seasonal naive"))
    }

    /// None where nothing is asked. A metric that is missing or not a number reaches nothing.
    pub fn reached(&self, metrics: &BTreeMap<String, f64>) -> Option<bool> {
        let bound = self.bounds().next().is_some();
        bound.then(|| {
            let Some(value) = metrics.get(&self.metric).copied() else { return false };
            let other = |name| metrics.get(name).copied().unwrap_or(f64::NAN);
            let below = self.below_metric.as_ref().map(other);
            self.at_least.is_none_or(|bound| value >= bound)
                && self.above.is_none_or(|bound| value > bound)
                && self.at_most.is_none_or(|bound| value <= bound)
                && self.below.is_none_or(|bound| value < bound)
                && below.is_none_or(|bound| value < bound)
        })
    }
}

#[cfg(test)]
mod tests {
    use domain::spec::TrainingDraft;
    use serde_json::json;

    use super::*;

    #[test]
    fn every_row_is_a_specification_with_the_seed_that_was_fixed_for_all() {
        let rows = load(Path::new(crate::ROWS)).unwrap();
        assert!(rows.len() >= 20);
        for row in rows {
            let mut spec = row.spec.clone();
            spec["dataset"] = json!("local");
            let draft: Result<TrainingDraft, _> = serde_json::from_value(spec);
            assert!(draft.is_ok(), "{}: {draft:?}", row.name);
            assert_eq!(row.seed(), Some(42), "{}", row.name);
            assert!(row.asked.iter().any(|a| a.bounds().next().is_some()), "{}", row.name);
        }
    }

    #[test]
    fn a_bound_is_met_or_not() {
        let asked = |json| serde_json::from_value::<Asked>(json).unwrap();
        let metrics = [("a".to_owned(), 0.5), ("naive".to_owned(), 0.6)].into();
        let reached = |json| asked(json).reached(&metrics);
        assert_eq!(reached(json!({"metric": "a"})), None);
        assert_eq!(reached(json!({"metric": "a", "at_least": 0.5})), Some(true));
        assert_eq!(reached(json!({"metric": "a", "above": 0.5})), Some(false));
        assert_eq!(reached(json!({"metric": "a", "at_most": 0.5})), Some(true));
        assert_eq!(reached(json!({"metric": "a", "below": 0.5})), Some(false));
        assert_eq!(reached(json!({"metric": "a", "below_metric": "naive"})), Some(true));
        assert_eq!(reached(json!({"metric": "a", "below_metric": "none"})), Some(false));
        assert_eq!(reached(json!({"metric": "none", "below": 0.5})), Some(false));
    }

    #[test]
    fn a_value_that_is_no_number_meets_no_bound() {
        let asked = Asked { metric: "a".into(), below: Some(1.0), ..Asked::default() };
        assert_eq!(asked.reached(&[("a".to_owned(), f64::NAN)].into()), Some(false));
    }
}

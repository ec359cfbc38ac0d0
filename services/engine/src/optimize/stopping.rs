//! When training has come to nothing more: a metric that has not improved for some epochs
//! (`keras.callbacks.EarlyStopping`).

use std::collections::BTreeMap;

use domain::spec::EarlyStopping;
use serde::{Deserialize, Serialize};

use crate::error::EngineError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// The best epoch so far: its weights are the ones to keep.
    Improved,
    Waiting,
    Stop,
}

/// The epochs so far; a checkpoint keeps it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stopping {
    best: Option<f64>,
    best_epoch: Option<u32>,
    /// Epochs since the best one.
    wait: u32,
}

impl Stopping {
    pub fn end_epoch(
        &mut self,
        rules: &EarlyStopping,
        epoch: u32,
        metrics: &BTreeMap<String, f64>,
    ) -> Result<Decision, EngineError> {
        let Some(&value) = metrics.get(&rules.monitor) else {
            return Err(EngineError::UnknownMetric {
                metric: rules.monitor.clone(),
                known: metrics.keys().cloned().collect::<Vec<_>>().join(", "),
            });
        };
        let gain = |best: f64| match is_better_when_smaller(&rules.monitor) {
            true => best - value,
            false => value - best,
        };
        // What is no number is never the best: nothing would be better than it.
        if value.is_finite() && self.best.is_none_or(|best| gain(best) > rules.min_delta) {
            *self = Self { best: Some(value), best_epoch: Some(epoch), wait: 0 };
            return Ok(Decision::Improved);
        }
        self.wait = self.wait.saturating_add(1);
        Ok(if self.wait >= rules.patience { Decision::Stop } else { Decision::Waiting })
    }

    /// Where the monitored metric was best; none if it never was a number.
    pub const fn best_epoch(&self) -> Option<u32> {
        self.best_epoch
    }
}

fn is_better_when_smaller(metric: &str) -> bool {
    ["loss", "error", "perplexity", "brier"].iter().any(|word| metric.contains(word))
}

#[cfg(test)]
mod tests {
    use domain::spec::Metric;

    use super::*;

    fn rules(monitor: &str, patience: u32, min_delta: f64) -> EarlyStopping {
        EarlyStopping { monitor: monitor.into(), patience, min_delta, restore_best_weights: true }
    }

    /// I, W and S for the decisions, with the state saved and loaded after every epoch, up to the
    /// stop.
    fn decisions(rules: &EarlyStopping, values: &[f64]) -> (String, Stopping) {
        let mut word = String::new();
        let mut state = Stopping::default();
        for (&value, epoch) in values.iter().zip(0..) {
            let metrics = BTreeMap::from([(rules.monitor.clone(), value)]);
            let saved = serde_json::to_string(&state).unwrap();
            let mut resumed: Stopping = serde_json::from_str(&saved).unwrap();
            let decision = state.end_epoch(rules, epoch, &metrics).unwrap();
            assert_eq!(resumed.end_epoch(rules, epoch, &metrics).unwrap(), decision);
            assert_eq!(resumed, state);
            word.push(match decision {
                Decision::Improved => 'I',
                Decision::Waiting => 'W',
                Decision::Stop => 'S',
            });
            if decision == Decision::Stop {
                break;
            }
        }
        (word, state)
    }

    /// Decisions and best epochs are those of `EarlyStopping` in Keras 3.15.
    #[test]
    fn stops_where_keras_does() {
        let losses = [1.0, 0.9, 0.95, 0.85, 0.849, 0.86, 0.87, 0.88];
        let (word, state) = decisions(&rules("val_loss", 3, 0.01), &losses);
        assert_eq!((word.as_str(), state.best_epoch()), ("IIWIWWS", Some(3)));
        let shares = [0.5, 0.6, 0.55, 0.61, 0.605, 0.65, 0.6, 0.6, 0.6];
        let (word, state) = decisions(&rules("val_accuracy", 3, 0.0), &shares);
        assert_eq!((word.as_str(), state.best_epoch()), ("IIWIWIWWS", Some(5)));
    }

    #[test]
    fn a_value_that_is_no_number_is_never_the_best() {
        let (word, state) = decisions(&rules("loss", 2, 0.0), &[f64::NAN, 2.0, f64::NAN, 1.0]);
        assert_eq!((word.as_str(), state.best_epoch()), ("WIWI", Some(3)));
        let (word, state) = decisions(&rules("loss", 2, 0.0), &[f64::INFINITY, f64::NAN, 1.0]);
        assert_eq!((word.as_str(), state.best_epoch()), ("WS", None));
    }

    #[test]
    fn every_metric_has_its_direction() {
        let smaller: Vec<&str> =
            Metric::ALL.iter().map(|m| m.as_str()).filter(|m| is_better_when_smaller(m)).collect();
        assert_eq!(
            smaller,
            [
                "log_loss",
                "brier_score",
                "calibration_error",
                "mean_squared_error",
                "root_mean_squared_error",
                "mean_absolute_error",
                "mean_absolute_percentage_error",
                "perplexity"
            ]
        );
        assert!(is_better_when_smaller("val_loss") && is_better_when_smaller("loss"));
    }

    #[test]
    fn a_metric_that_no_epoch_has_is_named_with_those_there_are() {
        let metrics = BTreeMap::from([("accuracy".into(), 0.9), ("loss".into(), 0.1)]);
        let mut state = Stopping::default();
        let error = state.end_epoch(&rules("val_loss", 3, 0.0), 0, &metrics).unwrap_err();
        assert_eq!(error.cause().code, "unknown_metric");
        assert_eq!(
            error.to_string(),
            "early stopping watches `val_loss`, which epochs do not have; watch one of: accuracy, \
             loss, or hold back rows for validation"
        );
        assert_eq!(state, Stopping::default());
    }
}

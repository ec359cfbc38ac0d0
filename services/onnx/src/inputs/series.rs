//! Windows of series: the values, and what is known of each step and of the one `horizon` later. A
//! window is centred and scaled by itself.

use domain::{
    model::{FEW_STEPS, FittedKnown, FittedSeries, LEAST_SPREAD, SECONDS_A_DAY},
    spec::{FeatureKind, Series},
};
use serde_json::json;

use super::{COLUMN, Inputs, Unit, calendar::Calendar, step, trimmed};
use crate::{
    graph::{BATCH, Edge, Side},
    layers::Value,
    proto::Type,
};

impl Inputs<'_> {
    pub(super) fn series(
        &mut self,
        series: &Series,
        fitted: &FittedSeries,
        target: &str,
    ) -> (Value, Unit) {
        let (lookback, horizon) = (series.lookback as usize, series.horizon as usize);
        let season = (series.season as usize).clamp(1, lookback);
        let more = json!({ "steps": [
            step(false, "fill_gaps", json!({ "how": "straight lines between the neighbours" })),
            step(false, "last_steps", json!({ "count": lookback, "order": "oldest first" })),
            step(true, "center", json!({ "by": "the mean of the last steps", "count": season })),
            step(true, "scale", json!({ "by": "the root of the mean square around that center",
                "at_least": "a share of the series' deviation", "share": share(lookback) })),
        ]});
        let shape = [BATCH, Side::Fixed(lookback)];
        let values = self.column(target, Type::Double, &shape, more);
        let deviation = self.deviation(series, fitted);
        let graph = &mut *self.graph;
        let [from, to] = [lookback - season, lookback].map(|n| graph.ints(&[n as i64]));
        let last = graph.slice(&values, 1, &from, &to);
        let center = graph.reduce("ReduceMean", &last, 1, true);
        let moved = graph.op("Sub", &[&values, &center]);
        let squares = graph.op("Mul", &[&moved, &moved]);
        let spread = graph.reduce("ReduceMean", &squares, 1, true);
        let spread = graph.op("Sqrt", &[&spread]);
        let share = graph.double(share(lookback));
        let least = graph.op("Mul", &[&deviation, &share]);
        let scale = graph.op("Max", &[&spread, &least]);
        let learned = graph.op("Div", &[&moved, &scale]);
        let learned = self.narrow(&learned);
        let mut parts = vec![self.wide(&learned)];
        let known = self.known(series, fitted);
        if !known.is_empty() {
            let known = self.graph.concat(&known, 2);
            for first in [0, horizon] {
                let graph = &mut *self.graph;
                let [from, to] = [first, first + lookback].map(|n| graph.ints(&[n as i64]));
                parts.push(graph.slice(&known, 1, &from, &to));
            }
        }
        let x = self.graph.concat(&parts, 2);
        (Value::Sequence { x, lengths: None }, Unit { center, scale })
    }

    /// Of each row's series, `[batch, 1]` or one number.
    fn deviation(&mut self, series: &Series, fitted: &FittedSeries) -> Edge {
        let Some(column) = &series.series else {
            return self.graph.double(fitted.deviation(""));
        };
        let names: Vec<(&str, i64)> =
            fitted.deviations.keys().map(String::as_str).zip(0..).collect();
        let more = json!({ "steps": [
            trimmed(),
            step(true, "deviation", json!({ "of_series": fitted.deviations, "others": fitted.deviation })),
        ]});
        let texts = self.column(column, Type::String, &COLUMN, more);
        let places = self.graph.places(&texts, &names, names.len() as i64);
        let mut deviations: Vec<f64> = fitted.deviations.values().copied().collect();
        deviations.push(fitted.deviation);
        let deviations = self.graph.doubles(&deviations);
        self.graph.op("Gather", &[&deviations, &places])
    }

    /// Calendar and known columns, each `[batch, lookback + horizon, width]`.
    fn known(&mut self, series: &Series, fitted: &FittedSeries) -> Vec<Edge> {
        let mut parts = vec![];
        let steps = series.lookback as usize + series.horizon as usize;
        let shape = [BATCH, Side::Fixed(steps)];
        let steps = || {
            step(
                false,
                "steps",
                json!({ "count": steps, "what": "the window, then the steps to forecast" }),
            )
        };
        if !series.calendar.is_empty() {
            let more = json!({ "steps": [
                steps(),
                step(false, "seconds_since_1970", json!({ "zone": "UTC where none is written" })),
                step(true, "sine_and_cosine", json!({ "of": series.calendar })),
            ]});
            let times = self.column(&series.time, Type::Double, &shape, more);
            let mut calendar = Calendar::new(self.graph, &times);
            let cycles = series.calendar.iter();
            let waves: Vec<Edge> = cycles.flat_map(|&cycle| calendar.place(cycle)).collect();
            parts.extend(waves.iter().map(|wave| self.wide(wave)));
        }
        for (known, feature) in fitted.known.iter().zip(&series.known) {
            match known {
                FittedKnown::Scale { name, center, scale } => {
                    let date = feature.kind == FeatureKind::Date;
                    let mut told = vec![steps()];
                    if date {
                        told.push(step(false, "seconds_since_1970", json!({})));
                        told.push(step(true, "days", json!({})));
                    }
                    told.push(step(
                        true,
                        "scale",
                        json!({ "center": center, "scale": scale, "missing": 0 }),
                    ));
                    let more = json!({ "missing": "NaN", "steps": told });
                    let x = self.column(name, Type::Double, &shape, more);
                    let unit = if date { SECONDS_A_DAY } else { 1.0 };
                    let (x, _) = self.filled(&x, center * unit);
                    let x = self.scaled(&x, center * unit, scale * unit);
                    parts.push(self.wide(&x));
                }
                FittedKnown::OneHot { name, categories } if !categories.is_empty() => {
                    let more = json!({ "missing": "", "steps": [
                        steps(), trimmed(), step(true, "one_hot", json!({ "categories": categories })),
                    ]});
                    let texts = self.column(name, Type::String, &shape, more);
                    let keys: Vec<(&str, i64)> =
                        categories.iter().map(String::as_str).zip(0..).collect();
                    let places = self.graph.places(&texts, &keys, categories.len() as i64);
                    parts.push(self.one_hot(&places, categories.len()));
                }
                FittedKnown::OneHot { .. } => {}
            }
        }
        parts
    }

    /// `[batch, steps]` as `[batch, steps, 1]`.
    fn wide(&mut self, x: &str) -> Edge {
        let axis = self.graph.ints(&[2]);
        self.graph.op("Unsqueeze", &[x, &axis])
    }
}

/// Of the series' deviation, the least that a window of so many steps is scaled by.
const fn share(lookback: usize) -> f64 {
    if lookback < FEW_STEPS { 1.0 } else { LEAST_SPREAD }
}

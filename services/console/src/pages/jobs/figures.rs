//! A run's figures over its epochs, as curves: loss and the metric that people ask for first, on the rows
//! that are trained on and on those held back.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde::Deserialize;

use crate::chart::{self, Curve};

#[derive(Deserialize, Default)]
pub(super) struct Metrics {
    series: BTreeMap<String, Vec<Point>>,
}

#[derive(Deserialize)]
struct Point {
    epoch: u32,
    value: Option<f64>,
}

/// The first of these that a run has stands beside the loss.
const ASKED_FIRST: [&str; 9] = [
    "accuracy",
    "perplexity",
    "mean_absolute_error",
    "root_mean_squared_error",
    "auc",
    "f1",
    "r2",
    "hit_rate",
    "ndcg",
];

impl Metrics {
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.series.keys().map(String::as_str)
    }

    /// The last epoch that has ended.
    pub fn epoch(&self) -> u32 {
        let points = self.series.get("loss").and_then(|points| points.last());
        points.map_or(0, |point| point.epoch)
    }

    /// The last of each, train beside validation.
    pub fn latest(&self, name: &str) -> Option<f64> {
        self.series.get(name)?.iter().rev().find_map(|point| point.value)
    }

    pub fn points(&self, name: &str) -> Vec<(f64, f64)> {
        let points = self.series.get(name).map(Vec::as_slice).unwrap_or_default();
        let points = points.iter().filter_map(|point| Some((f64::from(point.epoch), point.value?)));
        points.collect()
    }

    /// The epoch whose validation loss is the least: the one that is published.
    fn best(&self) -> Option<f64> {
        let points = self.points("val_loss");
        points.into_iter().min_by(|a, b| a.1.total_cmp(&b.1)).map(|point| point.0)
    }

    fn pair(&self, title: &str, name: &str) -> Markup {
        let validation = format!("val_{name}");
        let curves = [("training", name), ("validation", &validation)]
            .map(|(label, name)| Curve { name: label, points: self.points(name) });
        let curves: Vec<_> = curves.into_iter().filter(|curve| !curve.points.is_empty()).collect();
        chart::curves(title, &curves, self.best())
    }

    pub fn draw(&self) -> Markup {
        let second = ASKED_FIRST.iter().find(|name| self.series.contains_key(**name));
        let rate = self.points("learning_rate");
        let varies = rate.windows(2).any(|pair| pair[0].1 != pair[1].1);
        html! {
            div.columns {
                section.card { (self.pair("Loss", "loss")) }
                @if let Some(name) = second { section.card { (self.pair(&title(name), name)) } }
                @if varies { section.card { (chart::curves("Learning rate", &[Curve { name: "learning rate", points: rate }], None)) } }
            }
        }
    }
}

fn title(name: &str) -> String {
    let mut words = crate::words::spaced(name);
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    words
}

//! What is learned of the series before the backtest, and how known columns become numbers.

use std::collections::BTreeMap;

use domain::{
    model::{FittedKnown, FittedSeries, TimeForm, TimeStep},
    spec::{CalendarFeature, Feature, FeatureKind, Series},
};

use super::{
    read::{RawSeries, Steps},
    time,
};
use crate::unit::Unit;

const MAX_CATEGORIES: usize = 50;

impl RawSeries {
    pub fn fit(&self, series: &Series) -> FittedSeries {
        let deviations: Vec<Option<f64>> =
            self.series.iter().map(|s| deviation(&s.values[..s.training])).collect();
        let mut sorted: Vec<f64> = deviations.iter().flatten().copied().collect();
        sorted.sort_by(f64::total_cmp);
        let usual = sorted.get(sorted.len() / 2).copied().unwrap_or(1.0);
        let named = self.series.iter().zip(deviations).filter(|(s, _)| s.training > 0);
        FittedSeries {
            form: self.form,
            step: self.step,
            regular: self.regular,
            deviations: named
                .map(|(s, deviation)| (s.name.clone(), deviation.unwrap_or(usual)))
                .collect::<BTreeMap<_, _>>(),
            deviation: usual,
            known: series.known.iter().enumerate().map(|(i, f)| self.fit_known(i, f)).collect(),
        }
    }

    fn fit_known(&self, i: usize, feature: &Feature) -> FittedKnown {
        let name = feature.name.clone();
        let width = self.categories.len();
        let training = self.series.iter().flat_map(|s| &s.known[..s.training * width]);
        let cells = training.skip(i).step_by(width).copied().filter(|x| !x.is_nan());
        if feature.kind != FeatureKind::Categorical {
            let Unit { center, scale } = Unit::standard(cells);
            return FittedKnown::Scale { name, center, scale };
        }
        let values = &self.categories[i];
        let mut counts = vec![0_u64; values.len()];
        cells.for_each(|code| counts[code as usize] += 1);
        let mut seen: Vec<usize> = (0..values.len()).filter(|&i| counts[i] > 0).collect();
        seen.sort_by(|&a, &b| counts[b].cmp(&counts[a]).then(values[a].cmp(&values[b])));
        seen.truncate(MAX_CATEGORIES);
        let categories = seen.into_iter().map(|i| values[i].clone()).collect();
        FittedKnown::OneHot { name, categories }
    }

    /// Calendar and known columns of every step of a series.
    pub(super) fn features(
        &self,
        steps: &Steps,
        fitted: &FittedSeries,
        calendar: &[CalendarFeature],
    ) -> Vec<f32> {
        let width = self.categories.len();
        let places: Vec<Vec<Option<usize>>> = fitted
            .known
            .iter()
            .zip(&self.categories)
            .map(|(known, values)| match known {
                FittedKnown::OneHot { categories, .. } => {
                    values.iter().map(|v| categories.iter().position(|c| c == v)).collect()
                }
                FittedKnown::Scale { .. } => vec![],
            })
            .collect();
        let mut features = vec![];
        for (i, &moment) in steps.times.iter().enumerate() {
            time::push_calendar(moment, calendar, &mut features);
            let cells = &steps.known[i * width..][..width];
            for ((known, &cell), places) in fitted.known.iter().zip(cells).zip(&places) {
                match known {
                    FittedKnown::Scale { .. } => push_number(known, cell, &mut features),
                    FittedKnown::OneHot { .. } => {
                        let place = if cell.is_nan() { None } else { places[cell as usize] };
                        push_category(known, place, &mut features);
                    }
                }
            }
        }
        features
    }
}

/// NaN, a missing value, becomes the mean.
pub(super) fn push_number(known: &FittedKnown, x: f64, into: &mut Vec<f32>) {
    let FittedKnown::Scale { center, scale, .. } = known else { return };
    into.push(if x.is_nan() { 0.0 } else { narrow((x - center) / scale) });
}

pub(super) fn push_category(known: &FittedKnown, place: Option<usize>, into: &mut Vec<f32>) {
    let start = into.len();
    into.resize(start + known.width(), 0.0);
    if let Some(place) = place {
        into[start + place] = 1.0;
    }
}

/// Within the range of `f32`.
pub(super) fn narrow(x: f64) -> f32 {
    let limit = f64::from(f32::MAX);
    x.clamp(-limit, limit) as f32
}

/// The population's standard deviation, if it is more than rounding.
fn deviation(values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    let rounding = (n * mean * f64::EPSILON).powi(2);
    (variance > rounding).then(|| variance.sqrt())
}

/// A fitted series may come from anywhere: what the rest relies on.
pub(crate) fn check(fitted: &FittedSeries, series: &Series) -> Result<(), String> {
    let sound = |x: f64| x.is_finite() && x > 0.0;
    if series.lookback == 0 || series.horizon == 0 || series.season == 0 {
        return Err("lookback, horizon and season must be at least 1".into());
    }
    if !fitted.deviations.values().chain([&fitted.deviation]).all(|&d| sound(d)) {
        return Err("a series is scaled by a number that is not above 0".into());
    }
    let step = match fitted.step {
        TimeStep::Number { step } | TimeStep::Seconds { step } => step,
        TimeStep::Months { step, .. } => f64::from(step),
    };
    let numbers = matches!(fitted.step, TimeStep::Number { .. });
    if !sound(step) || numbers != (fitted.form == TimeForm::Number) {
        return Err(format!("{:?} is no step of a time column", fitted.step));
    }
    if !fitted.known.iter().map(FittedKnown::name).eq(series.known.iter().map(|f| &f.name[..])) {
        return Err("the columns known ahead are not those of the specification".into());
    }
    let bad = fitted.known.iter().find(|known| match known {
        FittedKnown::Scale { center, scale, .. } => !center.is_finite() || !sound(*scale),
        FittedKnown::OneHot { .. } => false,
    });
    bad.map_or(Ok(()), |known| {
        Err(format!("column `{}` is scaled by a number that is not finite", known.name()))
    })
}

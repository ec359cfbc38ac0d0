//! Windows of series: what came before, what is known of now and later, and the values to forecast.

use std::sync::Arc;

use domain::{
    model::{FEW_STEPS, FittedSeries, LEAST_SPREAD},
    spec::Series,
};

use super::{fit::narrow, read::RawSeries};
use crate::unit::Unit;

/// Centred by the mean of the last season, which carries the level and not the season's phase, and
/// scaled by the spread around it.
pub(super) fn unit(window: &[f64], season: usize, deviation: f64) -> Unit {
    let last = &window[window.len() - season.clamp(1, window.len())..];
    let center = last.iter().sum::<f64>() / last.len() as f64;
    let squares = window.iter().map(|x| (x - center).powi(2)).sum::<f64>();
    let spread = (squares / window.len() as f64).sqrt();
    let scale = if window.len() < FEW_STEPS { deviation } else { LEAST_SPREAD * deviation };
    Unit { center, scale: scale.max(spread) }
}

/// Windows of either the training part or the backtest.
pub(crate) struct Windows {
    encoded: Arc<Encoded>,
    /// Of each window the series and the first step to forecast.
    origins: Vec<(u32, u32)>,
}

struct Encoded {
    lookback: usize,
    horizon: usize,
    season: usize,
    series: Vec<EncodedSeries>,
}

struct EncodedSeries {
    values: Vec<f64>,
    /// Calendar and known columns, `width` numbers a step.
    features: Vec<f32>,
    width: usize,
    deviation: f64,
}

/// Some windows, one after another.
pub(crate) struct Batch {
    /// `lookback` steps of `channels` each.
    pub inputs: Vec<f32>,
    /// `horizon` values each, in the window's unit.
    pub targets: Vec<f64>,
    /// Each window's.
    pub units: Vec<Unit>,
}

impl RawSeries {
    /// Windows to train on, none of which reaches into the last `backtest` horizons of its series,
    /// and one window for each of those horizons (a rolling origin; Hyndman and Athanasopoulos,
    /// "Forecasting: principles and practice", 3rd edition, 5.10).
    pub fn windows(&self, fitted: &FittedSeries, series: &Series) -> (Windows, Windows) {
        let (lookback, horizon) = (series.lookback as usize, series.horizon as usize);
        let (mut training, mut validation) = (vec![], vec![]);
        let mut encoded = vec![];
        for (i, steps) in self.series.iter().enumerate() {
            let until = (steps.training + 1).saturating_sub(horizon);
            training.extend((lookback..until).map(|first| (i as u32, first as u32)));
            let blocks = (0..series.backtest as usize).rev();
            let firsts = blocks.filter_map(|b| steps.values.len().checked_sub((b + 1) * horizon));
            let firsts = firsts.filter(|&first| first >= lookback);
            validation.extend(firsts.map(|first| (i as u32, first as u32)));
            encoded.push(EncodedSeries {
                values: steps.values.clone(),
                features: self.features(steps, fitted, &series.calendar),
                width: 2 * series.calendar.len() + fitted.known_width(),
                deviation: fitted.deviation(&steps.name),
            });
        }
        let season = series.season as usize;
        let encoded = Arc::new(Encoded { lookback, horizon, season, series: encoded });
        let windows = |origins| Windows { encoded: Arc::clone(&encoded), origins };
        (windows(training), windows(validation))
    }
}

impl Windows {
    pub fn rows(&self) -> usize {
        self.origins.len()
    }

    /// Steps of a window, and features of each.
    pub fn window(&self) -> (usize, usize) {
        let width = self.encoded.series.first().map_or(0, |series| series.width);
        (self.encoded.lookback, 1 + 2 * width)
    }

    pub fn horizon(&self) -> usize {
        self.encoded.horizon
    }

    pub fn batch(&self, rows: &[u32]) -> Batch {
        let mut batch = Batch { inputs: vec![], targets: vec![], units: vec![] };
        let Encoded { lookback, horizon, season, .. } = *self.encoded;
        for &row in rows {
            let (series, first) = self.at(row);
            let window = &series.values[first - lookback..first];
            let unit = unit(window, season, series.deviation);
            let features = &series.features[(first - lookback) * series.width..];
            push_window(window, unit, features, series.width, horizon, &mut batch.inputs);
            let targets = &series.values[first..first + horizon];
            batch.targets.extend(targets.iter().map(|&x| unit.learned(x)));
            batch.units.push(unit);
        }
        batch
    }

    /// The values to forecast in the target's own unit, `horizon` a window.
    pub fn truth(&self) -> Vec<f64> {
        let horizon = self.encoded.horizon;
        let of = |row| {
            let (series, first) = self.at(row);
            series.values[first..first + horizon].iter().copied()
        };
        (0..self.rows() as u32).flat_map(of).collect()
    }

    /// Forecasts that repeat the last season (Hyndman and Athanasopoulos, 3rd edition, 5.2), in the
    /// order of [`Self::truth`].
    pub fn seasonal_naive(&self) -> Vec<f64> {
        let Encoded { horizon, season, .. } = *self.encoded;
        let of = |row| {
            let (series, first) = self.at(row);
            let season = season.clamp(1, first.max(1));
            (0..horizon).map(move |h| series.values[first - season + h % season])
        };
        (0..self.rows() as u32).flat_map(of).collect()
    }

    fn at(&self, row: u32) -> (&EncodedSeries, usize) {
        let (series, first) = self.origins[row as usize];
        (&self.encoded.series[series as usize], first as usize)
    }
}

/// `features` starts at the window's first step and holds `horizon` steps more than the window.
pub(super) fn push_window(
    window: &[f64],
    unit: Unit,
    features: &[f32],
    width: usize,
    horizon: usize,
    into: &mut Vec<f32>,
) {
    for (i, &value) in window.iter().enumerate() {
        into.push(narrow(unit.learned(value)));
        into.extend_from_slice(&features[i * width..][..width]);
        into.extend_from_slice(&features[(i + horizon) * width..][..width]);
    }
}

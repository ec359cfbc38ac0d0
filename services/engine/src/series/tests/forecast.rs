//! A model as plain as a linear one must make better forecasts of real series than repeating the last
//! season does: what the windows hold is enough to learn from.

use super::*;

/// Ridge regression of the targets on the inputs, both centred, by the normal equations.
struct Ridge {
    inputs: Vec<f64>,
    targets: Vec<f64>,
    /// Inputs by targets.
    weights: Vec<f64>,
}

impl Ridge {
    fn fit(windows: &Windows, penalty: f64) -> Self {
        let all: Vec<u32> = (0..windows.rows() as u32).collect();
        let batch = windows.batch(&all);
        let (n, d) = (all.len(), batch.inputs.len() / all.len());
        let k = batch.targets.len() / n;
        let mean = |values: &[f64], width: usize| -> Vec<f64> {
            (0..width)
                .map(|j| values.iter().skip(j).step_by(width).sum::<f64>() / n as f64)
                .collect()
        };
        let x: Vec<f64> = batch.inputs.iter().map(|&x| f64::from(x)).collect();
        let (inputs, targets) = (mean(&x, d), mean(&batch.targets, k));
        let (mut gram, mut right) = (vec![0.0; d * d], vec![0.0; d * k]);
        for row in 0..n {
            let x: Vec<f64> = (0..d).map(|j| x[row * d + j] - inputs[j]).collect();
            for i in 0..d {
                (0..d).for_each(|j| gram[i * d + j] += x[i] * x[j]);
                (0..k).for_each(|j| {
                    right[i * k + j] += x[i] * (batch.targets[row * k + j] - targets[j]);
                });
            }
        }
        (0..d).for_each(|i| gram[i * d + i] += penalty);
        Self { inputs, targets, weights: solve(gram, right, d, k) }
    }

    fn mean_absolute_error(&self, windows: &Windows) -> f64 {
        let all: Vec<u32> = (0..windows.rows() as u32).collect();
        let batch = windows.batch(&all);
        let (d, k) = (self.inputs.len(), self.targets.len());
        let mut forecasts = vec![];
        for (x, unit) in batch.inputs.chunks_exact(d).zip(&batch.units) {
            for j in 0..k {
                let sum: f64 = (0..d)
                    .map(|i| (f64::from(x[i]) - self.inputs[i]) * self.weights[i * k + j])
                    .sum();
                forecasts.push(unit.value(sum + self.targets[j]));
            }
        }
        mean_absolute_error(&forecasts, &windows.truth())
    }
}

fn mean_absolute_error(forecasts: &[f64], truth: &[f64]) -> f64 {
    let errors = forecasts.iter().zip(truth).map(|(forecast, truth)| (forecast - truth).abs());
    errors.sum::<f64>() / truth.len() as f64
}

/// Gauss and Jordan; the matrix is positive definite.
fn solve(mut a: Vec<f64>, mut b: Vec<f64>, d: usize, k: usize) -> Vec<f64> {
    for i in 0..d {
        let pivot = a[i * d + i];
        for row in 0..d {
            let factor = a[row * d + i] / pivot;
            if row == i || factor == 0.0 {
                continue;
            }
            (i..d).for_each(|j| a[row * d + j] -= factor * a[i * d + j]);
            (0..k).for_each(|j| b[row * k + j] -= factor * b[i * k + j]);
        }
    }
    (0..d * k).map(|i| b[i] / a[(i / k) * d + i / k]).collect()
}

/// Errors of a linear model on the windows and of the seasonal naive forecast.
fn errors_of_both(
    path: &std::path::Path,
    target: &str,
    series: &Series,
    penalty: f64,
) -> (f64, f64) {
    let raw = read(path, target, series).unwrap();
    assert_eq!(raw.warnings, Vec::<String>::new());
    let (training, validation) = raw.windows(&raw.fit(series), series);
    let naive = mean_absolute_error(&validation.seasonal_naive(), &validation.truth());
    (Ridge::fit(&training, penalty).mean_absolute_error(&validation), naive)
}

#[test]
fn a_linear_model_forecasts_airline_passengers_better_than_the_last_year_does() {
    let Some(path) = real("airline-passengers/airline_passengers.csv") else { return };
    for lookback in [24, 36] {
        let series = Series {
            calendar: vec![CalendarFeature::MonthOfYear],
            ..window("month", lookback, 12, 12, 1)
        };
        let (linear, naive) = errors_of_both(&path, "passengers", &series, 1.0);
        println!("lookback {lookback}: {linear:.1} passengers, seasonal naive {naive:.1}");
        assert!((naive - 47.833).abs() < 1e-3);
        assert!(linear < 0.6 * naive, "{linear}");
    }
}

fn known_of_bikes() -> Vec<Feature> {
    ["holiday", "workingday", "temp", "hum", "windspeed", "weathersit"]
        .map(|name| feature(name, FeatureKind::Numeric))
        .into()
}

#[test]
fn a_linear_model_forecasts_bike_rentals_better_than_the_last_week_does() {
    let Some(path) = real("bike-sharing/day.csv") else { return };
    for (backtest, seasonal_naive) in [(1, 2_019.714), (4, 1_330.607), (12, 1_479.821)] {
        let series = Series {
            known: known_of_bikes(),
            calendar: vec![CalendarFeature::DayOfWeek, CalendarFeature::DayOfYear],
            ..window("dteday", 14, 7, 7, backtest)
        };
        let (linear, naive) = errors_of_both(&path, "cnt", &series, 100.0);
        println!("backtest {backtest}: {linear:.0} rentals, seasonal naive {naive:.0}");
        assert!((naive - seasonal_naive).abs() < 1e-3, "{naive}");
        assert!(linear < 0.85 * naive, "{linear}");
    }
}

#[test]
fn hours_of_the_day_are_series_of_a_panel() {
    let Some(path) = real("bike-sharing/hour.csv.gz") else { return };
    let data = DataFile { compression: Compression::Gzip, ..csv() };
    let series = Series {
        known: known_of_bikes(),
        calendar: vec![CalendarFeature::DayOfWeek],
        ..window("dteday", 14, 7, 7, 4)
    };
    let read = |series: &Series| {
        let spec = spec(Task::Forecasting, "cnt", Input::Series(series.clone()));
        RawSeries::read(&path, &data, &ReadLimits::default(), &spec, series)
    };
    let Err(refused) = read(&series) else { panic!("24 rows a day are one series") };
    assert!(refused.to_string().contains("`2011-01-01` stands at row 1 (line 2) too"), "{refused}");
    let series = Series { series: Some("hr".into()), ..series };
    let raw = read(&series).unwrap();
    println!("{:?}", raw.warnings);
    let fitted = raw.fit(&series);
    assert_eq!(fitted.deviations.len(), 24);
    let (training, validation) = raw.windows(&fitted, &series);
    assert_eq!(validation.rows(), 24 * 4);
    let linear = Ridge::fit(&training, 100.0).mean_absolute_error(&validation);
    let naive = mean_absolute_error(&validation.seasonal_naive(), &validation.truth());
    println!("{linear:.1} rentals an hour, seasonal naive {naive:.1}");
    assert!(linear < 0.9 * naive, "{linear}");
}

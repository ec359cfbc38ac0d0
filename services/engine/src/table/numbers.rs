//! What is learned of a column of numbers or dates while its training rows go by.

use domain::{
    model::FittedColumn,
    spec::{Imputation, Scaling},
};

use super::{fit::Choices, sort::Sorter};
use crate::{error::EngineError, unit::Unit};

/// Training rows go by in an order that is always the same: first [`Self::count`] takes them all, then [`Self::order`] where it is asked for,
/// then [`Self::add`], then [`Self::spread`]. Missing numbers are NaN. As in scikit-learn's pipelines,
/// they are filled before the scale is fitted.
pub(super) struct NumberFit {
    imputation: Imputation,
    constant: f64,
    scaling: Scaling,
    present: u64,
    missing: u64,
    /// Of the values that are present.
    sum: f64,
    min: f64,
    max: f64,
    /// Median and mode, which no running figure gives.
    in_order: f64,
    /// With missing ones filled.
    filled_sum: f64,
    squares: f64,
    robust: (f64, f64),
}

impl NumberFit {
    fn new(imputation: Imputation, constant: f64, scaling: Scaling) -> Self {
        Self {
            imputation,
            constant,
            scaling,
            present: 0,
            missing: 0,
            sum: -0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            in_order: 0.0,
            filled_sum: -0.0,
            squares: 0.0,
            robust: (0.0, 1.0),
        }
    }

    pub fn of_numbers(choices: &Choices) -> Self {
        Self::new(choices.imputation(), choices.fill_value(), choices.scaling())
    }

    /// Days since 1970, always standardised. A number given for missing ones means nothing as a date,
    /// so that their mean stands in.
    pub fn of_dates(choices: &Choices) -> Self {
        let imputation = match choices.imputation() {
            imputation @ (Imputation::Median | Imputation::Mode) => imputation,
            _ => Imputation::Mean,
        };
        Self::new(imputation, 0.0, Scaling::Standard)
    }

    /// Of a target, which no row lacks.
    pub fn of_target() -> Self {
        Self::new(Imputation::Zero, 0.0, Scaling::Standard)
    }

    pub fn count(&mut self, x: f64) {
        if x.is_nan() {
            self.missing += 1;
            return;
        }
        self.present += 1;
        self.sum += x;
        self.min = self.min.min(x);
        self.max = self.max.max(x);
    }

    pub fn needs_order(&self) -> bool {
        matches!(self.imputation, Imputation::Median | Imputation::Mode)
            || self.scaling == Scaling::Robust
    }

    /// Of the values that are present.
    pub fn order(&mut self, mut sorter: Sorter) -> Result<(), EngineError> {
        self.in_order = match self.imputation {
            Imputation::Median => percentiles(&mut sorter, [0.5])?[0],
            Imputation::Mode => sorter.mode()?,
            _ => 0.0,
        };
        if self.scaling == Scaling::Robust {
            let fill = self.fill();
            (0..self.missing).try_for_each(|_| sorter.push(fill))?;
            if sorter.len() > 0 {
                let [low, middle, high] = percentiles(&mut sorter, [0.25, 0.5, 0.75])?;
                self.robust = (middle, or_one(high - low));
            }
        }
        Ok(())
    }

    /// What stands for a missing value (scikit-learn's `SimpleImputer`; of equally frequent values
    /// the least). A column without any value is filled with 0, or the constant.
    fn fill(&self) -> f64 {
        match self.imputation {
            Imputation::Constant => self.constant,
            _ if self.present == 0 => 0.0,
            // Rounding must not take the mean of equal values away from them.
            Imputation::Mean => (self.sum / self.present as f64).clamp(self.min, self.max),
            Imputation::Median | Imputation::Mode => self.in_order,
            Imputation::Zero | Imputation::Drop => 0.0,
        }
    }

    fn filled(&self, x: f64) -> f64 {
        if x.is_nan() { self.fill() } else { x }
    }

    pub fn needs_sum(&self) -> bool {
        self.scaling == Scaling::Standard && self.missing > 0
    }

    pub fn add(&mut self, x: f64) {
        self.filled_sum += self.filled(x);
    }

    pub fn needs_spread(&self) -> bool {
        self.scaling == Scaling::Standard
    }

    pub fn spread(&mut self, x: f64) {
        self.squares += (self.filled(x) - self.mean()).powi(2);
    }

    fn rows(&self) -> f64 {
        (self.present + self.missing) as f64
    }

    fn mean(&self) -> f64 {
        (if self.missing > 0 { self.filled_sum } else { self.sum }) / self.rows()
    }

    /// Center and scale as scikit-learn's `StandardScaler`, `MinMaxScaler` and `RobustScaler` fit
    /// them; a column whose values are all the same has scale 1.
    pub fn unit(&self) -> Unit {
        if self.rows() == 0.0 {
            return Unit::ITSELF;
        }
        let (center, scale) = match self.scaling {
            Scaling::None => (0.0, 1.0),
            Scaling::Standard => {
                return Unit::of_moments(self.mean(), self.squares / self.rows(), self.rows());
            }
            Scaling::MinMax => {
                let filled = if self.missing > 0 { Some(self.fill()) } else { None };
                let min = filled.map_or(self.min, |fill| self.min.min(fill));
                let max = filled.map_or(self.max, |fill| self.max.max(fill));
                (min, or_one(max - min))
            }
            Scaling::Robust => self.robust,
        };
        Unit { center, scale }
    }

    pub fn number(&self, name: &str, choices: &Choices) -> FittedColumn {
        let (fill, Unit { center, scale }) = (self.fill(), self.unit());
        let indicator = choices.missing_indicator() && self.missing > 0;
        let required = choices.required();
        FittedColumn::Scale { name: name.to_owned(), fill, center, scale, indicator, required }
    }

    pub fn date(&self, name: &str, choices: &Choices) -> FittedColumn {
        let (fill, Unit { center, scale }) = (self.fill(), self.unit());
        let required = choices.required();
        FittedColumn::Date { name: name.to_owned(), fill, center, scale, required }
    }
}

fn or_one(spread: f64) -> f64 {
    if spread > 0.0 { spread } else { 1.0 }
}

/// Interpolated as numpy's `percentile` does (Hyndman and Fan, 1996, "Sample Quantiles in Statistical
/// Packages", type 7), for ascending shares; 0 without any value.
fn percentiles<const N: usize>(
    sorter: &mut Sorter,
    shares: [f64; N],
) -> Result<[f64; N], EngineError> {
    let places = shares.map(|share| sorter.len().saturating_sub(1) as f64 * share);
    let around = places.map(|place| [place.floor() as usize, place.ceil() as usize]);
    let mut wanted = around.concat();
    wanted.sort_unstable();
    let found = sorter.at(&wanted)?;
    let value = |place| {
        let at = wanted.iter().position(|&wanted| wanted == place);
        at.and_then(|at| found.get(at)).copied().unwrap_or(0.0)
    };
    Ok(places.map(|place| {
        let (below, above) = (value(place.floor() as usize), value(place.ceil() as usize));
        let (t, gap) = (place.fract(), above - below);
        if t < 0.5 { below + gap * t } else { above - gap * (1.0 - t) }
    }))
}

#[cfg(test)]
mod tests {
    use domain::spec::{ColumnPreprocess, Preprocess};

    use super::*;

    const NAN: f64 = f64::NAN;
    const X: [f64; 9] = [1.0, 2.0, 2.0, NAN, 6.0, 7.0, 40.5, NAN, -3.0];

    fn numbers(values: &[f64], choices: &Choices) -> FittedColumn {
        let folder = tempfile::tempdir().unwrap();
        let mut fit = NumberFit::of_numbers(choices);
        values.iter().for_each(|&x| fit.count(x));
        if fit.needs_order() {
            let mut sorter = Sorter::new(3, folder.path());
            let present = values.iter().filter(|x| !x.is_nan());
            present.for_each(|&x| sorter.push(x).unwrap());
            fit.order(sorter).unwrap();
        }
        if fit.needs_sum() {
            values.iter().for_each(|&x| fit.add(x));
        }
        if fit.needs_spread() {
            values.iter().for_each(|&x| fit.spread(x));
        }
        fit.number("x", choices)
    }

    fn fitted(values: &[f64], scaling: Scaling, imputation: Imputation) -> [f64; 3] {
        let preprocess =
            Preprocess { scaling, imputation, fill_value: -9.5, ..Preprocess::default() };
        match numbers(values, &Choices::of("x", &preprocess)) {
            FittedColumn::Scale { fill, center, scale, .. } => [fill, center, scale],
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn numbers_are_fitted_as_scikit_learn_does() {
        // make_pipeline(SimpleImputer(strategy, fill_value=-9.5), scaler).fit(X) of scikit-learn
        // 1.9.1: statistics_; then mean_ and scale_, data_min_ and data_range_, center_ and scale_.
        let mean = 7.928571428571429;
        let expected = [
            (Imputation::Mean, Scaling::Standard, [mean, mean, 12.033353119624941]),
            (Imputation::Mean, Scaling::MinMax, [mean, -3.0, 43.5]),
            (Imputation::Mean, Scaling::Robust, [mean, 6.0, 5.928571428571429]),
            (Imputation::Median, Scaling::Standard, [2.0, 6.611111111111111, 12.28318131470331]),
            (Imputation::Median, Scaling::MinMax, [2.0, -3.0, 43.5]),
            (Imputation::Median, Scaling::Robust, [2.0, 2.0, 4.0]),
            (Imputation::Mode, Scaling::Standard, [2.0, 6.611111111111111, 12.28318131470331]),
            (Imputation::Mode, Scaling::MinMax, [2.0, -3.0, 43.5]),
            (Imputation::Mode, Scaling::Robust, [2.0, 2.0, 4.0]),
            (
                Imputation::Constant,
                Scaling::Standard,
                [-9.5, 4.055555555555555, 14.046439731682987],
            ),
            (Imputation::Constant, Scaling::MinMax, [-9.5, -9.5, 50.0]),
            (Imputation::Constant, Scaling::Robust, [-9.5, 2.0, 9.0]),
            (Imputation::Zero, Scaling::None, [0.0, 0.0, 1.0]),
        ];
        for (imputation, scaling, expected) in expected {
            let got = fitted(&X, scaling, imputation);
            let close = got.iter().zip(expected).all(|(a, b)| (a - b).abs() <= 1e-14 * b.abs());
            assert!(close, "{imputation:?} {scaling:?}: {got:?}");
        }
    }

    #[test]
    fn quartiles_of_few_and_many_values_are_those_of_numpy() {
        // numpy.percentile(x, [25, 50, 75])
        let folder = tempfile::tempdir().unwrap();
        let of = |numbers: &[f64]| {
            let mut sorter = Sorter::new(2, folder.path());
            numbers.iter().for_each(|&x| sorter.push(x).unwrap());
            percentiles(&mut sorter, [0.25, 0.5, 0.75]).unwrap()
        };
        assert_eq!(of(&[3.5]), [3.5; 3]);
        assert_eq!(of(&[1.0, 2.0]), [1.25, 1.5, 1.75]);
        assert_eq!(of(&[-3.0, 1.0, 2.0, 6.0, 7.0, 40.5]), [1.25, 4.0, 6.75]);
    }

    #[test]
    fn of_equally_frequent_values_the_least_stands_in() {
        let got = fitted(&[5.0, 5.0, 1.0, -2.0, -2.0, NAN], Scaling::None, Imputation::Mode);
        assert_eq!(got[0], -2.0);
    }

    #[test]
    fn columns_without_spread_or_values_have_scale_one() {
        for scaling in [Scaling::Standard, Scaling::MinMax, Scaling::Robust, Scaling::None] {
            for imputation in [Imputation::Mean, Imputation::Median, Imputation::Mode] {
                let mut tenths = vec![0.1; 1000];
                tenths[7] = NAN;
                assert_eq!(fitted(&tenths, scaling, imputation)[2], 1.0, "{scaling:?}");
                let zero = [0.0, 0.0, 1.0];
                assert_eq!(fitted(&[NAN; 3], scaling, imputation), zero);
                assert_eq!(fitted(&[], scaling, imputation), zero);
            }
        }
        let constant = fitted(&[NAN; 3], Scaling::Standard, Imputation::Constant);
        assert_eq!(constant, [-9.5, -9.5, 1.0]);
    }

    #[test]
    fn an_indicator_is_added_where_training_rows_lack_a_value() {
        let preprocess = Preprocess { missing_indicator: true, ..Preprocess::default() };
        let width = |x: &[f64]| numbers(x, &Choices::of("x", &preprocess)).width();
        assert_eq!((width(&X), width(&X[..3])), (2, 1));
    }

    #[test]
    fn a_column_s_own_choices_go_first() {
        let own = ColumnPreprocess {
            scaling: Some(Scaling::MinMax),
            imputation: Some(Imputation::Constant),
            fill_value: Some(1e300),
            ..ColumnPreprocess::default()
        };
        let preprocess =
            Preprocess { columns: [("x".into(), own)].into(), ..Preprocess::default() };
        let choices = Choices::of("x", &preprocess);
        let largest = f64::from(f32::MAX);
        let FittedColumn::Scale { fill, center, scale, .. } = numbers(&[0.0, NAN], &choices) else {
            panic!()
        };
        assert_eq!((fill, center, scale), (largest, 0.0, largest));
    }
}

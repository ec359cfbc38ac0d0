//! What is learned of each column before training, from the training rows alone.

use std::collections::{HashMap, HashSet};

use domain::{
    model::FittedColumn,
    spec::{ColumnPreprocess, Encoding, Imputation, Preprocess, Scaling},
};

use crate::unit::Unit;

/// What was chosen for one column: its own choices before those for all.
pub(super) struct Choices<'a> {
    all: &'a Preprocess,
    own: Option<&'a ColumnPreprocess>,
}

impl<'a> Choices<'a> {
    pub fn of(column: &str, preprocess: &'a Preprocess) -> Self {
        Self { all: preprocess, own: preprocess.columns.get(column) }
    }

    fn scaling(&self) -> Scaling {
        self.own.and_then(|own| own.scaling).unwrap_or(self.all.scaling)
    }

    fn imputation(&self) -> Imputation {
        self.own.and_then(|own| own.imputation).unwrap_or(self.all.imputation)
    }

    fn fill_value(&self) -> f64 {
        let limit = f64::from(f32::MAX);
        self.own.and_then(|own| own.fill_value).unwrap_or(self.all.fill_value).clamp(-limit, limit)
    }

    /// Whether rows without a value are left out, and predictions without one refused.
    pub fn required(&self) -> bool {
        self.imputation() == Imputation::Drop
    }
}

/// Missing numbers are NaN. As in scikit-learn's pipelines, they are filled before the scale is
/// fitted.
pub(super) fn numbers(name: &str, mut values: Vec<f64>, choices: &Choices) -> FittedColumn {
    let present = values.iter().copied().filter(|x| !x.is_nan()).collect::<Vec<_>>();
    let missing = values.len() - present.len();
    let fill = fill(present, choices.imputation(), choices.fill_value());
    values.iter_mut().filter(|x| x.is_nan()).for_each(|x| *x = fill);
    let (center, scale) = scale(values, choices.scaling());
    let indicator = choices.all.missing_indicator && missing > 0;
    let required = choices.required();
    FittedColumn::Scale { name: name.to_owned(), fill, center, scale, indicator, required }
}

/// Days since 1970, NaN where missing; always standardised. A number given for missing ones means
/// nothing as a date, so that their mean stands in.
pub(super) fn dates(name: &str, mut days: Vec<f64>, choices: &Choices) -> FittedColumn {
    let imputation = match choices.imputation() {
        imputation @ (Imputation::Median | Imputation::Mode) => imputation,
        _ => Imputation::Mean,
    };
    let fill = fill(days.iter().copied().filter(|x| !x.is_nan()).collect(), imputation, 0.0);
    days.iter_mut().filter(|x| x.is_nan()).for_each(|x| *x = fill);
    let Unit { center, scale } = Unit::standard(days.iter().copied());
    FittedColumn::Date { name: name.to_owned(), fill, center, scale, required: choices.required() }
}

/// The categories of the training rows, each with its rows, and how many rows have none.
pub(super) fn categories(
    name: &str,
    mut seen: Vec<(&str, u64)>,
    missing: u64,
    choices: &Choices,
) -> FittedColumn {
    let (name, required) = (name.to_owned(), choices.required());
    seen.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let most_frequent = seen.first().filter(|_| choices.imputation() == Imputation::Mode);
    let fill = most_frequent.map(|(category, _)| (*category).to_owned());
    let frequent = seen
        .iter()
        .take(choices.all.max_categories as usize)
        .take_while(|(_, rows)| *rows >= u64::from(choices.all.min_frequency))
        .map(|(category, _)| (*category).to_owned());
    match choices.own.and_then(|own| own.encoding).unwrap_or(choices.all.encoding) {
        Encoding::OneHot => {
            let categories: Vec<String> = frequent.collect();
            let infrequent = categories.len() < seen.len();
            FittedColumn::OneHot { name, categories, infrequent, fill, required }
        }
        Encoding::Hashing => {
            let buckets = choices.all.hash_buckets.max(1);
            FittedColumn::Hash { name, buckets, fill, required }
        }
        Encoding::Ordinal => {
            let categories: Vec<String> = match choices.own.and_then(|own| own.categories.as_ref())
            {
                Some(given) => {
                    let mut once = HashSet::new();
                    given.iter().filter(|category| once.insert(*category)).cloned().collect()
                }
                // The rarest first: what is rarer still, or unknown, is -1 and stands before it.
                None => frequent.collect::<Vec<_>>().into_iter().rev().collect(),
            };
            let (center, scale) = ordinal_scale(&categories, &seen, missing, fill.as_deref());
            FittedColumn::Ordinal { name, categories, fill, center, scale, required }
        }
    }
}

/// Mean and deviation of the training rows' places.
fn ordinal_scale(
    categories: &[String],
    seen: &[(&str, u64)],
    missing: u64,
    fill: Option<&str>,
) -> (f64, f64) {
    let places: HashMap<&str, f64> =
        categories.iter().enumerate().map(|(i, c)| (c.as_str(), i as f64)).collect();
    let place = |category: &str| places.get(category).copied().unwrap_or(-1.0);
    let of_missing = (fill.map_or(-1.0, place), missing);
    let counted = || seen.iter().map(|&(c, rows)| (place(c), rows)).chain([of_missing]);
    let rows = counted().map(|(_, rows)| rows).sum::<u64>() as f64;
    if rows == 0.0 {
        return (0.0, 1.0);
    }
    let mean = counted().map(|(place, rows)| place * rows as f64).sum::<f64>() / rows;
    let squares = counted().map(|(place, rows)| (place - mean).powi(2) * rows as f64);
    let Unit { center, scale } = Unit::of_moments(mean, squares.sum::<f64>() / rows, rows);
    (center, scale)
}

/// What stands for a missing value (scikit-learn's `SimpleImputer`; of equally frequent values the
/// least). A column without any value is filled with 0, or the constant.
fn fill(mut present: Vec<f64>, imputation: Imputation, constant: f64) -> f64 {
    if imputation == Imputation::Constant {
        return constant;
    }
    if present.is_empty() {
        return 0.0;
    }
    match imputation {
        Imputation::Mean => {
            // Rounding must not take the mean of equal values away from them.
            let min = present.iter().copied().fold(f64::INFINITY, f64::min);
            let max = present.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            (present.iter().sum::<f64>() / present.len() as f64).clamp(min, max)
        }
        Imputation::Median => {
            present.sort_unstable_by(f64::total_cmp);
            percentile(&present, 0.5)
        }
        Imputation::Mode => {
            present.sort_unstable_by(f64::total_cmp);
            let runs = present.chunk_by(|a, b| a == b).rev();
            runs.max_by_key(|run| run.len()).map_or(0.0, |run| run[0])
        }
        Imputation::Zero | Imputation::Constant | Imputation::Drop => 0.0,
    }
}

/// Center and scale as scikit-learn's `StandardScaler`, `MinMaxScaler` and `RobustScaler` fit them;
/// a column whose values are all the same has scale 1.
fn scale(mut values: Vec<f64>, scaling: Scaling) -> (f64, f64) {
    if values.is_empty() {
        return (0.0, 1.0);
    }
    let or_one = |spread: f64| if spread > 0.0 { spread } else { 1.0 };
    match scaling {
        Scaling::None => (0.0, 1.0),
        Scaling::Standard => {
            let Unit { center, scale } = Unit::standard(values.into_iter());
            (center, scale)
        }
        Scaling::MinMax => {
            let min = values.iter().copied().fold(f64::INFINITY, f64::min);
            let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            (min, or_one(max - min))
        }
        Scaling::Robust => {
            values.sort_unstable_by(f64::total_cmp);
            let spread = percentile(&values, 0.75) - percentile(&values, 0.25);
            (percentile(&values, 0.5), or_one(spread))
        }
    }
}

/// Of sorted values, at least one, interpolated as numpy's `percentile` does (Hyndman and Fan, 1996,
/// "Sample Quantiles in Statistical Packages", type 7).
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let place = (sorted.len() - 1) as f64 * share;
    let below = sorted[place.floor() as usize];
    let above = sorted[place.ceil() as usize];
    let t = place.fract();
    let gap = above - below;
    if t < 0.5 { below + gap * t } else { above - gap * (1.0 - t) }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::FRAC_1_SQRT_2;

    use super::*;

    const NAN: f64 = f64::NAN;
    const X: [f64; 9] = [1.0, 2.0, 2.0, NAN, 6.0, 7.0, 40.5, NAN, -3.0];
    const CITIES: [(&str, u64); 5] = [("a", 4), ("b", 3), ("c", 2), ("d", 2), ("e", 1)];

    fn fitted(values: &[f64], scaling: Scaling, imputation: Imputation) -> [f64; 3] {
        let preprocess =
            Preprocess { scaling, imputation, fill_value: -9.5, ..Preprocess::default() };
        match numbers("x", values.to_vec(), &Choices::of("x", &preprocess)) {
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
        let of = |x: &[f64]| [0.25, 0.5, 0.75].map(|share| percentile(x, share));
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
        let width = |x: &[f64]| numbers("x", x.to_vec(), &Choices::of("x", &preprocess)).width();
        assert_eq!((width(&X), width(&X[..3])), (2, 1));
    }

    fn one_hot(max_categories: u32, min_frequency: u32) -> (String, bool) {
        let preprocess = Preprocess { max_categories, min_frequency, ..Preprocess::default() };
        match categories("x", CITIES.to_vec(), 1, &Choices::of("x", &preprocess)) {
            FittedColumn::OneHot {
                categories, infrequent, fill: None, required: false, ..
            } => (categories.concat(), infrequent),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn rare_categories_are_folded_as_scikit_learn_does() {
        // OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories, min_frequency), whose
        // max_categories counts the shared input too and is larger by one than ours.
        assert_eq!(one_hot(2, 1), ("ab".into(), true));
        assert_eq!(one_hot(4, 1), ("abcd".into(), true));
        assert_eq!(one_hot(5, 1), ("abcde".into(), false));
        assert_eq!(one_hot(50, 2), ("abcd".into(), true));
        assert_eq!(one_hot(50, 3), ("ab".into(), true));
        assert_eq!(one_hot(2, 2), ("ab".into(), true));
        assert_eq!(one_hot(50, 9), ("".into(), true));
    }

    #[test]
    fn ordinals_are_fitted_as_scikit_learn_does() {
        // OrdinalEncoder(categories=[["low", "mid", "high"]], handle_unknown="use_encoded_value",
        // unknown_value=-1, encoded_missing_value=-1), then StandardScaler: mean_ and scale_; with
        // SimpleImputer("most_frequent") before.
        let order = ["low", "mid", "high", "low"].map(str::to_owned).to_vec();
        let own = ColumnPreprocess { categories: Some(order), ..ColumnPreprocess::default() };
        let mut preprocess = Preprocess {
            encoding: Encoding::Ordinal,
            columns: [("size".to_owned(), own)].into(),
            ..Preprocess::default()
        };
        let fit = |preprocess: &Preprocess| {
            let seen = vec![("mid", 3), ("low", 2), ("high", 2)];
            match categories("size", seen, 1, &Choices::of("size", preprocess)) {
                FittedColumn::Ordinal { categories, fill, center, scale, .. } => {
                    (categories.join(" "), fill, center, scale)
                }
                other => panic!("{other:?}"),
            }
        };
        let listed = "low mid high".to_owned();
        assert_eq!(fit(&preprocess), (listed.clone(), None, 0.75, 0.9682458365518543));
        preprocess.imputation = Imputation::Mode;
        let with_mode = (listed, Some("mid".into()), 1.0, FRAC_1_SQRT_2);
        assert_eq!(fit(&preprocess), with_mode);
        preprocess.columns.clear();
        assert_eq!(fit(&preprocess).0, "low high mid");
    }

    #[test]
    fn a_column_s_own_choices_go_first() {
        let own = ColumnPreprocess {
            scaling: Some(Scaling::MinMax),
            imputation: Some(Imputation::Constant),
            fill_value: Some(1e300),
            encoding: Some(Encoding::Hashing),
            ..ColumnPreprocess::default()
        };
        let preprocess =
            Preprocess { columns: [("x".into(), own)].into(), ..Preprocess::default() };
        let choices = Choices::of("x", &preprocess);
        let largest = f64::from(f32::MAX);
        let FittedColumn::Scale { fill, center, scale, .. } =
            numbers("x", vec![0.0, NAN], &choices)
        else {
            panic!()
        };
        assert_eq!((fill, center, scale), (largest, 0.0, largest));
        let hashed = categories("x", CITIES.to_vec(), 0, &choices);
        assert!(matches!(hashed, FittedColumn::Hash { buckets: 32, fill: None, .. }));
        let other = categories("other", CITIES.to_vec(), 0, &Choices::of("other", &preprocess));
        assert!(matches!(other, FittedColumn::OneHot { .. }));
    }
}

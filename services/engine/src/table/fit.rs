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

    pub fn scaling(&self) -> Scaling {
        self.own.and_then(|own| own.scaling).unwrap_or(self.all.scaling)
    }

    pub fn imputation(&self) -> Imputation {
        self.own.and_then(|own| own.imputation).unwrap_or(self.all.imputation)
    }

    pub fn fill_value(&self) -> f64 {
        let limit = f64::from(f32::MAX);
        self.own.and_then(|own| own.fill_value).unwrap_or(self.all.fill_value).clamp(-limit, limit)
    }

    pub fn missing_indicator(&self) -> bool {
        self.all.missing_indicator
    }

    /// Whether rows without a value are left out, and predictions without one refused.
    pub fn required(&self) -> bool {
        self.imputation() == Imputation::Drop
    }
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

#[cfg(test)]
mod tests {
    use std::f64::consts::FRAC_1_SQRT_2;

    use super::*;

    const CITIES: [(&str, u64); 5] = [("a", 4), ("b", 3), ("c", 2), ("d", 2), ("e", 1)];

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
    fn a_column_s_own_encoding_goes_first() {
        let own =
            ColumnPreprocess { encoding: Some(Encoding::Hashing), ..ColumnPreprocess::default() };
        let preprocess =
            Preprocess { columns: [("x".into(), own)].into(), ..Preprocess::default() };
        let choices = Choices::of("x", &preprocess);
        let hashed = categories("x", CITIES.to_vec(), 0, &choices);
        assert!(matches!(hashed, FittedColumn::Hash { buckets: 32, fill: None, .. }));
        let other = categories("other", CITIES.to_vec(), 0, &Choices::of("other", &preprocess));
        assert!(matches!(other, FittedColumn::OneHot { .. }));
    }
}

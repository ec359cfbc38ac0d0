//! From a file's rows to the numbers a network reads: the columns that the specification names, the
//! seeded split, transforms fitted on the training rows alone, and one dense matrix for each part.

use std::{collections::HashMap, path::Path};

use domain::{
    child::DataFile,
    dataset::ReadLimits,
    model::FittedColumn,
    spec::{
        Feature, FeatureKind, Imputation, Preprocess, Scaling, Task, TrainingSpec, validation_rows,
    },
};

use crate::{
    chance::{Chance, Purpose},
    error::{At, EngineError},
    read::{Number, Table, is_missing, number},
};

const MISSING: u32 = u32::MAX;

pub(crate) struct Prepared {
    pub columns: Vec<FittedColumn>,
    /// For regression, of the training rows' target; 0 and 1 otherwise.
    pub target_center: f64,
    pub target_scale: f64,
    pub training: Part,
    pub validation: Part,
    pub rows_without_target: u64,
}

/// Encoded rows, one after another.
pub(crate) struct Part {
    pub width: usize,
    pub inputs: Vec<f32>,
    /// The class's index, or the number to predict in its own unit.
    pub targets: Vec<f64>,
}

impl Part {
    pub fn rows(&self) -> usize {
        self.targets.len()
    }

    pub fn row(&self, i: usize) -> &[f32] {
        &self.inputs[i * self.width..(i + 1) * self.width]
    }
}

pub(crate) fn prepare(
    file: &Path,
    data: &DataFile,
    limits: &ReadLimits,
    spec: &TrainingSpec,
) -> Result<Prepared, EngineError> {
    let raw = read(file, data, limits, spec)?;
    let rows = raw.targets.len();
    let held_back = validation_rows(rows as u64, spec.validation_split) as usize;
    if rows == held_back {
        return Err(EngineError::NoRows(format!(
            "no row is left to train on: {rows} rows have a value in `{}` and {held_back} of them \
             are held back; use a smaller validation split or add rows",
            spec.target
        )));
    }
    let order = Chance::new(spec.seed, Purpose::Split, 0, 0).permutation(rows as u32);
    let (training, validation) = order.split_at(rows - held_back);
    let columns: Vec<FittedColumn> = raw
        .columns
        .iter()
        .zip(&spec.features)
        .map(|(column, feature)| column.fit(&feature.name, training, &spec.preprocess))
        .collect();
    if columns.iter().all(|c| c.width() == 0) {
        return Err(EngineError::NoInputs { rows: training.len() });
    }
    let (target_center, target_scale) = match spec.task {
        Task::Regression => standard(training.iter().map(|&i| raw.targets[i as usize])),
        Task::BinaryClassification | Task::MulticlassClassification => (0.0, 1.0),
    };
    Ok(Prepared {
        training: raw.encode(&columns, training),
        validation: raw.encode(&columns, validation),
        columns,
        target_center,
        target_scale,
        rows_without_target: raw.rows_without_target,
    })
}

/// `(x - center) / scale` within the range of `f32`.
pub(crate) fn scaled(x: Option<f64>, fill: f64, center: f64, scale: f64) -> f32 {
    let limit = f64::from(f32::MAX);
    ((x.unwrap_or(fill) - center) / scale).clamp(-limit, limit) as f32
}

struct Raw {
    columns: Vec<RawColumn>,
    targets: Vec<f64>,
    rows_without_target: u64,
}

enum RawColumn {
    /// NaN where the value is missing.
    Numeric(Vec<f64>),
    /// Indexes into `values`, or `MISSING`.
    Categorical { codes: Vec<u32>, values: Vec<String>, index: HashMap<String, u32> },
}

fn read(
    file: &Path,
    data: &DataFile,
    limits: &ReadLimits,
    spec: &TrainingSpec,
) -> Result<Raw, EngineError> {
    let mut table = Table::open(file, data, limits)?;
    let place = |name: &str| {
        table.columns().iter().position(|c| c == name).ok_or_else(|| {
            EngineError::UnknownColumn(format!(
                "the file has no column `{name}`; submit the job again for this dataset version"
            ))
        })
    };
    let target = place(&spec.target)?;
    let places = spec.features.iter().map(|f| place(&f.name)).collect::<Result<Vec<usize>, _>>()?;
    let classes: HashMap<&str, usize> =
        spec.classes.iter().enumerate().map(|(i, class)| (class.as_str(), i)).collect();
    let mut raw = Raw {
        columns: spec.features.iter().map(RawColumn::new).collect(),
        targets: vec![],
        rows_without_target: 0,
    };
    while let Some(record) = table.next_row()? {
        let cell = record.cell(target);
        if is_missing(cell) {
            raw.rows_without_target += 1;
            continue;
        }
        raw.targets.push(match spec.task {
            Task::Regression => finite(cell, record.at, &spec.target)?,
            _ => *classes.get(cell).ok_or_else(|| EngineError::UnknownClass {
                at: record.at,
                column: spec.target.clone(),
                value: cell.to_owned(),
                classes: classes.len(),
            })? as f64,
        });
        for ((column, &i), feature) in raw.columns.iter_mut().zip(&places).zip(&spec.features) {
            column.push(record.cell(i), record.at, &feature.name)?;
        }
    }
    Ok(raw)
}

/// A number that a network can be given.
fn finite(cell: &str, at: At, column: &str) -> Result<f64, EngineError> {
    match number(cell) {
        Some(Number::Finite(n)) if n.abs() <= f64::from(f32::MAX) => Ok(n),
        Some(_) => Err(EngineError::InfiniteValue {
            at,
            column: column.to_owned(),
            value: cell.to_owned(),
        }),
        None => {
            Err(EngineError::NotANumber { at, column: column.to_owned(), value: cell.to_owned() })
        }
    }
}

impl RawColumn {
    fn new(feature: &Feature) -> Self {
        match feature.kind {
            FeatureKind::Numeric => Self::Numeric(vec![]),
            FeatureKind::Categorical => {
                Self::Categorical { codes: vec![], values: vec![], index: HashMap::new() }
            }
        }
    }

    fn push(&mut self, cell: &str, at: At, name: &str) -> Result<(), EngineError> {
        match self {
            Self::Numeric(values) if is_missing(cell) => values.push(f64::NAN),
            Self::Numeric(values) => values.push(finite(cell, at, name)?),
            Self::Categorical { codes, .. } if is_missing(cell) => codes.push(MISSING),
            Self::Categorical { codes, values, index } => {
                let code = index.get(cell).copied().unwrap_or_else(|| {
                    let code = values.len() as u32;
                    values.push(cell.to_owned());
                    index.insert(cell.to_owned(), code);
                    code
                });
                codes.push(code);
            }
        }
        Ok(())
    }

    fn fit(&self, name: &str, training: &[u32], preprocess: &Preprocess) -> FittedColumn {
        let name = name.to_owned();
        match self {
            Self::Numeric(values) => {
                let values: Vec<f64> = training.iter().map(|&i| values[i as usize]).collect();
                let (fill, center, scale) = fit_numbers(&values, preprocess);
                FittedColumn::Scale { name, fill, center, scale }
            }
            Self::Categorical { codes, values, .. } => {
                let mut counts = vec![0_u64; values.len()];
                training
                    .iter()
                    .map(|&i| codes[i as usize])
                    .filter(|&code| code != MISSING)
                    .for_each(|code| counts[code as usize] += 1);
                let mut seen: Vec<usize> = (0..values.len()).filter(|&i| counts[i] > 0).collect();
                seen.sort_by(|&a, &b| counts[b].cmp(&counts[a]).then(values[a].cmp(&values[b])));
                seen.truncate(preprocess.max_categories as usize);
                let categories = seen.into_iter().map(|i| values[i].clone()).collect();
                FittedColumn::OneHot { name, categories }
            }
        }
    }
}

/// Fill, center and scale; as in scikit-learn's pipelines, missing values are filled before the
/// scale is fitted.
fn fit_numbers(values: &[f64], preprocess: &Preprocess) -> (f64, f64, f64) {
    let mut present: Vec<f64> = values.iter().copied().filter(|x| !x.is_nan()).collect();
    let fill = match preprocess.imputation {
        _ if present.is_empty() => 0.0,
        Imputation::Zero => 0.0,
        Imputation::Mean => present.iter().sum::<f64>() / present.len() as f64,
        Imputation::Median => {
            present.sort_by(f64::total_cmp);
            let middle = present.len() / 2;
            let even = present.len().is_multiple_of(2);
            if even { present[middle - 1].midpoint(present[middle]) } else { present[middle] }
        }
    };
    let filled = values.iter().map(|&x| if x.is_nan() { fill } else { x });
    let (center, scale) = match preprocess.scaling {
        Scaling::None => (0.0, 1.0),
        Scaling::Standard => standard(filled),
        Scaling::MinMax => {
            let min = filled.clone().fold(f64::INFINITY, f64::min);
            let max = filled.fold(f64::NEG_INFINITY, f64::max);
            (min, if max > min { max - min } else { 1.0 })
        }
    };
    (fill, center, scale)
}

/// Mean and population standard deviation; 1 in place of a deviation that is only rounding.
fn standard(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let n = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / n;
    let variance = values.map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    let rounding = (n * mean * f64::EPSILON).powi(2);
    (mean, if variance > rounding { variance.sqrt() } else { 1.0 })
}

impl Raw {
    fn encode(&self, fitted: &[FittedColumn], rows: &[u32]) -> Part {
        let width: usize = fitted.iter().map(FittedColumn::width).sum();
        let mut inputs = vec![0.0; rows.len() * width];
        let mut offset = 0;
        for (raw, fitted) in self.columns.iter().zip(fitted) {
            let cells = rows.iter().zip(inputs.chunks_exact_mut(width));
            match (raw, fitted) {
                (RawColumn::Numeric(values), FittedColumn::Scale { fill, center, scale, .. }) => {
                    for (&i, inputs) in cells {
                        let x = Some(values[i as usize]).filter(|x| !x.is_nan());
                        inputs[offset] = scaled(x, *fill, *center, *scale);
                    }
                }
                (
                    RawColumn::Categorical { codes, index, .. },
                    FittedColumn::OneHot { categories, .. },
                ) => {
                    let mut slots = vec![None; index.len()];
                    for (slot, category) in categories.iter().enumerate() {
                        slots[index[category] as usize] = Some(slot);
                    }
                    for (&i, inputs) in cells {
                        let code = codes[i as usize] as usize;
                        if let Some(slot) = slots.get(code).copied().flatten() {
                            inputs[offset + slot] = 1.0;
                        }
                    }
                }
                _ => unreachable!("a column is fitted by its own kind"),
            }
            offset += fitted.width();
        }
        let targets = rows.iter().map(|&i| self.targets[i as usize]).collect();
        Part { width, inputs, targets }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preprocess(scaling: Scaling, imputation: Imputation) -> Preprocess {
        Preprocess { scaling, imputation, max_categories: 2 }
    }

    #[test]
    fn numbers_are_fitted_as_scikit_learn_does() {
        // SimpleImputer and StandardScaler or MinMaxScaler on [1, 2, nan, 6, 7].
        let values = [1.0, 2.0, f64::NAN, 6.0, 7.0];
        let mean = fit_numbers(&values, &preprocess(Scaling::Standard, Imputation::Mean));
        assert_eq!(mean, (4.0, 4.0, 5.2_f64.sqrt()));
        let median = fit_numbers(&values[1..], &preprocess(Scaling::MinMax, Imputation::Median));
        assert_eq!(median, (6.0, 2.0, 5.0));
        let zero = fit_numbers(&values, &preprocess(Scaling::None, Imputation::Zero));
        assert_eq!(zero, (0.0, 0.0, 1.0));
    }

    #[test]
    fn constant_and_missing_columns_have_scale_one() {
        let standard = preprocess(Scaling::Standard, Imputation::Mean);
        let (_, center, scale) = fit_numbers(&[0.1; 1000], &standard);
        assert!((center - 0.1).abs() < 1e-12);
        assert_eq!(scale, 1.0);
        assert_eq!(fit_numbers(&[f64::NAN; 3], &standard), (0.0, 0.0, 1.0));
    }

    #[test]
    fn categories_are_the_most_frequent_of_the_training_rows() {
        let feature = Feature { name: "city".into(), kind: FeatureKind::Categorical };
        let mut column = RawColumn::new(&feature);
        for cell in ["rare", "b", "a", "?", "b", "a", "c", "c", "c"] {
            column.push(cell, At::default(), "city").unwrap();
        }
        let fitted =
            column.fit("city", &[1, 2, 3, 4, 5], &preprocess(Scaling::None, Imputation::Zero));
        let expected =
            FittedColumn::OneHot { name: "city".into(), categories: vec!["a".into(), "b".into()] };
        assert_eq!(fitted, expected);
    }
}

//! What a row that is asked about holds: a column for each thing that the model reads.

use super::{FittedColumn, FittedInput, FittedKnown, ModelConfig, TimeForm};
use crate::spec::FeatureKind;

/// The column of pictures.
pub const IMAGE: &str = "image";

/// A column of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub holds: Holds,
    /// A row may be without it.
    pub optional: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    Words,
    Number,
    WholeNumber,
}

impl Column {
    fn new(name: &str, holds: Holds) -> Self {
        Self { name: name.to_owned(), holds, optional: false }
    }

    fn optional(name: &str, holds: Holds) -> Self {
        Self { optional: true, ..Self::new(name, holds) }
    }
}

impl ModelConfig {
    pub fn reads(&self) -> Vec<Column> {
        use Holds::{Number, WholeNumber, Words};
        match &self.input {
            FittedInput::Table { columns } => columns.iter().map(of_table).collect(),
            FittedInput::Text(text) => vec![Column::new(&text.column, Words)],
            FittedInput::Images { .. } => vec![Column::new(IMAGE, Words)],
            FittedInput::Corpus(_) => vec![
                Column::new("prompt", Words),
                Column::optional("max_tokens", WholeNumber),
                Column::optional("temperature", Number),
                Column::optional("top_k", WholeNumber),
                Column::optional("top_p", Number),
                Column::optional("seed", WholeNumber),
            ],
            FittedInput::Series { series, fitted } => {
                let time = if fitted.form == TimeForm::Number { Number } else { Words };
                let mut columns = vec![Column::new(&series.time, time)];
                columns.extend(series.series.iter().map(|name| Column::new(name, Words)));
                columns.push(Column::new(&self.target, Number));
                let known = fitted.known.iter().zip(&series.known);
                columns.extend(known.map(|(known, feature)| match known {
                    FittedKnown::Scale { name, .. } if feature.kind != FeatureKind::Date => {
                        Column::new(name, Number)
                    }
                    known => Column::new(known.name(), Words),
                }));
                columns
            }
            FittedInput::Ratings { ratings, .. } => vec![
                Column::new(&ratings.user, Words),
                Column::optional(&ratings.item, Words),
                Column::optional("top", WholeNumber),
            ],
        }
    }
}

fn of_table(column: &FittedColumn) -> Column {
    let holds = match column {
        FittedColumn::Scale { .. } => Holds::Number,
        FittedColumn::OneHot { .. }
        | FittedColumn::Ordinal { .. }
        | FittedColumn::Hash { .. }
        | FittedColumn::Date { .. } => Holds::Words,
    };
    Column::new(column.name(), holds)
}

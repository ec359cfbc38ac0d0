//! A model asked about all rows of a file, which may be larger than memory: some rows at a time, each answer a line
//! of JSON. Cells are read as a training reads them, so that a row of a file is the row that it would have learned
//! from. A forecaster needs the whole history at once, and answers for each series.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use domain::{
    child::{CONFIG_FILE, DATA_FILE, DataFile, WEIGHTS_FILE},
    dataset::{Format, ReadLimits},
    field::{FieldError, FieldErrors},
    inquiry::{ANSWERS_FILE, BadRows, Predicted},
    model::{Column, FittedInput, Holds},
    predict::{Prediction, Row},
};
use serde::Serialize;
use serde_json::Value;

use crate::{
    error::{At, EngineError},
    images::{Archive, Picture, Split},
    infer::Model,
    read::{Number, Table, is_missing, number},
};

/// Rows in memory at a time.
const CHUNK_ROWS: usize = 1_024;
/// Of a forecaster, whose rows are in memory together.
const MAX_HISTORY_ROWS: usize = 500_000;

/// What is asked, and where: the scratch folder holds the data and the model's two files.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    pub data: &'a DataFile,
    pub limits: &'a ReadLimits,
    pub scratch: &'a Path,
}

impl Asking<'_> {
    pub(crate) fn model(&self) -> Result<Model, EngineError> {
        let file = |name: &str| {
            let path = self.scratch.join(name);
            std::fs::read(&path).map_err(EngineError::io(path.display()))
        };
        Model::load(&file(CONFIG_FILE)?, &file(WEIGHTS_FILE)?)
    }
}

/// Leaves the answers in the scratch folder.
pub fn predict_all(asking: Asking<'_>, bad_rows: BadRows) -> Result<Predicted, EngineError> {
    let model = asking.model()?;
    let mut answers = Answers::create(&asking.scratch.join(ANSWERS_FILE), bad_rows)?;
    let file = asking.scratch.join(DATA_FILE);
    let pictures = matches!(model.config().input, FittedInput::Images { .. });
    if pictures && asking.data.format == Format::Images {
        of_pictures(&model, &file, asking.limits, &mut answers)?;
    } else {
        let table = Table::open(&file, asking.data, asking.limits)?;
        of_table(&model, table, &mut answers)?;
    }
    answers.end()
}

fn of_table(model: &Model, mut table: Table, answers: &mut Answers) -> Result<(), EngineError> {
    let cells = cells(&model.config().reads(), &table)?;
    let whole = matches!(model.config().input, FittedInput::Series { .. });
    let most = if whole { MAX_HISTORY_ROWS } else { CHUNK_ROWS };
    let (mut rows, mut places) = (Vec::new(), Vec::new());
    loop {
        let read = table.next_row()?;
        let ended = read.is_none();
        if let Some(record) = read {
            let row = cells.iter().map(|(cell, column)| {
                (column.name.clone(), value(record.cell(*cell), column.holds))
            });
            rows.push(row.collect::<Row>());
            places.push(record.at);
        }
        if whole && rows.len() > most {
            let why = format!(
                "a forecaster takes its history at once, of {MAX_HISTORY_ROWS} rows at most; push \
                 the last rows of each series as a dataset of their own"
            );
            return Err(EngineError::RowDoesNotFit { at: None, column: None, why });
        }
        let is_full = !whole && rows.len() == most;
        if (ended || is_full) && !rows.is_empty() {
            if whole {
                answers.of_history(&places, model.predict(&rows))?;
            } else {
                let each: Vec<_> = rows.drain(..).map(|row| vec![row]).collect();
                let answered = model.predict_each(&each);
                answers.of_rows(&places, answered)?;
            }
            places.clear();
        }
        if ended {
            return Ok(());
        }
    }
}

/// Where the file has what the model reads.
fn cells(columns: &[Column], table: &Table) -> Result<Vec<(usize, Column)>, EngineError> {
    let mut cells = Vec::with_capacity(columns.len());
    for column in columns {
        match table.columns().iter().position(|name| *name == column.name) {
            Some(cell) => cells.push((cell, column.clone())),
            None if column.optional => {}
            None => {
                let name = &column.name;
                return Err(EngineError::UnknownColumn(format!(
                    "the model reads the column `{name}`, which the dataset does not have; push a \
                     version that has it"
                )));
            }
        }
    }
    Ok(cells)
}

/// What is no number stays a word, which the model then refuses by name.
fn value(cell: &str, holds: Holds) -> Value {
    if is_missing(cell) {
        return Value::Null;
    }
    let read = match holds {
        Holds::Words => None,
        Holds::WholeNumber => cell.parse::<i64>().ok().map(Value::from),
        Holds::Number => match number(cell) {
            Some(Number::Finite(number)) => Some(Value::from(number)),
            Some(Number::Infinite) | None => None,
        },
    };
    read.unwrap_or_else(|| Value::from(cell))
}

/// Those to train on, then those to test on.
fn of_pictures(
    model: &Model,
    file: &Path,
    limits: &ReadLimits,
    answers: &mut Answers,
) -> Result<(), EngineError> {
    let mut archive = Archive::open(file, limits)?;
    let mut pictures = Pictures { model, answers, values: vec![], places: vec![], row: 0 };
    for part in [Split::Training, Split::Test] {
        archive.visit(part, &mut |picture| pictures.add(&picture))?;
    }
    pictures.ask()
}

/// Pictures that wait for their answers.
struct Pictures<'a> {
    model: &'a Model,
    answers: &'a mut Answers,
    values: Vec<f32>,
    places: Vec<At>,
    row: u64,
}

impl Pictures<'_> {
    fn add(&mut self, picture: &Picture) -> Result<(), EngineError> {
        self.model.append_picture(picture, &mut self.values);
        self.row += 1;
        self.places.push(At { row: self.row, line: 0 });
        if self.places.len() == CHUNK_ROWS {
            self.ask()?;
        }
        Ok(())
    }

    fn ask(&mut self) -> Result<(), EngineError> {
        let answered = self.model.answers_to_pictures(&self.values).into_iter();
        self.answers.of_rows(&self.places, answered.map(|answer| answer.map(|one| vec![one])))?;
        self.values.clear();
        self.places.clear();
        Ok(())
    }
}

/// The file of answers as it is written.
struct Answers {
    file: BufWriter<File>,
    name: String,
    bad_rows: BadRows,
    done: Predicted,
}

#[derive(Serialize)]
struct Line<'a> {
    /// As the file's own errors count: from 1, without a header. None of a whole series.
    #[serde(skip_serializing_if = "Option::is_none")]
    row: Option<u64>,
    #[serde(flatten)]
    answer: Option<&'a Prediction>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Vec<FieldError>>,
}

impl Answers {
    fn create(path: &Path, bad_rows: BadRows) -> Result<Self, EngineError> {
        let name = path.display().to_string();
        let file = File::create(path).map_err(EngineError::io(&name))?;
        Ok(Self { file: BufWriter::new(file), name, bad_rows, done: Predicted::default() })
    }

    fn of_rows(
        &mut self,
        places: &[At],
        answered: impl IntoIterator<Item = Result<Vec<Prediction>, FieldErrors>>,
    ) -> Result<(), EngineError> {
        for (at, answer) in places.iter().zip(answered) {
            let row = Some(at.row);
            match answer {
                Ok(predictions) => self.answered(row, &predictions)?,
                Err(errors) if self.bad_rows == BadRows::List => {
                    self.done.bad_rows += 1;
                    let errors = errors.0.into_iter().map(of_its_row).collect();
                    self.write(&Line { row, answer: None, errors: Some(errors) })?;
                }
                Err(errors) => return Err(does_not_fit(Some(*at), errors)),
            }
        }
        Ok(())
    }

    fn of_history(
        &mut self,
        places: &[At],
        answered: Result<Vec<Prediction>, FieldErrors>,
    ) -> Result<(), EngineError> {
        match answered {
            Ok(predictions) => self.answered(None, &predictions),
            Err(errors) => {
                let row = errors.0.first().and_then(|error| row_of(&error.field));
                Err(does_not_fit(row.and_then(|row| places.get(row).copied()), errors))
            }
        }
    }

    fn answered(
        &mut self,
        row: Option<u64>,
        predictions: &[Prediction],
    ) -> Result<(), EngineError> {
        for prediction in predictions {
            self.done.answered += 1;
            if let Prediction::Text { tokens, .. } = prediction {
                self.done.tokens += u64::from(*tokens);
            }
            self.write(&Line { row, answer: Some(prediction), errors: None })?;
        }
        Ok(())
    }

    fn write(&mut self, line: &Line<'_>) -> Result<(), EngineError> {
        let mut text = serde_json::to_vec(line).expect("an answer is plain JSON");
        text.push(b'\n');
        self.file.write_all(&text).map_err(EngineError::io(&self.name))
    }

    fn end(self) -> Result<Predicted, EngineError> {
        let file = self.file.into_inner().map_err(std::io::IntoInnerError::into_error);
        let ended = file.and_then(|file| file.sync_all());
        ended.map_err(EngineError::io(&self.name))?;
        Ok(self.done)
    }
}

fn does_not_fit(at: Option<At>, errors: FieldErrors) -> EngineError {
    let first = errors.0.into_iter().next().map(of_its_row);
    let (field, why) = first.map_or_else(Default::default, |error| (error.field, error.message));
    let column = Some(field).filter(|field| !field.is_empty() && field != "rows");
    EngineError::RowDoesNotFit { at, column, why }
}

/// `rows[3].age`: the row that a field is of.
fn row_of(field: &str) -> Option<usize> {
    field.strip_prefix("rows[")?.split_once(']')?.0.parse().ok()
}

/// The column alone.
fn of_its_row(error: FieldError) -> FieldError {
    let FieldError { field, message } = error;
    let field = match field.strip_prefix("rows[").and_then(|rest| rest.split_once(']')) {
        Some((_, rest)) => rest.trim_start_matches('.').to_owned(),
        None => field,
    };
    FieldError { field, message }
}

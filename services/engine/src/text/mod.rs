//! Text: a column of it becomes rows of token ids, by a tokenizer that is fitted on the training rows
//! alone and published with the model.

mod batch;
mod clean;
mod html;
mod json;
mod merges;
mod model;
mod pieces;
#[cfg(test)]
mod tests;
mod tokenizer;
mod vocabulary;
mod words;

use std::path::Path;

use domain::{
    child::DataFile,
    dataset::ReadLimits,
    field::FieldErrors,
    predict::Row,
    spec::Keep,
    spec::{self, Task, TrainingSpec},
};
use rayon::prelude::*;

use crate::{
    error::EngineError,
    read::{Table, is_missing},
    target::Target,
    value::{self, MAX_ERRORS},
};

pub(crate) use batch::{Padded, Tokens, token_dropout};
pub(crate) use pieces::Pieces;
use tokenizer::Memo;
pub(crate) use tokenizer::Tokenizer;

/// Rows that one thread encodes with one memory of words.
const CHUNK_ROWS: usize = 512;

/// A column's texts and their targets, as read.
pub(crate) struct RawText {
    /// Empty for language modelling, where the next token is the target.
    pub targets: Vec<f64>,
    pub rows_without_target: u64,
    /// All texts in one piece.
    text: String,
    ends: Vec<usize>,
}

impl RawText {
    /// A missing text is an empty one; a row without a target is left out.
    pub fn read(
        file: &Path,
        data: &DataFile,
        limits: &ReadLimits,
        spec: &TrainingSpec,
        column: &str,
    ) -> Result<Self, EngineError> {
        let mut table = Table::open(file, data, limits)?;
        let column = table.place(column)?;
        let target = match spec.task {
            Task::LanguageModeling => None,
            _ => Some((table.place(&spec.target)?, Target::new(spec))),
        };
        let mut raw =
            Self { targets: vec![], rows_without_target: 0, text: String::new(), ends: vec![] };
        while let Some(record) = table.next_row()? {
            if let Some((place, target)) = &target {
                match target.read(record.cell(*place), record.at)? {
                    Some(value) => raw.targets.push(value),
                    None => {
                        raw.rows_without_target += 1;
                        continue;
                    }
                }
            }
            let text = record.cell(column);
            raw.push(if is_missing(text) { "" } else { text });
        }
        Ok(raw)
    }

    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.ends.push(self.text.len());
    }

    pub fn rows(&self) -> usize {
        self.ends.len()
    }

    pub fn text(&self, row: u32) -> &str {
        let row = row as usize;
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.text[start..self.ends[row]]
    }

    pub fn fit(
        &self,
        training: &[u32],
        tokenizer: &spec::Tokenizer,
    ) -> Result<Tokenizer, EngineError> {
        Tokenizer::train(tokenizer, training.iter().map(|&row| self.text(row)))
    }

    /// At most `max_length` tokens of each row, in the rows' order.
    pub fn encode(
        &self,
        tokenizer: &Tokenizer,
        max_length: usize,
        keep: Keep,
        rows: &[u32],
    ) -> Tokens {
        let encode = |rows: &[u32]| {
            let (mut memo, mut tokens) = (Memo::default(), Tokens::default());
            for &row in rows {
                tokens.push(&tokenizer.encode_with(self.text(row), max_length, keep, &mut memo));
            }
            tokens
        };
        let parts: Vec<Tokens> = rows.par_chunks(CHUNK_ROWS).map(encode).collect();
        let mut tokens = Tokens::default();
        parts.iter().for_each(|part| tokens.append(part));
        tokens
    }
}

/// Raw rows as a batch; what is wrong with them is added to `errors`, up to a hundred in all.
pub(crate) fn encode_rows(
    tokenizer: &Tokenizer,
    column: &str,
    max_length: usize,
    keep: Keep,
    rows: &[Row],
    errors: &mut FieldErrors,
) -> Padded {
    let mut texts = Vec::with_capacity(rows.len());
    for (i, row) in rows.iter().enumerate() {
        match value::of(row, column).and_then(value::text) {
            Ok(text) => texts.push(text.unwrap_or_default()),
            Err(_) if errors.0.len() >= MAX_ERRORS => break,
            Err(why) => errors.add(format!("rows[{i}].{column}"), why),
        }
    }
    let encoded: Vec<Vec<u32>> =
        texts.iter().map(|text| tokenizer.encode(text, max_length, keep)).collect();
    let encoded: Vec<&[u32]> = encoded.iter().map(Vec::as_slice).collect();
    Padded::new(&encoded)
}

//! A language model's answers: texts that go on from prompts.

use domain::{
    field::FieldErrors,
    model::FittedInput,
    predict::{Prediction, Row, moved},
    spec::Keep,
};
use serde_json::Value;

use super::{Model, Reader, whole};
use crate::{
    error::EngineError,
    generate::{self, Sampling},
    network::Generator,
    ops::denormals::without_denormals,
    text::{Pieces, Tokenizer},
};

const MAX_PROMPTS: usize = 16;
const MAX_GENERATED: u64 = 4_096;

impl Model {
    /// Whether it goes on from prompts, token by token.
    pub fn generates(&self) -> bool {
        matches!(self.reader, Reader::Corpus(_))
    }

    /// What a language model answers to a prompt, told piece by piece as it comes: all pieces are the text. Ends
    /// where `told` does not want more.
    pub fn generate_in_pieces(
        &self,
        row: &Row,
        told: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Prediction, FieldErrors> {
        let Reader::Corpus(tokenizer) = &self.reader else {
            return Err(FieldErrors::one(
                "rows[0]",
                "only a language model goes on piece by piece",
            ));
        };
        let asked = asked(row)?;
        self.go_on(tokenizer, &asked, told).map_err(|why| FieldErrors::one("rows[0].prompt", why))
    }

    pub(super) fn generate(
        &self,
        tokenizer: &Tokenizer,
        rows: &[Row],
    ) -> Result<Vec<Prediction>, FieldErrors> {
        if rows.len() > MAX_PROMPTS {
            let why = format!("{} prompts; send at most {MAX_PROMPTS} at once", rows.len());
            return Err(FieldErrors::one("rows", why));
        }
        let mut errors = FieldErrors::default();
        let mut all = vec![];
        for (i, row) in rows.iter().enumerate() {
            match asked(row) {
                Ok(asked) => all.push(asked),
                Err(own) => errors.0.extend(moved(own, i).0),
            }
        }
        let all = errors.into_result(all)?.into_iter().enumerate();
        all.map(|(i, asked)| {
            let answer = self.go_on(tokenizer, &asked, &mut |_| true);
            answer.map_err(|why| FieldErrors::one(format!("rows[{i}].prompt"), why))
        })
        .collect()
    }

    fn go_on(
        &self,
        tokenizer: &Tokenizer,
        (prompt, sampling): &(&str, Sampling),
        told: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Prediction, String> {
        let context = match &self.config.input {
            FittedInput::Corpus(text) => text.max_length as usize,
            _ => unreachable!("a language model reads a corpus"),
        };
        let ids = tokenizer.encode(prompt, usize::MAX, Keep::Last);
        let mut generator = Generator::new(&self.network);
        let mut feed = |feed: generate::Feed<'_>| Ok(without_denormals(|| generator.logits(feed)));
        let mut pieces = Pieces::new(tokenizer);
        let mut stop = |token| match pieces.push(token) {
            Some(piece) => !told(&piece),
            None => false,
        };
        let new = generate::generate(&ids, context, sampling, &mut feed, &mut stop);
        let new = new.map_err(|error: EngineError| error.to_string())?;
        if let Some(rest) = pieces.rest() {
            told(&rest);
        }
        Ok(Prediction::Text { text: tokenizer.decode(&new), tokens: new.len() as u32 })
    }
}

/// A row's prompt, and how its text is to be drawn.
fn asked(row: &Row) -> Result<(&str, Sampling), FieldErrors> {
    let mut errors = FieldErrors::default();
    let prompt = match row.get("prompt").and_then(Value::as_str) {
        Some(prompt) if !prompt.is_empty() => prompt,
        _ => {
            errors.add("rows[0].prompt", "give a text to go on from");
            ""
        }
    };
    let sampling = sampling(row, &mut errors);
    errors.into_result((prompt, sampling))
}

fn sampling(row: &Row, errors: &mut FieldErrors) -> Sampling {
    let given = |name: &str| row.get(name).is_some_and(|value| !value.is_null());
    let real = |name: &str, default: f64, max: f64, errors: &mut FieldErrors| {
        let value = if given(name) { row[name].as_f64() } else { Some(default) };
        value.filter(|x| (0.0..=max).contains(x)).unwrap_or_else(|| {
            errors.add(format!("rows[0].{name}"), format!("use a number from 0 to {max}"));
            default
        })
    };
    Sampling {
        temperature: real("temperature", 1.0, 100.0, errors),
        top_k: given("top_k").then(|| whole(row, "top_k", 1, 1, 1_000_000, errors) as usize),
        top_p: given("top_p").then(|| real("top_p", 1.0, 1.0, errors)),
        seed: whole(row, "seed", 0, 0, u64::MAX, errors),
        max_tokens: whole(row, "max_tokens", 100, 1, MAX_GENERATED, errors) as usize,
    }
}

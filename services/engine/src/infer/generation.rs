//! A language model's answers: texts that go on from prompts.

use domain::{
    field::FieldErrors,
    model::FittedInput,
    predict::{Prediction, Row},
    spec::Keep,
};
use serde_json::Value;

use super::{Model, moved, whole};
use crate::{
    error::EngineError,
    generate::{self, Sampling},
    network::Generator,
    text::Tokenizer,
};

const MAX_PROMPTS: usize = 16;
const MAX_GENERATED: u64 = 4_096;

impl Model {
    pub(super) fn generate(
        &self,
        tokenizer: &Tokenizer,
        rows: &[Row],
    ) -> Result<Vec<Prediction>, FieldErrors> {
        let context = match &self.config.input {
            FittedInput::Corpus(text) => text.max_length as usize,
            _ => unreachable!("a language model reads a corpus"),
        };
        if rows.len() > MAX_PROMPTS {
            let why = format!("{} prompts; send at most {MAX_PROMPTS} at once", rows.len());
            return Err(FieldErrors::one("rows", why));
        }
        let mut errors = FieldErrors::default();
        let mut asked = vec![];
        for (i, row) in rows.iter().enumerate() {
            let mut own = FieldErrors::default();
            let prompt = match row.get("prompt").and_then(Value::as_str) {
                Some(prompt) if !prompt.is_empty() => prompt,
                _ => {
                    own.add("rows[0].prompt", "give a text to go on from");
                    ""
                }
            };
            asked.push((prompt, sampling(row, &mut own)));
            errors.0.extend(moved(own, i).0);
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        asked
            .into_iter()
            .enumerate()
            .map(|(i, (prompt, sampling))| {
                let ids = tokenizer.encode(prompt, usize::MAX, Keep::Last);
                let mut generator = Generator::new(&self.network);
                let mut feed = |feed: generate::Feed<'_>| Ok(generator.logits(feed));
                let new = generate::generate(&ids, context, &sampling, &mut feed, &mut |_| false);
                let new = new.map_err(|error: EngineError| {
                    FieldErrors::one(format!("rows[{i}].prompt"), error.to_string())
                })?;
                Ok(Prediction::Text { text: tokenizer.decode(&new), tokens: new.len() as u32 })
            })
            .collect()
    }
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

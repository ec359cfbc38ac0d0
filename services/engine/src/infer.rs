//! A trained model ready to answer: raw rows in, predictions out.

use std::collections::HashMap;

use burn::tensor::Device;
use domain::{
    Digest,
    field::FieldErrors,
    model::{CONFIG_FORMAT, FittedColumn, ModelConfig},
    predict::{Prediction, Row},
    spec::{Activation, Layer, Task},
};
use safetensors::SafeTensors;
use serde_json::Value;

use crate::{
    error::{EngineError, shown},
    files,
    head::Head,
    network::{Network, tensors},
    prepare::scaled,
    read::is_missing,
    tally::best,
};

const MAX_ERRORS: usize = 100;
const CHUNK_ROWS: usize = 1_024;

/// Safe to share between threads.
pub struct Model {
    config: ModelConfig,
    head: Head,
    network: Network,
    device: Device,
    encoders: Vec<Encoder>,
    memory_bytes: u64,
}

/// One column's way from a raw value to inputs.
struct Encoder {
    column: FittedColumn,
    offset: usize,
    slots: HashMap<String, usize>,
}

impl Model {
    /// Rebuilds a model from its two files and checks that they belong together and are sound.
    pub fn load(config_json: &[u8], weights: &[u8]) -> Result<Self, EngineError> {
        Self::parse(config_json, weights).map_err(EngineError::WrongModelFile)
    }

    fn parse(config_json: &[u8], weights: &[u8]) -> Result<Self, String> {
        let config: ModelConfig =
            serde_json::from_slice(config_json).map_err(|e| format!("config.json: {e}"))?;
        if config.format != CONFIG_FORMAT {
            let format = config.format;
            return Err(format!("its format is {format} and this engine reads {CONFIG_FORMAT}"));
        }
        let digest = Digest::of(weights);
        if digest != config.weights_sha256 {
            return Err(format!(
                "the weights have the digest {digest} and config.json names {}",
                config.weights_sha256
            ));
        }
        let head = check(&config)?;
        let inputs = config.input_width();
        let file = SafeTensors::deserialize(weights).map_err(|e| format!("the weights: {e}"))?;
        let arrays = files::read_arrays(&file, tensors(&config.layers, inputs))?;
        let device = Device::flex();
        let network = Network::from_arrays(&config.layers, arrays, &device);
        let mut offset = 0;
        let encoders: Vec<Encoder> = config
            .columns
            .iter()
            .map(|column| {
                let encoder = Encoder::new(column.clone(), offset);
                offset += column.width();
                encoder
            })
            .collect();
        let memory_bytes = (weights.len() + 3 * config_json.len()) as u64;
        Ok(Self { config, head, network, device, encoders, memory_bytes })
    }

    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// About how much memory it holds while loaded.
    pub fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }

    /// One prediction a row in the rows' order, or every error of the input, at most 100.
    ///
    /// A row names every column of the model; null is a missing value, and a category that was not
    /// seen in training sets no input.
    pub fn predict(&self, rows: &[Row]) -> Result<Vec<Prediction>, FieldErrors> {
        let width = self.config.input_width();
        let mut inputs = vec![0.0; rows.len() * width];
        let mut errors = FieldErrors::default();
        for (i, (row, inputs)) in rows.iter().zip(inputs.chunks_exact_mut(width)).enumerate() {
            for encoder in &self.encoders {
                if let Err(why) = encoder.encode(row, inputs) {
                    errors.add(format!("rows[{i}].{}", encoder.column.name()), why);
                }
                if errors.0.len() == MAX_ERRORS {
                    return Err(errors);
                }
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let mut predictions = Vec::with_capacity(rows.len());
        for inputs in inputs.chunks(CHUNK_ROWS * width) {
            let logits = self.network.run(inputs, width, &self.device);
            for logits in logits.chunks_exact(self.head.outputs) {
                match self.answer(logits) {
                    Some(prediction) => predictions.push(prediction),
                    None => {
                        let row = format!("rows[{}]", predictions.len());
                        let why = "its values are too far outside the training data for an answer";
                        return Err(FieldErrors::one(row, why));
                    }
                }
            }
        }
        Ok(predictions)
    }

    fn answer(&self, logits: &[f32]) -> Option<Prediction> {
        if !logits.iter().all(|z| z.is_finite()) {
            return None;
        }
        if self.head.task == Task::Regression {
            return Some(Prediction::Value { value: self.head.answer(logits[0]) });
        }
        let probabilities = self.head.probabilities(logits);
        let best = match self.head.task {
            Task::MulticlassClassification => best(logits),
            _ => usize::from(probabilities[1] > probabilities[0]),
        };
        let classes = &self.config.classes;
        Some(Prediction::Class {
            class: classes[best].clone(),
            probabilities: classes.iter().cloned().zip(probabilities).collect(),
        })
    }
}

/// A config may come from anywhere: everything the rest relies on is checked here.
fn check(config: &ModelConfig) -> Result<Head, String> {
    let outputs = match config.task {
        Task::BinaryClassification | Task::Regression => 1,
        Task::MulticlassClassification => config.classes.len(),
    };
    let classes = match config.task {
        Task::BinaryClassification => 2,
        Task::MulticlassClassification => outputs.max(1),
        Task::Regression => 0,
    };
    if config.classes.len() != classes {
        return Err(format!("{} classes do not fit {:?}", config.classes.len(), config.task));
    }
    match config.layers.last() {
        Some(Layer::Dense { units, activation })
            if *units as usize == outputs && *activation == last_activation(config.task) => {}
        last => return Err(format!("the last layer is {last:?} and needs {outputs} units")),
    }
    let bad_column = |column: &&FittedColumn| match column {
        FittedColumn::Scale { fill, center, scale, .. } => {
            !(fill.is_finite() && center.is_finite() && scale.is_finite()) || *scale == 0.0
        }
        FittedColumn::OneHot { .. } => false,
    };
    if let Some(column) = config.columns.iter().find(bad_column) {
        return Err(format!("column `{}` is scaled by a number that is not finite", column.name()));
    }
    if config.input_width() == 0 {
        return Err("the model has no inputs".into());
    }
    let (center, scale) = (config.target_center, config.target_scale);
    if !center.is_finite() || !scale.is_finite() {
        return Err("the target is scaled by a number that is not finite".into());
    }
    Ok(Head { task: config.task, outputs, center, scale })
}

fn last_activation(task: Task) -> Activation {
    match task {
        Task::BinaryClassification => Activation::Sigmoid,
        Task::MulticlassClassification => Activation::Softmax,
        Task::Regression => Activation::Linear,
    }
}

impl Encoder {
    fn new(column: FittedColumn, offset: usize) -> Self {
        let slots = match &column {
            FittedColumn::OneHot { categories, .. } => {
                categories.iter().enumerate().map(|(i, c)| (c.clone(), i)).collect()
            }
            FittedColumn::Scale { .. } => HashMap::new(),
        };
        Self { column, offset, slots }
    }

    fn encode(&self, row: &Row, inputs: &mut [f32]) -> Result<(), String> {
        let value = row
            .get(self.column.name())
            .ok_or("the column is missing; give a value, or null where it is unknown")?;
        match &self.column {
            FittedColumn::Scale { fill, center, scale, .. } => {
                let x = number(value)?;
                inputs[self.offset] = scaled(x, *fill, *center, *scale);
            }
            FittedColumn::OneHot { .. } => {
                if let Some(slot) = self.slot(value)? {
                    inputs[self.offset + slot] = 1.0;
                }
            }
        }
        Ok(())
    }

    /// Booleans and numbers may be written otherwise than in the training data (`True`, `1.0`).
    fn slot(&self, value: &Value) -> Result<Option<usize>, String> {
        let like = |same: &dyn Fn(&str) -> bool| {
            self.slots.iter().filter(|(c, _)| same(c)).map(|(_, &slot)| slot).min()
        };
        match value {
            Value::Null => Ok(None),
            Value::String(text) if is_missing(text.trim()) => Ok(None),
            Value::String(text) => Ok(self.slots.get(text.trim()).copied()),
            Value::Bool(b) => {
                let word = b.to_string();
                let exact = self.slots.get(&word).copied();
                Ok(exact.or_else(|| like(&|c| c.eq_ignore_ascii_case(&word))))
            }
            Value::Number(n) => {
                let exact = self.slots.get(&n.to_string()).copied();
                Ok(exact.or_else(|| like(&|c| c.parse::<f64>().ok() == n.as_f64())))
            }
            Value::Array(_) | Value::Object(_) => {
                Err(format!("expected text, a number or null; got {}", name(value)))
            }
        }
    }
}

fn number(value: &Value) -> Result<Option<f64>, String> {
    match value {
        Value::Null => Ok(None),
        Value::Number(n) => match n.as_f64() {
            Some(x) if x.abs() <= f64::from(f32::MAX) => Ok(Some(x)),
            _ => Err(format!("{n} is too large; use a number between -3.4e38 and 3.4e38")),
        },
        other => Err(format!("expected a number or null; got {}", name(other))),
    }
}

fn name(value: &Value) -> String {
    match value {
        Value::String(text) => format!("the text {}", shown(text)),
        Value::Bool(b) => b.to_string(),
        Value::Array(_) => "an array".into(),
        Value::Object(_) => "an object".into(),
        Value::Number(n) => n.to_string(),
        Value::Null => "null".into(),
    }
}

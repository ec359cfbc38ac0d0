//! What a run will take of memory and time, before it runs: counted from the layers' shapes, the rows
//! and the batch. The rates are those measured on the reference models (`make bench-quality` prints
//! estimate and measurement side by side); other machines are faster or slower as a whole.

use serde::{Deserialize, Serialize};

use super::{
    Activation, FeatureKind, Input, Layer, Optimizer, Recurrent, Shape, TrainingSpec, Transformer,
};
use crate::dataset::Profile;

/// Of one CPU, in the layers' own mixture of products and curves.
const DENSE_FLOPS: f64 = 12e9;
const RECURRENT_FLOPS: f64 = 14e9;
const CONVOLUTION_FLOPS: f64 = 12e9;
const ATTENTION_FLOPS: f64 = 12e9;
/// One number of a curve, a normalisation or a pooling, forward and back.
const CURVE_SECONDS: f64 = 2e-9;
/// Around each step, whatever its size, and in each layer of it.
const STEP_SECONDS: f64 = 20e-6;
const LAYER_SECONDS: f64 = 25e-6;
/// One weight's update.
const UPDATE_SECONDS: f64 = 1e-9;
/// Of a round of workers that train together: what is waited for whatever is exchanged, and what an
/// object store moves in a second.
const ROUND_SECONDS: f64 = 0.3;
const ROUND_BYTES_PER_SECOND: f64 = 100e6;
/// A program that does nothing yet.
const BASE_BYTES: u64 = 24 << 20;

/// Outputs of an epoch that are kept for its metrics, at most, and what each takes while the metrics of
/// training and validation are made.
const MAX_KEPT_OUTPUTS: u64 = 1 << 22;
const KEPT_OUTPUT_BYTES: u64 = 56;
/// Each takes a little of a small run's memory too.
const KEPT_OUTPUTS_SHARE: u64 = 256;
/// What a table in a file still takes: buffers for writing, for bringing columns into order, for a
/// batch.
const FILE_BUFFERS_BYTES: u64 = 16 << 20;
/// A distinct text of a column of categories, with what is known of it.
const CATEGORY_BYTES: u64 = 128;

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Estimate {
    pub parameters: u64,
    /// Of each worker.
    pub memory_bytes: u64,
    /// The table's rows are kept in a file while it trains, as the memory that the run asks for does
    /// not hold them.
    #[serde(default)]
    pub rows_in_file: bool,
    /// Of the whole run on the CPUs it asks for; of several workers as if they were equally fast, with
    /// an object store that moves 100 MB in a second.
    pub seconds: f64,
}

/// What one row costs in one layer, forward and back.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    seconds: f64,
    /// Numbers kept for the way back.
    kept: f64,
}

impl Cost {
    fn add(&mut self, other: Self) {
        self.seconds += other.seconds;
        self.kept += other.kept;
    }
}

impl TrainingSpec {
    /// On so many CPUs.
    pub fn estimate(&self, input: Shape, rows: u64, profile: &Profile, cpus: f64) -> Estimate {
        let mut shape = input;
        let mut cost = Cost::default();
        let mut parameters = 0_u64;
        for layer in &self.layers {
            cost.add(one(layer, &shape));
            parameters = parameters.saturating_add(layer.parameters(&shape));
            shape = layer.output(&shape).unwrap_or(shape);
        }
        let samples = self.samples(rows, profile);
        let fits = self.cross_validation.map_or(1, |folds| folds.folds + 1);
        let epochs = f64::from(self.epochs) * f64::from(fits);
        let batch = f64::from(self.batch_size).min(samples.max(1.0));
        let workers = f64::from(self.workers);
        let steps = ((samples / batch).ceil() / workers).ceil() * epochs;
        let cpus = cpus.max(0.1);
        let slots = match self.optimizer {
            Optimizer::Gd { .. } | Optimizer::Sgd { momentum: 0.0, .. } => 0,
            Optimizer::Sgd { .. } | Optimizer::Adagrad { .. } => 1,
            Optimizer::RmsProp { .. } | Optimizer::Adam { .. } | Optimizer::AdamW { .. } => 2,
        };
        let mut seconds = samples / workers * epochs * cost.seconds / cpus
            + steps * (STEP_SECONDS + self.layers.len() as f64 * LAYER_SECONDS)
            + steps * parameters as f64 * UPDATE_SECONDS / cpus;
        // weights, their copy for a step, gradients; the optimizer's moments; all written once more
        // while a checkpoint is saved
        let mut numbers = 4 + 2 * slots;
        if self.workers > 1 {
            let file = parameters as f64 * 4.0 * (1 + slots) as f64;
            seconds += epochs * (ROUND_SECONDS + workers * file / ROUND_BYTES_PER_SECOND);
            // the mean so far, another worker's file, and what is read of it
            numbers = numbers.max(3 * (1 + slots));
        }
        let kept = (cost.kept * batch.min(4_096.0) * 4.0) as u64;
        let network_bytes =
            BASE_BYTES.saturating_add(parameters.saturating_mul(4 * numbers)).saturating_add(kept);
        let (data_bytes, rows_in_file) = match (&self.input, input) {
            (Input::Table { .. }, Shape::Features(width)) => {
                let room = self.resources.memory_bytes.saturating_sub(network_bytes);
                self.table_bytes(width as u64, rows, profile, room)
            }
            _ => (self.data_bytes(input, rows, profile), false),
        };
        let memory_bytes = network_bytes.saturating_add(data_bytes);
        Estimate { parameters, memory_bytes, rows_in_file, seconds }
    }

    /// How many outputs of an epoch are kept for its metrics.
    pub fn max_kept_outputs(&self) -> u64 {
        (self.resources.memory_bytes / KEPT_OUTPUTS_SHARE).min(MAX_KEPT_OUTPUTS)
    }

    /// A table's rows while training: all that is known of them if there is room for it, or else
    /// little more than their order, and the rest in a file.
    fn table_bytes(&self, width: u64, rows: u64, profile: &Profile, room: u64) -> (u64, bool) {
        let outputs = rows.saturating_mul(self.classes.len().max(1) as u64);
        let same = outputs.min(self.max_kept_outputs()) * KEPT_OUTPUT_BYTES
            + self.distinct_texts(rows, profile).saturating_mul(CATEGORY_BYTES);
        // as read, as encoded, targets, order
        let in_memory = rows.saturating_mul(width.saturating_mul(12) + 24).saturating_add(same);
        if in_memory <= room {
            return (in_memory, false);
        }
        let places = rows.saturating_mul(self.bytes_of_a_place(rows, profile));
        let in_file = places.saturating_add(same).saturating_add(FILE_BUFFERS_BYTES);
        // of few rows the buffers may take more than the rows
        if in_file < in_memory { (in_file, true) } else { (in_memory, false) }
    }

    /// Bytes of memory for a row that is in a file: its place in the order of an epoch, or in the split
    /// that is made before; and its class where rows are chosen or weighed by it.
    fn bytes_of_a_place(&self, rows: u64, profile: &Profile) -> u64 {
        let split = match self.cross_validation {
            Some(folds) if folds.stratified => 24,
            Some(_) => 13,
            None if self.stratified => 17,
            None => 5,
        };
        let classes = if self.oversample || self.class_weight.is_some() { 8 } else { 0 };
        let order = if self.oversample {
            let target = profile.column(&self.target);
            let values = target.and_then(|target| target.values.as_ref());
            let most = values.and_then(|v| v.iter().map(|v| v.rows).max()).unwrap_or(rows);
            let drawn = most.saturating_mul(self.classes.len() as u64);
            // the order, the rows of each class, and all rows drawn, which move as they grow
            12 + drawn.saturating_mul(8).div_ceil(rows.max(1))
        } else {
            4
        };
        split.max(classes + order)
    }

    fn distinct_texts(&self, rows: u64, profile: &Profile) -> u64 {
        let Input::Table { features, .. } = &self.input else { return 0 };
        let columns = features.iter().filter(|feature| feature.kind == FeatureKind::Categorical);
        let columns = columns.filter_map(|feature| profile.column(&feature.name));
        // more than are counted may be as many as there are rows
        columns.map(|c| if c.distinct_is_exact { c.distinct } else { rows }).sum()
    }

    /// Rows, or windows, of one epoch.
    fn samples(&self, rows: u64, profile: &Profile) -> f64 {
        match &self.input {
            Input::Corpus { context, .. } => chars(profile, rows) / f64::from(*context),
            Input::Ratings(r) if r.implicit => rows as f64 * f64::from(1 + r.negatives),
            _ => rows as f64,
        }
    }

    /// The data as it is held while training.
    fn data_bytes(&self, input: Shape, rows: u64, profile: &Profile) -> u64 {
        let width = match input {
            // of a table: see above
            Shape::Features(width) => width as u64 * 12,
            // the texts themselves, their tokens, and their words while a vocabulary is learned
            Shape::Tokens { .. } => (3.0 * chars(profile, rows) / rows.max(1) as f64) as u64,
            Shape::Image { height, width, channels } => (height * width * channels) as u64,
            Shape::Sequence { features, .. } => features as u64 * 16,
            Shape::Pair { .. } => 64,
        };
        rows.saturating_mul(width.saturating_add(16))
    }
}

fn chars(profile: &Profile, rows: u64) -> f64 {
    let texts = profile.columns.iter().filter_map(|column| column.chars);
    texts.map(|chars| chars.mean).fold(1.0, f64::max) * rows as f64
}

/// Multiplications and additions are two operations; the way back costs twice the way there.
fn products(operations: f64, rate: f64) -> f64 {
    3.0 * 2.0 * operations / rate
}

fn one(layer: &Layer, input: &Shape) -> Cost {
    let output = layer.output(input).unwrap_or(*input);
    let (places, width) = places_and_width(*input);
    let (out_places, out_width) = places_and_width(output);
    let out = out_places * out_width;
    match layer {
        Layer::Dense { activation, .. } => {
            let curve = if *activation == Activation::Linear { 0.0 } else { out };
            Cost {
                seconds: products(places * width * out_width, DENSE_FLOPS) + curve * CURVE_SECONDS,
                kept: 4.0 * out + curve,
            }
        }
        Layer::Lstm(r) => recurrent(r, 4.0, places, width),
        Layer::Gru(r) => recurrent(r, 3.0, places, width),
        Layer::Bidirectional { layer } => {
            let mut cost = one(layer, input);
            cost.add(cost);
            cost
        }
        Layer::TransformerEncoder(t) | Layer::TransformerDecoder(t) => attention(t, places, width),
        Layer::Conv2D { kernel_size, .. } => {
            let taps = f64::from(*kernel_size).powi(2) * width;
            Cost { seconds: products(out * taps, CONVOLUTION_FLOPS), kept: 4.0 * out }
        }
        Layer::Conv1D { kernel_size, .. } => {
            let taps = f64::from(*kernel_size) * width;
            Cost { seconds: products(out * taps, CONVOLUTION_FLOPS), kept: 4.0 * out }
        }
        Layer::Residual { layers } => {
            let mut cost = Cost { seconds: out * CURVE_SECONDS, kept: 2.0 * out };
            let mut shape = *input;
            for layer in layers {
                cost.add(one(layer, &shape));
                shape = layer.output(&shape).unwrap_or(shape);
            }
            cost
        }
        Layer::MatrixFactorization { embedding_dim } => {
            let width = f64::from(*embedding_dim);
            Cost { seconds: 20.0 * width * CURVE_SECONDS, kept: 8.0 * width }
        }
        Layer::TwoTower { embedding_dim, units } => {
            let mut width = f64::from(*embedding_dim);
            let mut cost = Cost { seconds: 20.0 * width * CURVE_SECONDS, kept: 8.0 * width };
            for &units in units {
                let units = f64::from(units);
                let seconds = products(2.0 * width * units, DENSE_FLOPS);
                cost.add(Cost { seconds, kept: 8.0 * units });
                width = units;
            }
            cost
        }
        Layer::Flatten {} => Cost::default(),
        _ => Cost { seconds: 2.0 * out * CURVE_SECONDS, kept: 3.0 * out },
    }
}

fn recurrent(r: &Recurrent, gates: f64, places: f64, width: f64) -> Cost {
    let units = f64::from(r.units);
    let operations = places * gates * units * (width + units);
    Cost {
        seconds: products(operations, RECURRENT_FLOPS)
            + places * (gates + 1.0) * units * CURVE_SECONDS,
        kept: places * units * (3.0 * gates + 4.0),
    }
}

fn attention(t: &Transformer, places: f64, width: f64) -> Cost {
    let inner = f64::from(t.intermediate_dim);
    let dense = places * width * (4.0 * width + 2.0 * inner);
    let scores = places * places * width * 2.0;
    let curves = places * (inner + 6.0 * width) + f64::from(t.num_heads) * places * places;
    Cost {
        seconds: products(dense + scores, ATTENTION_FLOPS) + curves * CURVE_SECONDS,
        kept: places * (14.0 * width + 4.0 * inner) + f64::from(t.num_heads) * places * places,
    }
}

/// Places that a layer runs over, and numbers at each.
const fn places_and_width(shape: Shape) -> (f64, f64) {
    match shape {
        Shape::Features(width) => (1.0, width as f64),
        Shape::Tokens { length, .. } => (length as f64, 1.0),
        Shape::Sequence { length, features } => (length as f64, features as f64),
        Shape::Image { height, width, channels } => ((height * width) as f64, channels as f64),
        Shape::Pair { .. } => (1.0, 2.0),
    }
}

//! Inputs that are of one kind: tokens of a text, an image, a user and an item.

use domain::{
    child::TOKENIZER_FILE,
    model::{FittedRatings, FittedText, PIXEL_ROUNDING},
    spec::{Layer, Ratings},
};
use serde_json::{Value as Json, json};

use super::{COLUMN, Inputs, TOKENS, step, trimmed};
use crate::{
    graph::{BATCH, Edge, Side},
    layers::Value,
    proto::Type,
};

const IDS: &str = "input_ids";
const MASK: &str = "attention_mask";
const IMAGE: &str = "image";

impl Inputs<'_> {
    pub(super) fn text(&mut self, text: &FittedText, layers: &[Layer]) -> Value {
        let full = layers.iter().any(Layer::needs_full_length);
        let length = text.max_length as usize;
        let tokens = if full { Side::Fixed(length) } else { TOKENS };
        let ids = self.ids(text, tokens, if full { json!(length) } else { json!("the longest") });
        let more = json!({ "steps": [step(false, "mask", json!({ "tokens": 1, "padding": 0 }))] });
        let mask = self.column(MASK, Type::Int64, &[BATCH, tokens], more);
        let lengths = self.graph.reduce("ReduceSum", &mask, 1, false);
        Value::Tokens { ids, lengths: Some(lengths) }
    }

    pub(super) fn corpus(&mut self, text: &FittedText) -> Value {
        let ids = self.ids(text, TOKENS, Json::Null);
        Value::Tokens { ids, lengths: None }
    }

    fn ids(&mut self, text: &FittedText, tokens: Side, padded: Json) -> Edge {
        let more = json!({ "of": text.column, "steps": [
            step(false, "tokenize", json!({
                "file": TOKENIZER_FILE, "missing": "is an empty text",
                "empty": "a text of no tokens is one [UNK], 1",
            })),
            step(false, "truncate", json!({
                "max_length": text.max_length, "keep": text.keep,
                "ends": "a quarter (rounded down) from the beginning, the rest from the end",
            })),
            step(false, "pad", json!({ "id": 0, "side": "right", "to": padded })),
        ]});
        self.column(IDS, Type::Int64, &[BATCH, tokens], more)
    }

    /// Rows, columns and channels of a byte each; all images of a batch are of one size.
    pub(super) fn images(&mut self, [height, width, channels]: [usize; 3]) -> Value {
        let more = json!({ "steps": [
            step(false, "decode", json!({ "channels": if channels == 1 { "gray" } else { "red, green, blue" } })),
            step(true, "resize", json!({ "height": height, "width": width,
                "how": "linear over what each new pixel covers, then rounded" })),
            step(true, "scale", json!({ "center": 0, "scale": 255 })),
        ]});
        let sides = [Side::Named("rows"), Side::Named("columns"), Side::Fixed(channels)];
        let shape = [BATCH, sides[0], sides[1], sides[2]];
        let x = self.column(IMAGE, Type::Uint8, &shape, more);
        let x = self.graph.transpose(&x, &[0, 3, 1, 2]);
        let x = self.graph.cast(&x, Type::Double);
        let x = self.resized(&x, height, width);
        let x = self.graph.cast(&x, Type::Float);
        let most = self.graph.float(255.0);
        Value::Image(self.graph.op("Div", &[&x, &most]))
    }

    pub(super) fn ratings(&mut self, ratings: &Ratings, fitted: &FittedRatings) -> Value {
        let mut places = |column: &str, names: &[String]| {
            let more = json!({ "steps": [
                trimmed(),
                step(true, "place", json!({ "of": names.len(), "others": 0 })),
            ]});
            let texts = self.column(column, Type::String, &COLUMN, more);
            let keys: Vec<(&str, i64)> = names.iter().map(String::as_str).zip(1..).collect();
            let places = self.graph.places(&texts, &keys, 0);
            self.graph.reshape(&places, &[-1])
        };
        let user = places(&ratings.user, &fitted.users);
        let item = places(&ratings.item, &fitted.items);
        Value::Pair { user, item }
    }

    /// As the engine reads an image file of another size: linear over what each new pixel covers, to
    /// whole numbers. (What the operator `Resize` covers when it makes an image smaller is less.)
    fn resized(&mut self, x: &str, height: usize, width: usize) -> Edge {
        let (rows, columns) = (self.shares(x, 2, height), self.shares(x, 3, width));
        let graph = &mut *self.graph;
        let columns = graph.transpose(&columns, &[1, 0]);
        let x = graph.op("MatMul", &[&rows, x]);
        let x = graph.op("MatMul", &[&x, &columns]);
        let up = graph.double(PIXEL_ROUNDING);
        let x = graph.op("Add", &[&x, &up]);
        graph.op("Floor", &[&x])
    }

    /// `[to, from]`: how much of each pixel along an axis is in each new one. It falls evenly from the new
    /// pixel's middle to that of the next.
    fn shares(&mut self, x: &str, axis: i64, to: usize) -> Edge {
        let graph = &mut *self.graph;
        let from = graph.length(x, axis);
        let pixels = graph.count(&from);
        let pixels = graph.cast(&pixels, Type::Double);
        let from = graph.cast(&from, Type::Double);
        let [none, whole, half] = [0.0, 1.0, 0.5].map(|n| graph.double(n));
        let sides = graph.double(to as f64);
        let ratio = graph.op("Div", &[&from, &sides]);
        let reach = graph.op("Max", &[&ratio, &whole]);
        let middles: Vec<f64> = (0..to).map(|place| place as f64 + 0.5).collect();
        let middles = graph.doubles(&middles);
        let middles = graph.reshape(&middles, &[-1, 1]);
        let middles = graph.op("Mul", &[&middles, &ratio]);
        let middles = graph.op("Sub", &[&middles, &half]);
        let away = graph.op("Sub", &[&pixels, &middles]);
        let away = graph.op("Abs", &[&away]);
        let away = graph.op("Div", &[&away, &reach]);
        let shares = graph.op("Sub", &[&whole, &away]);
        let shares = graph.op("Max", &[&shares, &none]);
        let sum = graph.reduce("ReduceSum", &shares, 1, true);
        graph.op("Div", &[&shares, &sum])
    }
}

//! Tables: an input for each column.

use domain::{
    dataset::MISSING,
    model::{DATE_CYCLES, FittedColumn, SECONDS_A_DAY},
};
use serde_json::json;

use super::{COLUMN, Inputs, calendar::Calendar, step, trimmed};
use crate::{OnnxError, graph::Edge, layers::Value, proto::Type};

impl Inputs<'_> {
    pub(super) fn table(&mut self, columns: &[FittedColumn]) -> Result<Value, OnnxError> {
        let mut parts = vec![];
        for column in columns.iter().filter(|column| column.width() > 0) {
            let required = column.required();
            match column {
                FittedColumn::Scale { name, fill, center, scale, indicator, .. } => {
                    self.number(name, [*fill, *center, *scale], *indicator, required, &mut parts);
                }
                FittedColumn::Date { name, fill, center, scale, .. } => {
                    self.date(name, [*fill, *center, *scale], required, &mut parts);
                }
                FittedColumn::OneHot { name, categories, infrequent, fill, .. } => {
                    let fill = fill.as_deref();
                    parts.push(self.categories(name, categories, *infrequent, fill, required));
                }
                FittedColumn::Ordinal { name, categories, fill, center, scale, .. } => {
                    let line = [*center, *scale];
                    parts.push(self.ordinal(name, categories, fill.as_deref(), line, required));
                }
                FittedColumn::Hash { name, buckets, fill, .. } => {
                    parts.push(self.hashed(name, *buckets, fill.as_deref(), required));
                }
            }
        }
        if parts.is_empty() {
            return Err(OnnxError::Config("the model has no inputs".to_owned()));
        }
        Ok(Value::Features(self.graph.concat(&parts, 1)))
    }

    fn number(
        &mut self,
        name: &str,
        [fill, center, scale]: [f64; 3],
        indicator: bool,
        required: bool,
        parts: &mut Vec<Edge>,
    ) {
        let more = json!({ "missing": "NaN", "required": required, "steps": [
            step(true, "fill", json!({ "value": fill })),
            step(true, "scale", json!({ "center": center, "scale": scale })),
            step(true, "indicate_missing", json!({ "used": indicator })),
        ]});
        let x = self.column(name, Type::Double, &COLUMN, more);
        let (x, missing) = self.filled(&x, fill);
        parts.push(self.scaled(&x, center, scale));
        if indicator {
            parts.push(self.graph.cast(&missing, Type::Float));
        }
    }

    fn date(
        &mut self,
        name: &str,
        [fill, center, scale]: [f64; 3],
        required: bool,
        parts: &mut Vec<Edge>,
    ) {
        let more = json!({ "missing": "NaN", "required": required, "steps": [
            step(false, "seconds_since_1970", json!({ "zone": "UTC where none is written" })),
            step(true, "age_in_days", json!({ "fill": fill, "center": center, "scale": scale })),
            step(true, "sine_and_cosine", json!({ "of": DATE_CYCLES })),
        ]});
        let x = self.column(name, Type::Double, &COLUMN, more);
        let (seconds, missing) = self.filled(&x, fill * SECONDS_A_DAY);
        let seconds = self.graph.op("Floor", &[&seconds]);
        let day = self.graph.double(SECONDS_A_DAY);
        let days = self.graph.op("Div", &[&seconds, &day]);
        let fill = self.graph.double(fill);
        let days = self.graph.op("Where", &[&missing, &fill, &days]);
        parts.push(self.scaled(&days, center, scale));
        let there = self.graph.op("Not", &[&missing]);
        let there = self.graph.cast(&there, Type::Float);
        let mut calendar = Calendar::new(self.graph, &seconds);
        for wave in DATE_CYCLES.map(|cycle| calendar.place(cycle)).as_flattened() {
            parts.push(self.graph.op("Mul", &[wave, &there]));
        }
    }

    /// The place of each category in the list; `unlisted` for others. A missing value is taken for
    /// `fill`, or has the place `missing`.
    fn category(
        &mut self,
        texts: &str,
        categories: &[String],
        fill: Option<&str>,
        [unlisted, missing]: [usize; 2],
    ) -> Edge {
        let listed = |text: &str| categories.iter().position(|category| category == text);
        let missing = fill.map_or(missing, |fill| listed(fill).unwrap_or(unlisted));
        let mut keys: Vec<(&str, i64)> = MISSING.map(|text| (text, missing as i64)).to_vec();
        for (place, category) in categories.iter().enumerate() {
            // as in the engine, the first of equals counts
            if listed(category) == Some(place) && !MISSING.contains(&&**category) {
                keys.push((category, place as i64));
            }
        }
        self.graph.places(texts, &keys, unlisted as i64)
    }

    fn categories(
        &mut self,
        name: &str,
        categories: &[String],
        infrequent: bool,
        fill: Option<&str>,
        required: bool,
    ) -> Edge {
        let more = json!({ "missing": "", "required": required, "steps": [
            trimmed(),
            step(true, "fill", json!({ "value": fill, "instead_of": MISSING })),
            step(true, "one_hot", json!({ "categories": categories, "one_more_for_others": infrequent })),
        ]});
        let texts = self.column(name, Type::String, &COLUMN, more);
        let width = categories.len() + usize::from(infrequent);
        // a place beyond the last sets no input
        let places = self.category(&texts, categories, fill, [categories.len(), width]);
        let set = self.one_hot(&places, width);
        self.graph.reshape(&set, &[-1, width as i64])
    }

    fn ordinal(
        &mut self,
        name: &str,
        categories: &[String],
        fill: Option<&str>,
        [center, scale]: [f64; 2],
        required: bool,
    ) -> Edge {
        let more = json!({ "missing": "", "required": required, "steps": [
            trimmed(),
            step(true, "fill", json!({ "value": fill, "instead_of": MISSING })),
            step(true, "place", json!({ "categories": categories, "others": -1 })),
            step(true, "scale", json!({ "center": center, "scale": scale })),
        ]});
        let texts = self.column(name, Type::String, &COLUMN, more);
        let count = categories.len();
        let places = self.category(&texts, categories, fill, [count, count]);
        let limit = f64::from(f32::MAX);
        let at = |place: f64| ((place - center) / scale).clamp(-limit, limit) as f32;
        let values: Vec<f32> = (0..count).map(|place| at(place as f64)).chain([at(-1.0)]).collect();
        let values = self.graph.floats(&values, &[count + 1]);
        self.graph.op("Gather", &[&values, &places])
    }

    /// No standard operator hashes a text: the caller gives the place and the sign as one number.
    fn hashed(&mut self, name: &str, buckets: u32, fill: Option<&str>, required: bool) -> Edge {
        let more = json!({ "missing": 0, "required": required, "steps": [
            trimmed(),
            step(false, "fill", json!({ "value": fill, "instead_of": MISSING })),
            step(false, "canonical_number", json!({
                "what": "a text that begins with a digit, a sign or a point, has a point or an \
                         exponent and reads as a finite number becomes its shortest plain form: \
                         1.0 and 1e0 become 1, .50 becomes 0.5; true and false become lower case",
            })),
            step(false, "hash", json!({
                "hash": "murmur3_x86_32", "seed": 0, "of": "UTF-8", "signed": true,
                "gives": "sign(hash) * (abs(hash) mod buckets + 1), with the sign 1 of 0",
                "buckets": buckets,
            })),
            step(true, "one_hot", json!({ "with": "the sign" })),
        ]});
        let x = self.column(name, Type::Int64, &COLUMN, more);
        let graph = &mut *self.graph;
        let [zero, one, beyond] = [0, 1, i64::from(buckets)].map(|n| graph.int(n));
        let missing = graph.op("Equal", &[&x, &zero]);
        let size = graph.op("Abs", &[&x]);
        let place = graph.op("Sub", &[&size, &one]);
        let place = graph.op("Where", &[&missing, &beyond, &place]);
        let sign = graph.op("Sign", &[&x]);
        let sign = graph.cast(&sign, Type::Float);
        let set = self.one_hot(&place, buckets as usize);
        let set = self.graph.reshape(&set, &[-1, i64::from(buckets)]);
        self.graph.op("Mul", &[&set, &sign])
    }
}

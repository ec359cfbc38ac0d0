//! From raw values to what the network reads: what standard operators can say is drawn, and all of it
//! is described, so that whoever calls the model knows what is left to do.

mod calendar;
mod series;
mod table;
mod whole;

use std::collections::BTreeSet;

use domain::model::{FittedInput, ModelConfig};
use serde_json::{Value as Json, json};

use crate::{
    OnnxError,
    answer::OUTPUTS,
    graph::{BATCH, Edge, Graph, Side},
    layers::Value,
    proto::Type,
};

pub const TOKENS: Side = Side::Named("tokens");
const COLUMN: [Side; 2] = [BATCH, Side::Fixed(1)];

/// What numbers are learned in: `value = learned * scale + center`.
pub struct Unit {
    pub center: Edge,
    pub scale: Edge,
}

pub struct Read {
    pub value: Value,
    pub unit: Unit,
    /// Of each input.
    pub described: Vec<Json>,
}

/// The inputs that are drawn so far.
struct Inputs<'a> {
    graph: &'a mut Graph,
    taken: BTreeSet<String>,
    described: Vec<Json>,
}

pub fn draw(graph: &mut Graph, config: &ModelConfig) -> Result<Read, OnnxError> {
    let mut inputs = Inputs { graph, taken: BTreeSet::new(), described: vec![] };
    let mut unit = None;
    let value = match &config.input {
        FittedInput::Table { columns } => inputs.table(columns)?,
        FittedInput::Text(text) => inputs.text(text, &config.layers),
        FittedInput::Corpus(text) => inputs.corpus(text),
        &FittedInput::Images { height, width, channels } => {
            inputs.images([height, width, channels].map(|side| side as usize))
        }
        FittedInput::Series { series, fitted } => {
            let (value, of_window) = inputs.series(series, fitted, &config.target);
            unit = Some(of_window);
            value
        }
        FittedInput::Ratings { ratings, fitted } => inputs.ratings(ratings, fitted),
    };
    let Inputs { described, .. } = inputs;
    let unit = unit.unwrap_or_else(|| Unit {
        center: graph.double(config.target_center),
        scale: graph.double(config.target_scale),
    });
    Ok(Read { value, unit, described })
}

/// A step from a raw value to the network, as `preprocessing.json` tells it.
fn step(in_graph: bool, name: &str, more: Json) -> Json {
    extended(json!({ "step": name, "in_graph": in_graph }), more)
}

/// An object with what another one has.
fn extended(mut object: Json, more: Json) -> Json {
    if let (Some(object), Json::Object(more)) = (object.as_object_mut(), more) {
        object.extend(more);
    }
    object
}

/// Blanks around a text go; what then stands for nothing is a missing value.
fn trimmed() -> Json {
    step(false, "trim", json!({}))
}

impl Inputs<'_> {
    /// An input for a column: under its own name, unless that is an output's or another input's.
    fn column(&mut self, column: &str, kind: Type, shape: &[Side], more: Json) -> Edge {
        let mut name = column.to_owned();
        let ours = |name: &str| name.is_empty() || name.starts_with('/') || OUTPUTS.contains(&name);
        while ours(&name) || self.taken.contains(&name) {
            name = format!("column {name}");
        }
        self.taken.insert(name.clone());
        let sides: Vec<Json> = shape
            .iter()
            .map(|side| match side {
                Side::Fixed(size) => json!(size),
                Side::Named(name) => json!(name),
            })
            .collect();
        let kind_name = format!("{kind:?}").to_lowercase();
        let described =
            json!({ "name": name, "column": column, "type": kind_name, "shape": sides });
        self.described.push(extended(described, more));
        self.graph.input(&name, kind, shape)
    }

    /// `(x - center) / scale` of doubles, within the range of a float.
    fn scaled(&mut self, x: &str, center: f64, scale: f64) -> Edge {
        let graph = &mut *self.graph;
        let [center, scale] = [center, scale].map(|n| graph.double(n));
        let x = graph.op("Sub", &[x, &center]);
        let x = graph.op("Div", &[&x, &scale]);
        self.narrow(&x)
    }

    /// Doubles as floats, within their range.
    fn narrow(&mut self, x: &str) -> Edge {
        let graph = &mut *self.graph;
        let limit = f64::from(f32::MAX);
        let [least, most] = [-limit, limit].map(|n| graph.double(n));
        let x = graph.op("Clip", &[x, &least, &most]);
        graph.cast(&x, Type::Float)
    }

    /// Numbers, with `fill` for what is missing; and whether it is.
    fn filled(&mut self, x: &str, fill: f64) -> (Edge, Edge) {
        let fill = self.graph.double(fill);
        let missing = self.graph.op("IsNaN", &[x]);
        (self.graph.op("Where", &[&missing, &fill, x]), missing)
    }

    /// One input for each of `width` places, along a new last axis; a place beyond sets none.
    fn one_hot(&mut self, places: &str, width: usize) -> Edge {
        let depth = self.graph.int(width as i64);
        let values = self.graph.floats(&[0.0, 1.0], &[2]);
        self.graph.op("OneHot", &[places, &depth, &values])
    }
}

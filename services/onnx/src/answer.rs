//! What the network's numbers mean: probabilities and a class, values in the target's own unit, or the
//! scores of each next token.

use domain::{
    model::ModelConfig,
    spec::{Loss, Shape, Task},
};
use serde_json::{Value as Json, json};

use crate::{
    OnnxError,
    graph::{BATCH, Edge, Graph, Side, int},
    inputs::{TOKENS, Unit},
    layers::Value,
    proto::Type,
};

pub const LABEL: &str = "label";
pub const PROBABILITIES: &str = "probabilities";
pub const VALUE: &str = "value";
pub const VALUES: &str = "values";
pub const LOGITS: &str = "logits";
/// Names that no input has.
pub const OUTPUTS: [&str; 5] = [LABEL, PROBABILITIES, VALUE, VALUES, LOGITS];

/// Draws the outputs and describes them.
pub fn draw(
    graph: &mut Graph,
    config: &ModelConfig,
    made: Value,
    shape: Shape,
    unit: Unit,
) -> Result<Json, OnnxError> {
    let classes = config.classes.len();
    match (config.task, made, shape) {
        (Task::BinaryClassification, Value::Features(z), Shape::Features(1)) if classes == 2 => {
            let second = graph.op("Sigmoid", &[&z]);
            let one = graph.float(1.0);
            let first = graph.op("Sub", &[&one, &second]);
            let both = graph.concat(&[first, second], 1);
            Ok(classified(graph, config, &both, &both))
        }
        (Task::MulticlassClassification, Value::Features(z), Shape::Features(n))
            if n == classes =>
        {
            let shares = graph.op_with("Softmax", &[&z], vec![int("axis", -1)]);
            Ok(classified(graph, config, &shares, &z))
        }
        (Task::Regression | Task::Recommendation, Value::Features(z), Shape::Features(1)) => {
            let value = if config.loss == Loss::BinaryCrossentropy {
                let share = graph.op("Sigmoid", &[&z]);
                graph.cast(&share, Type::Double)
            } else {
                valued(graph, &z, unit)
            };
            let value = graph.reshape(&value, &[-1]);
            graph.output(VALUE, Type::Double, &[BATCH], &value);
            Ok(json!([{ "name": VALUE, "type": "double", "shape": ["batch"],
                        "means": "the number that is foretold, or the probability that the user takes the item" }]))
        }
        (Task::Forecasting, Value::Features(z), Shape::Features(horizon)) => {
            let values = valued(graph, &z, unit);
            graph.output(VALUES, Type::Double, &[BATCH, Side::Fixed(horizon)], &values);
            Ok(json!([{ "name": VALUES, "type": "double", "shape": ["batch", horizon],
                        "means": "the next steps of each series, in order" }]))
        }
        (Task::LanguageModeling, Value::Sequence { x, .. }, Shape::Sequence { features, .. }) => {
            let shape = [BATCH, TOKENS, Side::Fixed(features)];
            graph.output(LOGITS, Type::Float, &shape, &x);
            Ok(json!([{ "name": LOGITS, "type": "float", "shape": ["batch", "tokens", features],
                        "means": "of each place the score of every token to come next, before a softmax" }]))
        }
        (task, _, shape) => {
            Err(OnnxError::NoAnswer { gives: shape.to_string(), task: format!("{task:?}") })
        }
    }
}

/// The class of the largest of `scores`, the first of equals.
fn classified(graph: &mut Graph, config: &ModelConfig, shares: &str, scores: &str) -> Json {
    let attributes = vec![int("axis", 1), int("keepdims", 0)];
    let best = graph.op_with("ArgMax", &[scores], attributes);
    let classes = graph.strings(&config.classes);
    let label = graph.op("Gather", &[&classes, &best]);
    let count = config.classes.len();
    graph.output(LABEL, Type::String, &[BATCH], &label);
    graph.output(PROBABILITIES, Type::Float, &[BATCH, Side::Fixed(count)], shares);
    json!([
        { "name": LABEL, "type": "string", "shape": ["batch"], "means": "the likeliest class" },
        { "name": PROBABILITIES, "type": "float", "shape": ["batch", count],
          "means": "of every class, in the order of `classes`" },
    ])
}

/// Learned numbers in the target's own unit.
fn valued(graph: &mut Graph, z: &str, unit: Unit) -> Edge {
    let z = graph.cast(z, Type::Double);
    let z = graph.op("Mul", &[&z, &unit.scale]);
    graph.op("Add", &[&z, &unit.center])
}

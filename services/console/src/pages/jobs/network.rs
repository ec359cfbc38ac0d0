//! What a specification would train: its layers, and what each makes of a row.

use domain::spec::{Input, Layer, Shape, TrainingSpec};
use maud::{Markup, html};
use serde_json::Value;

use crate::words;

pub(super) fn network(spec: &TrainingSpec) -> Markup {
    html! {
        section.card {
            h2 { "What would be trained" }
            dl.facts {
                dt { "Task" } dd { (words::spaced(&named(&spec.task))) }
                dt { "Target" } dd { (spec.target) }
                @if !spec.classes.is_empty() { dt { "Classes" } dd { (spec.classes.iter().take(12).cloned().collect::<Vec<_>>().join(", ")) } }
                dt { "Loss" } dd { (words::spaced(&named(&spec.loss))) }
                dt { "Epochs" } dd { (spec.epochs) " of batches of " (spec.batch_size) }
                dt { "Held back" } dd { (words::percent(spec.validation_split)) }
            }
            h3 { "Layers" }
            @if let Some(shape) = input(&spec.input) { p.small.quiet { "A row is " (shape) "." } }
            ol.small { @for (layer, shape) in spec.layers.iter().zip(shapes(spec)) {
                li { (described(layer)) @if let Some(shape) = shape { div.quiet { "makes " (shape) } } }
            } }
        }
    }
}

/// Of one row; how wide one of a table is, is known once its columns are encoded.
fn input(input: &Input) -> Option<Shape> {
    match input {
        Input::Table { .. } | Input::Series(_) => None,
        Input::Text { max_length, .. } => {
            Some(Shape::Tokens { length: *max_length as usize, vocabulary: 0 })
        }
        Input::Corpus { context, .. } => {
            Some(Shape::Tokens { length: *context as usize, vocabulary: 0 })
        }
        Input::Images { height, width, channels } => Some(Shape::Image {
            height: *height as usize,
            width: *width as usize,
            channels: *channels as usize,
        }),
        Input::Ratings(_) => Some(Shape::Pair { users: 0, items: 0 }),
    }
}

/// What each layer makes, as far as that is known from here.
fn shapes(spec: &TrainingSpec) -> Vec<Option<Shape>> {
    let mut shape = input(&spec.input);
    let next = spec.layers.iter().map(|layer| {
        shape = match (shape, layer) {
            (Some(shape), layer) => layer.output(&shape).ok(),
            // as wide as it says, whatever a table's row is
            (None, Layer::Dense { units, .. }) if matches!(spec.input, Input::Table { .. }) => {
                Some(Shape::Features(*units as usize))
            }
            (None, _) => None,
        };
        shape
    });
    next.collect()
}

fn named(word: &impl serde::Serialize) -> String {
    let word = serde_json::to_value(word).ok();
    word.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A layer's kind, and what is said of it.
fn described(layer: &Layer) -> Markup {
    let layer = serde_json::to_value(layer).unwrap_or_default();
    let kind = layer["type"].as_str().unwrap_or("layer");
    let rest = layer.as_object().into_iter().flatten().filter(|(name, value)| {
        name.as_str() != "type" && !value.is_null() && !value.is_object() && !value.is_array()
    });
    let said = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let rest: Vec<_> =
        rest.map(|(name, value)| format!("{} {}", words::spaced(name), said(value))).collect();
    html! { strong { (kind) } @if !rest.is_empty() { " " span.quiet { (rest.join(", ")) } } }
}

//! The network: its layers, whether the last one answers the task, and what it needs of memory.

use super::*;

const BYTES_PER_PARAMETER: u64 = 48;
const BYTES_PER_CELL: u64 = 12;

pub(super) fn outputs(task: Task, classes: &[String]) -> u32 {
    match task {
        Task::MulticlassClassification => classes.len().max(1) as u32,
        Task::BinaryClassification | Task::Regression => 1,
    }
}

pub(super) fn layers(
    draft: Option<&ModelDraft>,
    task: Task,
    outputs: u32,
    limits: &Limits,
    e: &mut FieldErrors,
) -> Vec<Layer> {
    let output = Layer::Dense { units: outputs, activation: output_activation(task) };
    let Some(draft) = draft else {
        let dense = |units| Layer::Dense { units, activation: Activation::Relu };
        return vec![dense(128), dense(64), output];
    };
    if draft.layers.is_empty() || draft.layers.len() > limits.max_layers {
        let n = draft.layers.len();
        e.add("model.layers", format!("{n} layers; use 1 to {}", limits.max_layers));
        return vec![output];
    }
    let layers: Vec<Layer> =
        draft.layers.iter().enumerate().map(|(i, layer)| one_layer(i, layer, limits, e)).collect();
    check_output(&layers, task, outputs, e);
    layers
}

fn one_layer(i: usize, draft: &LayerDraft, limits: &Limits, e: &mut FieldErrors) -> Layer {
    match draft {
        LayerDraft::Dense { units, activation } => {
            let field = format!("model.layers[{i}].units");
            let units = within(&field, Some(*units), 1, 1, limits.max_units, e) as u32;
            Layer::Dense { units, activation: activation.unwrap_or(Activation::Linear) }
        }
        LayerDraft::Dropout { rate } => {
            let field = format!("model.layers[{i}].rate");
            Layer::Dropout { rate: real(&field, Some(*rate), 0.0, (0.0, 1.0), e) }
        }
    }
}

const fn output_activation(task: Task) -> Activation {
    match task {
        Task::BinaryClassification => Activation::Sigmoid,
        Task::MulticlassClassification => Activation::Softmax,
        Task::Regression => Activation::Linear,
    }
}

/// The last layer must answer the task: the error says what it got and what it needs.
fn check_output(layers: &[Layer], task: Task, outputs: u32, e: &mut FieldErrors) {
    let last = layers.len() - 1;
    let field = format!("model.layers[{last}]");
    let needs = output_activation(task);
    match &layers[last] {
        Layer::Dense { units, activation } if *units == outputs && *activation == needs => {}
        layer => e.add(
            field,
            format!(
                "the last layer is {}; {} with this target needs Dense with {outputs} units and \
                 activation {}",
                describe(layer),
                word(&task),
                word(&needs)
            ),
        ),
    }
    let hidden_softmax = layers[..last]
        .iter()
        .position(|l| matches!(l, Layer::Dense { activation: Activation::Softmax, .. }));
    if let Some(i) = hidden_softmax {
        e.add(
            format!("model.layers[{i}].activation"),
            "softmax is for the last layer; use relu or tanh",
        );
    }
}

fn describe(layer: &Layer) -> String {
    match layer {
        Layer::Dense { units, activation } => {
            format!("Dense with {units} units and activation {}", word(activation))
        }
        Layer::Dropout { rate } => format!("Dropout with rate {rate}"),
    }
}

pub(super) fn loss(given: Option<Loss>, task: Task, e: &mut FieldErrors) -> Loss {
    let needs = match task {
        Task::BinaryClassification => Loss::BinaryCrossentropy,
        Task::MulticlassClassification => Loss::CategoricalCrossentropy,
        Task::Regression => Loss::MeanSquaredError,
    };
    if given.is_some_and(|loss| loss != needs) {
        e.add(
            "loss",
            format!(
                "{} does not fit {}; use {} or leave it out",
                word(&given),
                word(&task),
                word(&needs)
            ),
        );
    }
    needs
}

/// Weights, gradients and two moments of each, a second copy of them all while a checkpoint is written,
/// and the encoded rows.
pub(super) fn memory(
    layers: &[Layer],
    width: u64,
    rows: u64,
    resources: Resources,
    limits: &Limits,
    e: &mut FieldErrors,
) {
    let mut parameters = 0_u64;
    let mut inputs = width;
    for layer in layers {
        if let Layer::Dense { units, .. } = layer {
            parameters = parameters.saturating_add((inputs + 1).saturating_mul(u64::from(*units)));
            inputs = u64::from(*units);
        }
    }
    if parameters > limits.max_parameters {
        let max = limits.max_parameters;
        e.add(
            "model.layers",
            format!("{parameters} parameters; use fewer units for at most {max}"),
        );
    }
    let bytes = parameters
        .saturating_mul(BYTES_PER_PARAMETER)
        .saturating_add(rows.saturating_mul(width + 1) * BYTES_PER_CELL);
    if bytes > resources.memory_bytes {
        let has = resources.memory_bytes;
        e.add(
            "resources.memory_bytes",
            format!("the run needs about {bytes} bytes and asks for {has}; ask for more"),
        );
    }
}

//! The network: its layers, whether their shapes fit, whether the last one answers the task, and what
//! it needs of memory.

use super::{family, *};

/// An estimate of time may be wrong by a factor of three; what is further off cannot finish.
const CANNOT_FINISH: f64 = 3.0;

/// Numbers that the last layer must give.
pub(super) fn outputs(task: Task, classes: &[String], input: &Input, shape: Shape) -> u32 {
    match (task, input, shape) {
        (Task::MulticlassClassification, ..) => classes.len().max(1) as u32,
        (_, Input::Series(series), _) => series.horizon,
        (_, Input::Corpus { .. }, Shape::Tokens { vocabulary, .. }) => vocabulary as u32,
        _ => 1,
    }
}

pub(super) fn layers(
    draft: &TrainingDraft,
    task: Task,
    input: &Input,
    shape: Shape,
    outputs: u32,
    limits: &Limits,
    e: &mut FieldErrors,
) -> Vec<Layer> {
    let model = draft.model.clone().unwrap_or_default();
    if let Some(layers) = &model.layers
        && model != ModelDraft::of_layers(layers.clone())
    {
        e.add("model", "layers are given, so leave out family and its options");
    }
    let Some(layers) = model.layers else {
        let mut layers = family::hidden(&model, task, input, shape, e);
        let pair = matches!(shape, Shape::Pair { .. });
        if !pair {
            layers.push(Layer::dense(outputs, output_activation(task)));
        }
        check_layers(&layers, limits, e);
        return layers;
    };
    if layers.is_empty() || layers.len() > limits.max_layers {
        let n = layers.len();
        e.add("model.layers", format!("{n} layers; use 1 to {}", limits.max_layers));
        return vec![Layer::dense(outputs, output_activation(task))];
    }
    check_layers(&layers, limits, e);
    layers
}

const fn output_activation(task: Task) -> Activation {
    match task {
        Task::BinaryClassification => Activation::Sigmoid,
        Task::MulticlassClassification | Task::LanguageModeling => Activation::Softmax,
        Task::Regression | Task::Forecasting | Task::Recommendation => Activation::Linear,
    }
}

fn check_layers(layers: &[Layer], limits: &Limits, e: &mut FieldErrors) {
    for (i, layer) in layers.iter().enumerate() {
        numbers(&format!("model.layers[{i}]"), layer, limits, e);
    }
    let last = layers.len().saturating_sub(1);
    let hidden_softmax = layers[..last].iter().position(|layer| {
        matches!(
            layer,
            Layer::Dense { activation: Activation::Softmax, .. }
                | Layer::Activation { activation: Activation::Softmax }
        )
    });
    if let Some(i) = hidden_softmax {
        e.add(
            format!("model.layers[{i}].activation"),
            "softmax is for the last layer; use relu or tanh",
        );
    }
    if let Some(i) = (0..last).find(|&i| cannot_learn(&layers[i])) {
        e.add(
            format!("model.layers[{i}].kernel_initializer"),
            "zeros make all units of a hidden layer learn the same; use glorot_uniform, he_uniform \
             or random_normal",
        );
    }
}

const fn cannot_learn(layer: &Layer) -> bool {
    matches!(
        layer,
        Layer::Dense { kernel_initializer: Initializer::Zeros, .. }
            | Layer::Conv1D { kernel_initializer: Initializer::Zeros, .. }
            | Layer::Conv2D { kernel_initializer: Initializer::Zeros, .. }
            | Layer::Embedding { embeddings_initializer: Initializer::Zeros, .. }
    )
}

/// Each number of a layer within its range.
fn numbers(field: &str, layer: &Layer, limits: &Limits, e: &mut FieldErrors) {
    let mut size = |name: &str, n: u32| {
        within(&format!("{field}.{name}"), Some(n.into()), 1, 1, limits.max_units, e);
    };
    match layer {
        Layer::Dense { units, .. } => size("units", *units),
        Layer::Embedding { output_dim, .. } => size("output_dim", *output_dim),
        Layer::Lstm(r) | Layer::Gru(r) => {
            size("units", r.units);
            share(&format!("{field}.dropout"), r.dropout, e);
            share(&format!("{field}.recurrent_dropout"), r.recurrent_dropout, e);
        }
        Layer::Bidirectional { layer } => numbers(&format!("{field}.layer"), layer, limits, e),
        Layer::Conv1D { filters, kernel_size, dilation_rate, .. } => {
            size("filters", *filters);
            size("kernel_size", *kernel_size);
            size("dilation_rate", *dilation_rate);
        }
        Layer::Conv2D { filters, kernel_size, strides, .. } => {
            size("filters", *filters);
            size("kernel_size", *kernel_size);
            size("strides", *strides);
        }
        Layer::MaxPooling2D { pool_size } | Layer::AveragePooling2D { pool_size } => {
            size("pool_size", *pool_size);
        }
        Layer::TransformerEncoder(t) | Layer::TransformerDecoder(t) => {
            size("num_heads", t.num_heads);
            size("intermediate_dim", t.intermediate_dim);
            share(&format!("{field}.dropout"), t.dropout, e);
            small(&format!("{field}.layer_norm_epsilon"), t.layer_norm_epsilon, e);
        }
        Layer::MatrixFactorization { embedding_dim } => size("embedding_dim", *embedding_dim),
        Layer::TwoTower { embedding_dim, units } => {
            size("embedding_dim", *embedding_dim);
            for (i, &units) in units.iter().enumerate() {
                size(&format!("units[{i}]"), units);
            }
        }
        Layer::Dropout { rate } => share(&format!("{field}.rate"), *rate, e),
        Layer::BatchNormalization { momentum, epsilon } => {
            share(&format!("{field}.momentum"), *momentum, e);
            small(&format!("{field}.epsilon"), *epsilon, e);
        }
        Layer::LayerNormalization { epsilon } => {
            small(&format!("{field}.epsilon"), *epsilon, e);
        }
        Layer::Residual { layers } => {
            if layers.is_empty() || layers.len() > limits.max_layers {
                let n = layers.len();
                let max = limits.max_layers;
                e.add(format!("{field}.layers"), format!("{n} layers; use 1 to {max}"));
            }
            for (i, layer) in layers.iter().enumerate() {
                numbers(&format!("{field}.layers[{i}]"), layer, limits, e);
            }
        }
        Layer::Activation { .. }
        | Layer::Flatten {}
        | Layer::PositionEmbedding { .. }
        | Layer::GlobalAveragePooling1D {}
        | Layer::GlobalMaxPooling1D {}
        | Layer::GlobalAveragePooling2D {} => {}
    }
}

fn share(field: &str, value: f64, e: &mut FieldErrors) {
    check(field, value, (0.0, 1.0), e);
}

/// What keeps a deviation away from zero.
fn small(field: &str, epsilon: f64, e: &mut FieldErrors) {
    check(field, epsilon, (1e-12, 1.0), e);
}

/// The shapes from the input to the answer, the last layer, and the memory.
pub(super) fn fits(
    spec: &mut TrainingSpec,
    input: Shape,
    (rows, profile): (u64, &Profile),
    limits: &Limits,
    e: &mut FieldErrors,
) {
    // what the shapes depend on has been reported already
    let unsound = ["model", "target", "features", "series", "recommendation", "preprocess"];
    if e.0.iter().any(|error| unsound.iter().any(|field| error.field.starts_with(field))) {
        return;
    }
    let mut shape = input;
    for (i, layer) in spec.layers.iter().enumerate() {
        match layer.output(&shape) {
            Ok(next) => shape = next,
            Err(why) => return e.add(format!("model.layers[{i}]"), why),
        }
    }
    check_output(spec, input, shape, e);
    if spec.task == Task::LanguageModeling
        && let Some(i) = spec.layers.iter().position(Layer::looks_ahead)
    {
        let name = spec.layers[i].name();
        e.add(
            format!("model.layers[{i}]"),
            format!(
                "{name} sees what comes after a token, which a language model must not; use \
                 TransformerDecoder, LSTM, GRU, or Conv1D with padding `causal`"
            ),
        );
    }
    let cpus = spec.resources.cpu_milli as f64 / 1_000.0;
    spec.estimate = spec.estimate(input, rows, profile, cpus);
    room(spec, limits, e);
}

/// The last layer must answer the task: the error says what it got and what it needs.
fn check_output(spec: &TrainingSpec, input: Shape, output: Shape, e: &mut FieldErrors) {
    let last = spec.layers.len() - 1;
    let field = format!("model.layers[{last}]");
    let outputs = outputs(spec.task, &spec.classes, &spec.input, input) as usize;
    let needs = output_activation(spec.task);
    let fits = match (&spec.layers[last], output) {
        (Layer::MatrixFactorization { .. } | Layer::TwoTower { .. }, _) => true,
        (Layer::Dense { activation, .. }, Shape::Features(n)) => {
            n == outputs && *activation == needs && spec.task != Task::LanguageModeling
        }
        // the vocabulary's size is known only once it is trained: its layer has as many units
        (Layer::Dense { activation, .. }, Shape::Sequence { .. }) => {
            *activation == needs && spec.task == Task::LanguageModeling
        }
        _ => false,
    };
    if !fits {
        let steps =
            if matches!(output, Shape::Sequence { .. }) && spec.task != Task::LanguageModeling {
                " and one result a row instead of one a step"
            } else {
                ""
            };
        e.add(
            field,
            format!(
                "the last layer is {}; {} with this target needs Dense with {outputs} units and \
                 activation {}{steps}",
                describe(&spec.layers[last]),
                word(&spec.task),
                word(&needs)
            ),
        );
    }
}

fn describe(layer: &Layer) -> String {
    match layer {
        Layer::Dense { units, activation, .. } => {
            format!("Dense with {units} units and activation {}", word(activation))
        }
        Layer::Dropout { rate } => format!("Dropout with rate {rate}"),
        other => other.name().to_owned(),
    }
}

/// Whether the run can fit into the memory and the time that it asks for.
fn room(spec: &TrainingSpec, limits: &Limits, e: &mut FieldErrors) {
    let Estimate { parameters, memory_bytes, seconds, .. } = spec.estimate;
    if parameters > limits.max_parameters {
        let max = limits.max_parameters;
        e.add(
            "model.layers",
            format!("{parameters} parameters; use fewer units for at most {max}"),
        );
    }
    let has = spec.resources.memory_bytes;
    if memory_bytes > has {
        e.add(
            "resources.memory_bytes",
            format!("the run needs about {memory_bytes} bytes and asks for {has}; ask for more"),
        );
    }
    if seconds > spec.max_runtime as f64 * CANNOT_FINISH {
        e.add(
            "max_runtime",
            format!(
                "the run needs about {seconds:.0} seconds and may run for {}; raise it, ask for \
                 more CPUs, or train fewer epochs",
                spec.max_runtime
            ),
        );
    }
}

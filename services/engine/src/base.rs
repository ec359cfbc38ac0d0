//! What a training starts from in place of chance: the weights of another model, and what that model has
//! learned to read, without which its weights mean nothing. Of a base whose tensors are not those of the
//! layers each one is named, and nothing is trained.

use domain::{
    child::{BASE_CONFIG_FILE, BASE_WEIGHTS_FILE},
    model::{FittedInput, ModelConfig},
    spec::{Input, Layer, TrainingSpec},
};

use crate::{
    error::EngineError,
    files,
    head::Head,
    import::{TensorProblem, named, open, problems_of},
    infer::Model,
    network::Network,
    source,
    train::Run,
};

/// The model that a run starts from, sound by itself.
pub(crate) struct Base {
    pub config: ModelConfig,
    pub head: Head,
    weights: Vec<u8>,
}

impl Base {
    /// The one whose files are in the scratch folder, if the run has one.
    pub fn read(run: Run<'_>) -> Result<Option<Self>, EngineError> {
        if run.spec.base_model.is_none() {
            return Ok(None);
        }
        let file = |name: &str| {
            let path = run.scratch.join(name);
            std::fs::read(&path).map_err(EngineError::io(path.display()))
        };
        let base = Self::of(&file(BASE_CONFIG_FILE)?, file(BASE_WEIGHTS_FILE)?)?;
        let (config, spec) = (&base.config, run.spec);
        if (config.task, &config.classes) != (spec.task, &spec.classes) {
            let why = "its task and classes are not those of the specification".to_owned();
            return Err(EngineError::BaseDoesNotFit(why));
        }
        if !reads(&config.input, &spec.input) {
            let why = "what it has learned to read is not what the specification says".to_owned();
            return Err(EngineError::BaseDoesNotFit(why));
        }
        Ok(Some(base))
    }

    pub fn of(json: &[u8], weights: Vec<u8>) -> Result<Self, EngineError> {
        let model = Model::load(json, &weights)?;
        let (config, head) = (model.config().clone(), model.head().clone());
        if !reads(&config.input, &config.spec.input) {
            let why = "what it has learned to read is not what its specification says";
            return Err(EngineError::WrongModelFile(why.to_owned()));
        }
        Ok(Self { config, head, weights })
    }

    pub fn network(&self, layers: &[Layer]) -> Result<Network, EngineError> {
        let refused = |why| EngineError::BaseDoesNotFit(why);
        let file = open(&self.weights).map_err(|why| refused(why.to_string()))?;
        let restored = Network::restore(layers, self.config.input.shape(), |expected| {
            let problems = problems_of(&file, &expected);
            if problems.is_empty() {
                files::read_arrays(&file, "", expected)
            } else {
                Err(named(&problems))
            }
        });
        restored.map_err(refused)
    }
}

/// What was fitted belongs to the columns of the specification, in their order.
fn reads(fitted: &FittedInput, input: &Input) -> bool {
    match (fitted, input) {
        (FittedInput::Table { columns }, Input::Table { features, .. }) => {
            columns.iter().map(|column| column.name()).eq(features.iter().map(|f| &f.name[..]))
        }
        (FittedInput::Text(text), Input::Text { column, max_length, keep, .. }) => {
            (&text.column, text.max_length, text.keep) == (column, *max_length, *keep)
        }
        (FittedInput::Corpus(text), Input::Corpus { column, context, .. }) => {
            (&text.column, text.max_length) == (column, *context)
        }
        (
            FittedInput::Images { height, width, channels },
            Input::Images { height: h, width: w, channels: c },
        ) => (height, width, channels) == (h, w, c),
        (FittedInput::Series { series, .. }, Input::Series(wanted)) => series == wanted,
        (FittedInput::Ratings { ratings, .. }, Input::Ratings(wanted)) => ratings == wanted,
        _ => false,
    }
}

/// The tensors of a base model that are not those of the specification's layers, before anything is read.
pub fn misfits(spec: &TrainingSpec, base: &ModelConfig) -> Vec<TensorProblem> {
    let layers = source::layers_of(spec, &base.input);
    let expected = match Network::declared(&layers, base.input.shape()) {
        Ok(expected) => expected,
        Err(error) => {
            return vec![TensorProblem { name: "layers".to_owned(), message: error.to_string() }];
        }
    };
    let mut problems = vec![];
    let mut add = |name: &str, message: String| {
        problems.push(TensorProblem { name: name.to_owned(), message });
    };
    for (name, shape) in &expected {
        match base.tensors.iter().find(|tensor| tensor.name == *name) {
            None => add(name, format!("needs the shape {shape:?}, and the base model has none")),
            Some(has) if has.shape != *shape => {
                let has = &has.shape;
                add(name, format!("needs the shape {shape:?}, and the base model's has {has:?}"));
            }
            Some(_) => {}
        }
    }
    for tensor in &base.tensors {
        if !expected.iter().any(|(name, _)| *name == tensor.name) {
            let shape = &tensor.shape;
            add(
                &tensor.name,
                format!("of the base model, {shape:?}, is no tensor of these layers"),
            );
        }
    }
    problems
}

//! Weights that were made elsewhere, as a model of ours. They are a safetensors file, which is numbers
//! with names and shapes and nothing that could run. What they belong to is a [`blueprint`]: the layers
//! of a specification and what is fitted on its data, or the configuration of a model that is there.
//! Each tensor that the layers need must be there, with its shape and type, and no other.

use std::fmt;

use domain::{Digest, child::DATA_FILE, model::ModelConfig};
use safetensors::{Dtype, SafeTensors};

use crate::{
    error::{EngineError, shown},
    export::{config_file, tensors, unlearned, weights_file},
    files,
    infer::Model,
    network::{Array, Network},
    source::{Part, Source},
    train::{Run, room},
};

/// Names and shapes of the largest network take a tenth of it.
const MAX_HEADER_BYTES: u64 = 4 << 20;
/// So many tensors are named in an error.
const MAX_PROBLEMS: usize = 100;

/// The two files of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFiles {
    pub config: Vec<u8>,
    pub weights: Vec<u8>,
}

#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("the weights are no safetensors file ({0}); write one with safetensors' `save_file`")]
    NotSafetensors(String),
    #[error(
        "the header of the weights has {bytes} bytes and may have {MAX_HEADER_BYTES}; leave out \
         what is not a tensor of the model"
    )]
    HeaderTooLarge { bytes: u64 },
    #[error("{}", listed(.0))]
    Tensors(Vec<TensorProblem>),
    #[error("the layers do not fit the data: {0}")]
    Layers(String),
    /// The configuration that the weights were to belong to is not sound.
    #[error(transparent)]
    Model(#[from] EngineError),
}

/// What is wrong with one tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorProblem {
    pub name: String,
    pub message: String,
}

impl fmt::Display for TensorProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", shown(&self.name), self.message)
    }
}

fn listed(problems: &[TensorProblem]) -> String {
    format!("the weights are not those of the layers:{}", named(problems))
}

/// A line for each.
pub(crate) fn named(problems: &[TensorProblem]) -> String {
    problems.iter().map(|problem| format!("\n  {problem}")).collect()
}

/// What a run would learn weights for: layers, and what is fitted on the training rows of its data. It
/// has no weights.
pub fn blueprint(run: Run<'_>) -> Result<ModelConfig, EngineError> {
    let Run { spec, data, limits, scratch, .. } = run;
    let file = scratch.join(DATA_FILE);
    let source = Source::read(&file, data, limits, spec, Part::Training, room(run))?;
    let published = source.fits(spec)? - 1;
    let fitted = source.fit(spec, &source.split(spec, published)?.training)?;
    let layers = fitted.layers(spec);
    Ok(unlearned(run, &fitted, layers))
}

/// The model that a blueprint and weights make. Of a configuration that has figures of other weights
/// those are left out.
pub fn import(blueprint: ModelConfig, weights: &[u8]) -> Result<ModelFiles, ImportError> {
    let file = open(weights)?;
    let mut problems = vec![];
    let network = Network::restore(&blueprint.layers, blueprint.input.shape(), |expected| {
        problems = problems_of(&file, &expected);
        match problems.is_empty() {
            true => files::read_arrays(&file, "", expected),
            false => Err(String::new()),
        }
    });
    if !problems.is_empty() {
        return Err(ImportError::Tensors(problems));
    }
    let arrays: Vec<Array> = network.map_err(ImportError::Layers)?.arrays;
    let weights = weights_file(&arrays);
    let config = ModelConfig {
        tensors: tensors(&arrays),
        weights_sha256: Digest::of(&weights),
        metrics: Default::default(),
        evaluations: vec![],
        ..blueprint
    };
    let config = config_file(&config);
    Model::load(&config, &weights)?;
    Ok(ModelFiles { config, weights })
}

pub(crate) fn open(weights: &[u8]) -> Result<SafeTensors<'_>, ImportError> {
    if let Some(bytes) = weights.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
        && bytes > MAX_HEADER_BYTES
    {
        return Err(ImportError::HeaderTooLarge { bytes });
    }
    SafeTensors::deserialize(weights).map_err(|why| ImportError::NotSafetensors(why.to_string()))
}

/// Those that are missing, that are other than `expected`, and that nothing asks for.
pub(crate) fn problems_of(
    file: &SafeTensors<'_>,
    expected: &[(String, Vec<usize>)],
) -> Vec<TensorProblem> {
    let mut problems = vec![];
    let mut add = |name: &str, message: String| {
        if problems.len() < MAX_PROBLEMS {
            problems.push(TensorProblem { name: name.to_owned(), message });
        }
    };
    for (name, shape) in expected {
        let Ok(tensor) = file.tensor(name) else {
            add(name, format!("is missing; it needs to be F32 with the shape {shape:?}"));
            continue;
        };
        if tensor.shape() != shape {
            let has = tensor.shape();
            add(name, format!("has the shape {has:?} and needs {shape:?}"));
        }
        if tensor.dtype() != Dtype::F32 {
            let has = tensor.dtype();
            add(name, format!("holds numbers of type {has:?} and needs F32; convert them"));
        } else if !tensor.data().as_chunks().0.iter().all(|&x| f32::from_le_bytes(x).is_finite()) {
            add(name, "holds a number that is not finite; weights are finite".to_owned());
        }
    }
    let mut names = file.names();
    names.sort_unstable();
    for name in names.into_iter().filter(|name| !expected.iter().any(|(known, _)| known == name)) {
        let shape = file.tensor(name).map(|tensor| tensor.shape().to_vec()).unwrap_or_default();
        add(name, format!("of the shape {shape:?} is no tensor of these layers; leave it out"));
    }
    problems
}

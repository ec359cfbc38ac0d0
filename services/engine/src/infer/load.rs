//! From two files to a model. They may come from anywhere: everything that the rest relies on is
//! checked here.

use domain::{
    Digest,
    model::{CONFIG_FORMAT, FittedInput, FittedText, ModelConfig},
    spec::{Layer, Loss, Shape, Task},
};
use safetensors::SafeTensors;

use super::{Model, Reader};
use crate::{
    error::EngineError,
    files,
    head::Head,
    images,
    network::Network,
    ops, ratings, series,
    table::{self, Encoders},
    text::Tokenizer,
    unit::Unit,
};

/// What a model's `config.json` says, checked; its weights are still to come. In two steps, because the first takes
/// its time where there are many words, and meanwhile the weights can be read.
pub struct Described {
    config: ModelConfig,
    config_bytes: usize,
    head: Head,
    reader: Reader,
}

impl Described {
    pub fn read(config_json: &[u8]) -> Result<Self, EngineError> {
        Self::parse(config_json).map_err(EngineError::WrongModelFile)
    }

    fn parse(config_json: &[u8]) -> Result<Self, String> {
        let config: ModelConfig =
            serde_json::from_slice(config_json).map_err(|e| format!("config.json: {e}"))?;
        if config.format != CONFIG_FORMAT {
            let format = config.format;
            return Err(format!("its format is {format} and this engine reads {CONFIG_FORMAT}"));
        }
        let reader = Reader::new(&config.input)?;
        let head = check(&config)?;
        Ok(Self { config, config_bytes: config_json.len(), head, reader })
    }

    /// Checks that they are its own and sound.
    pub fn with_weights(self, weights: &[u8]) -> Result<Model, EngineError> {
        ops::allocator::keep_freed_memory();
        ops::denormals::flush_denormals_in_pool();
        self.restore(weights).map_err(EngineError::WrongModelFile)
    }

    fn restore(self, weights: &[u8]) -> Result<Model, String> {
        let Self { config, config_bytes, head, reader } = self;
        let digest = Digest::of(weights);
        if digest != config.weights_sha256 {
            return Err(format!(
                "the weights have the digest {digest} and config.json names {}",
                config.weights_sha256
            ));
        }
        let file = SafeTensors::deserialize(weights).map_err(|e| format!("the weights: {e}"))?;
        let network = Network::restore(&config.layers, config.input.shape(), |expected| {
            files::read_arrays(&file, "", expected)
        })?;
        let memory_bytes = (weights.len() + 3 * config_bytes) as u64;
        let network = network.freeze();
        Ok(Model { config, head, network, reader, memory_bytes })
    }
}

impl Model {
    /// Rebuilds a model from its two files.
    pub fn load(config_json: &[u8], weights: &[u8]) -> Result<Self, EngineError> {
        Described::read(config_json)?.with_weights(weights)
    }
}

impl Reader {
    fn new(input: &FittedInput) -> Result<Self, String> {
        let tokenizer = |text: &FittedText| {
            let tokenizer = Tokenizer::from_json(&text.tokenizer)?;
            if tokenizer.vocabulary() != text.vocabulary as usize {
                return Err("the tokenizer has another number of tokens than is said".to_owned());
            }
            match text.max_length {
                0 => Err("a text of no tokens cannot be read".to_owned()),
                _ => Ok(tokenizer),
            }
        };
        Ok(match input {
            FittedInput::Table { columns } => {
                table::check(columns)?;
                Self::Table(Encoders::new(columns))
            }
            FittedInput::Text(text) => Self::Text(tokenizer(text)?),
            FittedInput::Corpus(text) => Self::Corpus(tokenizer(text)?),
            FittedInput::Images { height, width, channels } => {
                images::check([*height, *width, *channels])?;
                Self::Images
            }
            FittedInput::Series { series, fitted } => {
                series::check(fitted, series)?;
                Self::Series
            }
            FittedInput::Ratings { fitted, .. } => {
                ratings::check(fitted)?;
                Self::Ratings
            }
        })
    }
}

fn check(config: &ModelConfig) -> Result<Head, String> {
    let classes = config.classes.len();
    let fits = match config.task {
        Task::BinaryClassification => classes == 2 && config.loss == Loss::BinaryCrossentropy,
        Task::MulticlassClassification => {
            classes > 0 && config.loss == Loss::CategoricalCrossentropy
        }
        Task::LanguageModeling => classes == 0 && config.loss == Loss::CategoricalCrossentropy,
        Task::Recommendation => classes == 0 && config.loss != Loss::CategoricalCrossentropy,
        Task::Regression | Task::Forecasting => {
            let probability = [Loss::BinaryCrossentropy, Loss::CategoricalCrossentropy];
            classes == 0 && !probability.contains(&config.loss)
        }
    };
    if !fits {
        return Err(format!(
            "{classes} classes and {:?} do not fit {:?}",
            config.loss, config.task
        ));
    }
    let generates = config.task == Task::LanguageModeling;
    if generates != matches!(config.input, FittedInput::Corpus(_)) {
        return Err(format!("{:?} does not read this input", config.task));
    }
    if generates && config.layers.iter().any(Layer::looks_ahead) {
        return Err("a layer of a language model looks ahead".into());
    }
    let mut shape = config.input.shape();
    if shape == Shape::Features(0) {
        return Err("the model has no inputs".into());
    }
    for (i, layer) in config.layers.iter().enumerate() {
        shape = layer.output(&shape).map_err(|why| format!("layers[{i}]: {why}"))?;
    }
    let outputs = match (config.task, shape, &config.input) {
        (Task::LanguageModeling, Shape::Sequence { features, .. }, FittedInput::Corpus(text))
            if features == text.vocabulary as usize =>
        {
            features
        }
        (Task::MulticlassClassification, Shape::Features(n), _) if n == classes => n,
        (Task::Forecasting, Shape::Features(n), FittedInput::Series { series, .. })
            if n == series.horizon as usize =>
        {
            n
        }
        (
            Task::BinaryClassification | Task::Regression | Task::Recommendation,
            Shape::Features(1),
            _,
        ) => 1,
        (task, shape, _) => return Err(format!("the layers give {shape}, which is not {task:?}")),
    };
    if !matches!(
        config.layers.last(),
        Some(Layer::Dense { .. } | Layer::MatrixFactorization { .. } | Layer::TwoTower { .. })
    ) {
        return Err("the last layer must be dense".into());
    }
    let unit = Unit { center: config.target_center, scale: config.target_scale };
    if !unit.center.is_finite() || !unit.scale.is_finite() {
        return Err("the target is scaled by a number that is not finite".into());
    }
    let (task, loss) = (config.task, config.loss);
    Ok(Head { task, loss, outputs, smoothing: 0.0, class_weights: vec![], unit })
}

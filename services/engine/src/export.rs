//! The two files of a trained model. Their bytes depend on the specification, the data and the seed
//! alone.

use std::collections::BTreeMap;

use domain::{
    Digest,
    child::{CONFIG_FILE, WEIGHTS_FILE},
    evaluation::Evaluation,
    model::{CONFIG_FORMAT, ModelConfig, TensorInfo},
    spec::Layer,
};
use safetensors::{Dtype, tensor::TensorView};

use crate::{
    error::EngineError,
    files::{self, f32_bytes},
    network::Array,
    source::Fitted,
    train::{Fit, Run},
};

const ENGINE: &str = concat!("cupola-engine ", env!("CARGO_PKG_VERSION"));

pub(crate) fn export(
    run: Run<'_>,
    fitted: &Fitted,
    fit: &Fit,
    metrics: &BTreeMap<String, f64>,
    evaluations: Vec<Evaluation>,
) -> Result<(), EngineError> {
    let arrays = &fit.network.arrays;
    let not_finite = arrays.iter().flat_map(|a| &a.values).find(|v| !v.is_finite());
    if let Some(&value) = not_finite {
        return Err(EngineError::LossNotFinite { step: fit.step, loss: value.into() });
    }
    let weights = weights_file(arrays);
    let config = ModelConfig {
        tensors: tensors(arrays),
        weights_sha256: Digest::of(&weights),
        metrics: metrics.clone(),
        evaluations,
        ..unlearned(run, fitted, fit.network.layers().to_vec())
    };
    files::write(&run.scratch.join(WEIGHTS_FILE), &weights)?;
    files::write(&run.scratch.join(CONFIG_FILE), &config_file(&config))
}

/// What is known of a model before it has weights.
pub(crate) fn unlearned(run: Run<'_>, fitted: &Fitted, layers: Vec<Layer>) -> ModelConfig {
    let spec = run.spec;
    ModelConfig {
        format: CONFIG_FORMAT,
        engine: ENGINE.into(),
        task: spec.task,
        target: spec.target.clone(),
        classes: spec.classes.clone(),
        input: fitted.input.clone(),
        layers,
        loss: spec.loss,
        target_center: fitted.unit.center,
        target_scale: fitted.unit.scale,
        tensors: vec![],
        weights_sha256: Digest::of(b""),
        dataset_sha256: run.data.sha256,
        spec: spec.clone(),
        metrics: BTreeMap::new(),
        evaluations: vec![],
    }
}

pub(crate) fn tensors(arrays: &[Array]) -> Vec<TensorInfo> {
    let info = |a: &Array| TensorInfo { name: a.name.clone(), shape: a.shape.clone() };
    arrays.iter().map(info).collect()
}

/// `model.safetensors`.
pub(crate) fn weights_file(arrays: &[Array]) -> Vec<u8> {
    let bytes: Vec<Vec<u8>> = arrays.iter().map(|a| f32_bytes(&a.values)).collect();
    let views = arrays.iter().zip(&bytes).map(|(a, bytes)| {
        let view = TensorView::new(Dtype::F32, a.shape.clone(), bytes);
        (a.name.as_str(), view.expect("the bytes were made for this shape"))
    });
    safetensors::serialize(views, None).expect("the tensors' names are distinct")
}

/// `config.json`.
pub(crate) fn config_file(config: &ModelConfig) -> Vec<u8> {
    let mut json = serde_json::to_vec_pretty(config).expect("a model's config is plain JSON");
    json.push(b'\n');
    json
}

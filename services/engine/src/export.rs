//! The two files of a trained model. Their bytes depend on the specification, the data and the seed
//! alone.

use std::path::Path;

use domain::{
    Digest,
    child::{CONFIG_FILE, DataFile, WEIGHTS_FILE},
    model::{CONFIG_FORMAT, ModelConfig, TensorInfo},
    spec::TrainingSpec,
};
use safetensors::{Dtype, tensor::TensorView};

use crate::{
    checkpoint::Progress,
    error::EngineError,
    files::{self, f32_bytes},
    network::Network,
    prepare::Prepared,
};

const ENGINE: &str = concat!("cupola-engine ", env!("CARGO_PKG_VERSION"));

pub(crate) fn export(
    scratch: &Path,
    spec: &TrainingSpec,
    data: &DataFile,
    prepared: &Prepared,
    network: &Network,
    progress: &Progress,
) -> Result<(), EngineError> {
    let arrays = network.to_arrays();
    let not_finite = arrays.iter().flat_map(|a| &a.values).find(|v| !v.is_finite());
    if let Some(&value) = not_finite {
        return Err(EngineError::LossNotFinite { step: progress.step, loss: value.into() });
    }
    let tensors = arrays
        .iter()
        .map(|a| TensorInfo { name: a.name.clone(), shape: a.shape.clone() })
        .collect();
    let bytes: Vec<Vec<u8>> = arrays.iter().map(|a| f32_bytes(&a.values)).collect();
    let views = arrays.iter().zip(&bytes).map(|(a, bytes)| {
        let view = TensorView::new(Dtype::F32, a.shape.clone(), bytes);
        (a.name.as_str(), view.expect("the bytes were made for this shape"))
    });
    let weights = safetensors::serialize(views, None).expect("the tensors' names are distinct");
    let config = ModelConfig {
        format: CONFIG_FORMAT,
        engine: ENGINE.into(),
        task: spec.task,
        target: spec.target.clone(),
        classes: spec.classes.clone(),
        columns: prepared.columns.clone(),
        layers: spec.layers.clone(),
        target_center: prepared.target_center,
        target_scale: prepared.target_scale,
        tensors,
        weights_sha256: Digest::of(&weights),
        dataset_sha256: data.sha256,
        spec: spec.clone(),
        metrics: progress.metrics.clone(),
    };
    let mut json = serde_json::to_vec_pretty(&config).expect("a model's config is plain JSON");
    json.push(b'\n');
    files::write(&scratch.join(WEIGHTS_FILE), &weights)?;
    files::write(&scratch.join(CONFIG_FILE), &json)
}

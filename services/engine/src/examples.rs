//! What the tests of several modules start from.

use std::path::PathBuf;

use domain::{
    Digest, Resources,
    child::DataFile,
    dataset::{Compression, Format},
    spec::{
        Augmentation, DatasetRef, Estimate, Gradient, Input, Loss, Optimizer, Regularization,
        Schedule, Task, TrainingSpec,
    },
};

pub(crate) fn spec(task: Task, target: &str, input: Input) -> TrainingSpec {
    let dataset = DatasetRef { name: "data".parse().unwrap(), version: 1, sha256: Digest::of(b"") };
    TrainingSpec {
        task,
        dataset,
        target: target.into(),
        classes: vec![],
        input,
        layers: vec![],
        loss: Loss::MeanSquaredError,
        label_smoothing: 0.0,
        class_weight: None,
        oversample: false,
        group_by_length: false,
        optimizer: Optimizer::default(),
        schedule: Schedule::default(),
        gradient: Gradient::default(),
        regularization: Regularization::default(),
        augmentation: Augmentation::default(),
        early_stopping: None,
        epochs: 1,
        batch_size: 1,
        validation_split: 0.2,
        stratified: false,
        cross_validation: None,
        test: None,
        metrics: vec![],
        seed: 1,
        pool: "default".parse().expect("it is a name"),
        resources: Resources::cpu(1_000, 1 << 30),
        workers: 1,
        max_runtime: 60,
        checkpoint_every: None,
        registered_model_name: "model".parse().unwrap(),
        base_model: None,
        estimate: Estimate::default(),
    }
}

pub(crate) fn csv() -> DataFile {
    let (format, compression) = (Format::Csv, Compression::None);
    DataFile { format, compression, sha256: Digest::of(b""), bytes: 0 }
}

/// A file of the real data, where there is any.
pub(crate) fn real(path: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("CUPOLA_DATA").map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: CUPOLA_DATA names no folder with {path}");
    }
    Some(folder?.join(path))
}

//! `cupola export`: a model as ONNX, from the two files that a run leaves.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use domain::child::{CONFIG_FILE, PREPROCESSING_FILE, TOKENIZER_FILE, WEIGHTS_FILE};
use onnx::OnnxFiles;

#[derive(clap::Args)]
pub struct Arguments {
    /// The folder with model.safetensors and config.json, or one of the two.
    #[arg(long)]
    model: PathBuf,
    /// The .onnx file; preprocessing.json, and of a text model tokenizer.json, are written beside it.
    #[arg(long)]
    out: PathBuf,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let folder = match arguments.model.is_dir() {
        true => &arguments.model,
        false => arguments.model.parent().context("the model is a folder, or a file in one")?,
    };
    let read = |name: &str| {
        let path = folder.join(name);
        fs::read(&path).with_context(|| format!("read {}", path.display()))
    };
    let (config, weights) = (read(CONFIG_FILE)?, read(WEIGHTS_FILE)?);
    let OnnxFiles { model, preprocessing, tokenizer } =
        onnx::export(&config, &weights).with_context(|| format!("{}", folder.display()))?;
    let beside = |name: &str| arguments.out.with_file_name(name);
    write(&arguments.out, &model)?;
    write(&beside(PREPROCESSING_FILE), &preprocessing)?;
    match tokenizer {
        Some(tokenizer) => write(&beside(TOKENIZER_FILE), &tokenizer),
        None => Ok(()),
    }
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    fs::write(path, bytes).with_context(|| format!("write {}", path.display()))?;
    println!("{}, {} bytes", path.display(), bytes.len());
    Ok(())
}

//! `cupola import`: weights that came from elsewhere, as a model of ours. What they belong to is said by
//! a specification and its data, on which what turns rows into inputs is fitted as for a run; or by the
//! config.json of a model that is there.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use domain::{
    child::{CONFIG_FILE, DATA_FILE, WEIGHTS_FILE},
    dataset::ReadLimits,
    model::ModelConfig,
};
use engine::{ModelFiles, Run};

use crate::train::{place, remove, resolve};

#[derive(clap::Args)]
pub struct Arguments {
    /// The specification, as it would be submitted; without `dataset`.
    #[arg(long, requires = "data", required_unless_present = "config")]
    spec: Option<PathBuf>,
    /// The data that the specification is for.
    #[arg(long, requires = "spec")]
    data: Option<PathBuf>,
    /// In place of both: the config.json of a model with the same layers and inputs.
    #[arg(long, conflicts_with_all = ["spec", "data"])]
    config: Option<PathBuf>,
    /// A .safetensors file with the layers' tensors.
    #[arg(long)]
    weights: PathBuf,
    /// The folder that takes model.safetensors and config.json.
    #[arg(long)]
    out: PathBuf,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let out = &arguments.out;
    fs::create_dir_all(out).with_context(|| format!("make the folder {}", out.display()))?;
    let blueprint = match (&arguments.config, &arguments.spec, &arguments.data) {
        (Some(config), ..) => {
            let json = fs::read(config).with_context(|| format!("read {}", config.display()))?;
            serde_json::from_slice(&json).with_context(|| format!("{}", config.display()))?
        }
        (None, Some(spec), Some(data)) => fitted(spec, data, out)?,
        _ => anyhow::bail!("give --spec and --data, or --config"),
    };
    let path = arguments.weights.display();
    let weights = fs::read(&arguments.weights).with_context(|| format!("read {path}"))?;
    let ModelFiles { config, weights } =
        engine::import(blueprint, &weights).with_context(|| format!("{path}"))?;
    for (name, bytes) in [(WEIGHTS_FILE, weights), (CONFIG_FILE, config)] {
        let path = out.join(name);
        fs::write(&path, bytes).with_context(|| format!("write {}", path.display()))?;
        println!("{}", path.display());
    }
    Ok(())
}

/// What a run with this specification would learn weights for.
fn fitted(spec: &Path, data: &Path, out: &Path) -> anyhow::Result<ModelConfig> {
    let file = out.join(DATA_FILE);
    let described = place(data, &file)?;
    let limits = ReadLimits::default();
    let fit = || {
        let profile = engine::profile(&file, &described, &limits)
            .with_context(|| format!("{}", data.display()))?;
        let spec = resolve(spec, &described, None, &profile)?;
        let run =
            Run { spec: &spec, data: &described, limits: &limits, scratch: out, member: None };
        Ok(engine::blueprint(run)?)
    };
    // whatever comes of it, what was only read does not stay among what was made
    let fitted = fit();
    remove(&file)?;
    fitted
}

//! A reference model as `cupola train` leaves it, and raw rows for it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use domain::predict::{Prediction, Row};
use e2e::bench::{self, Training, raw_rows};
use engine::Model;
use serde_json::json;
use tempfile::TempDir;

/// To train on; how well does not matter here.
const TRAINED_ROWS: usize = 1_024;
/// That are asked for, one after another or at once.
const ASKED_ROWS: usize = 256;

pub struct Published {
    pub name: String,
    pub model: Model,
    pub rows: Vec<Row>,
    folder: TempDir,
}

impl Published {
    pub fn train(name: &str, binary: &Path) -> anyhow::Result<Self> {
        let mut references = bench::references()?.into_iter();
        let reference = references.find(|r| r.name == name).context("no such model")?;
        let folder = tempfile::tempdir().context("make a temporary folder")?;
        let data = reference.data.write(TRAINED_ROWS, folder.path())?;
        let mut spec = reference.spec;
        spec["epochs"] = json!(1);
        let training =
            Training { binary, spec: &spec, data: &data, test: None, folder: folder.path() };
        training.run(&mut |_| {})?;
        let out = folder.path().join("out");
        let read = |name| fs::read(out.join(name)).with_context(|| format!("read {name}"));
        let model = Model::load(&read("config.json")?, &read("model.safetensors")?)?;
        let text = fs::read_to_string(&data).context("read the data")?;
        let published =
            Self { name: name.to_owned(), model, rows: raw_rows(&text, ASKED_ROWS)?, folder };
        let told = json!({"rows": published.rows, "answers": published.answers()?});
        fs::write(published.told(), told.to_string()).context("write the answers")?;
        Ok(published)
    }

    /// The folder of its two files.
    pub fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    /// A file of the rows and of what it answers to them.
    pub fn told(&self) -> PathBuf {
        self.folder.path().join("told.json")
    }

    /// The probability of the second class.
    fn answers(&self) -> anyhow::Result<Vec<f64>> {
        let second = &self.model.config().classes[1];
        let answers = self.model.predict(&self.rows);
        let answers = answers.map_err(|errors| anyhow::anyhow!("{errors:?}"))?;
        let probability = |answer: &Prediction| match answer {
            Prediction::Class { probabilities, .. } => {
                probabilities.get(second).copied().context("a class without its probability")
            }
            _ => bail!("it must tell two classes apart"),
        };
        answers.iter().map(probability).collect()
    }
}

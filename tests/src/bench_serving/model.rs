//! A model that was trained and published on a platform, as its peers get it: its files, and rows for it.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, ensure};
use domain::predict::Row;
use e2e::{
    Client,
    bench::{self, Made, median, raw_rows},
};
use hyper::body::Bytes;
use serde_json::{Value, json};
use tempfile::TempDir;

/// To train on; how well does not matter here.
const TRAINED_ROWS: usize = 1_024;
/// That are asked for, one after another.
const ASKED_ROWS: usize = 256;
const ENGINE_CALLS: usize = 2_000;

pub struct Model {
    pub name: &'static str,
    /// Of the reference models.
    reference: &'static str,
    /// Of the better peer's answers a second.
    pub asked: f64,
    /// Words, where they are not the reference's.
    vocabulary: Option<usize>,
}

impl Model {
    pub const ALL: [Self; 2] = [
        Self { name: "mlp", reference: "mlp", asked: 3.0, vocabulary: None },
        Self { name: "text", reference: "bilstm", asked: 1.0, vocabulary: None },
    ];
    /// The same with more words.
    pub const TEN_MEGABYTES: Self =
        Self { name: "large", reference: "bilstm", asked: 0.0, vocabulary: Some(80_000) };
}

/// Of the tenant `acme`.
pub struct Published {
    pub path: String,
    rows: Vec<Row>,
    files: TempDir,
}

impl Published {
    pub async fn train(acme: &Client, model: &Model) -> anyhow::Result<Self> {
        let mut references = bench::references()?.into_iter();
        let reference = references.find(|r| r.name == model.reference).context("no such model")?;
        let files = tempfile::tempdir()?;
        let (mut made, mut spec) = (reference.data, reference.spec);
        if let (Made::Texts { vocabulary, .. }, Some(words)) = (&mut made, model.vocabulary) {
            *vocabulary = words;
            spec["tokenizer"]["vocab_size"] = json!(words);
        }
        let data = fs::read_to_string(made.write(TRAINED_ROWS, files.path())?)?;
        acme.push_csv(model.name, &data).await;
        spec["epochs"] = json!(1);
        spec["dataset"] = json!(model.name);
        let job = acme.submit(&spec).await;
        acme.wait_for_status(&job, "succeeded").await;
        let path = format!("/v1/models/{}/{}", acme.slug, model.name);
        let version = acme.get(&format!("{path}/versions/1")).await.ok();
        for file in version["files"].as_array().context("a version has files")? {
            let text = |key: &str| file[key].as_str().map(str::to_owned).context("a file's words");
            fs::write(files.path().join(text("name")?), acme.download(&text("url")?).await)?;
        }
        let mut rows = raw_rows(&data, ASKED_ROWS)?;
        // what is to be told
        rows.iter_mut().for_each(|row| drop(row.remove("label")));
        Ok(Self { path, rows, files })
    }

    pub fn predict_path(&self) -> String {
        format!("{}/predict?version=1", self.path)
    }

    pub fn folder(&self) -> &Path {
        self.files.path()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    /// One row to each body, under a server's own key.
    pub fn bodies(&self, key: &str, is_list: bool) -> Vec<Bytes> {
        let body = |row: &Row| {
            let rows = if is_list { json!([row]) } else { json!(row) };
            Bytes::from(json!({ key: rows }).to_string())
        };
        self.rows.iter().map(body).collect()
    }

    fn model(&self) -> anyhow::Result<engine::Model> {
        let read = |name| fs::read(self.file(name)).with_context(|| format!("read {name}"));
        Ok(engine::Model::load(&read("config.json")?, &read("model.safetensors")?)?)
    }

    /// The engine's, to the first row.
    pub fn first_answer(&self) -> anyhow::Result<Value> {
        let answers = self.model()?.predict(&self.rows[..1]);
        let answers = answers.map_err(|errors| anyhow::anyhow!("{errors}"))?;
        Ok(serde_json::to_value(&answers[0])?)
    }

    /// What the engine takes for a row, in the middle, without anything around it.
    pub fn engine_micros(&self) -> anyhow::Result<f64> {
        let model = self.model()?;
        let mut times = Vec::new();
        for n in 0..ENGINE_CALLS {
            let row = std::slice::from_ref(&self.rows[n % self.rows.len()]);
            let begun = Instant::now();
            let answer = model.predict(row);
            times.push(begun.elapsed().as_secs_f64() * 1e6);
            ensure!(answer.is_ok(), "{answer:?}");
        }
        Ok(median(&times[ENGINE_CALLS / 4..]))
    }
}

//! Who answers: `cupola up`, FastAPI with onnxruntime, and `mlflow models serve`, each on all cores, and as
//! its own documentation starts it.

use std::{
    env,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
};

use anyhow::{Context, bail, ensure};
use e2e::{
    Client, Up,
    bench::{Load, Started, free_port, one_answer},
    wait_until,
};
use serde_json::Value;
use tempfile::TempDir;

use crate::model::{Model, Published};

const FOLDER_VARIABLE: &str = "CUPOLA_SERVING_PEERS";
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/serving-peers");
/// Between two libraries' answers, which add up in other orders.
const TOLERANCE: f64 = 1e-4;
/// So that nobody is refused for asking as much as is measured.
const NO_RATES: [&str; 3] =
    ["CUPOLA_RATE_PER_ADDRESS", "CUPOLA_RATE_PER_CREDENTIAL", "CUPOLA_RATE_PER_TENANT"];

#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Ours,
    FastApi,
    MlFlow,
}

/// It answers until it is dropped.
pub trait Serving {
    fn load(&self) -> &Load;
}

pub struct Ours {
    pub load: Load,
    pub published: Published,
    pub acme: Client,
    pub up: Up,
}

impl Ours {
    pub async fn start(model: &Model) -> anyhow::Result<Self> {
        let rates = NO_RATES.map(|name| (name, "1000000".to_owned()));
        let up = Up::start_with(rates.to_vec()).await;
        let acme = up.operator.tenant("acme").await;
        let published = Published::train(&acme, model).await?;
        let load = Load {
            host: acme.host(),
            path: published.predict_path(),
            key: Some(acme.key().to_owned()),
            bodies: published.bodies("row", false),
            may_be_refused: false,
        };
        one_answer(&load).await?;
        Ok(Self { load, published, acme, up })
    }

    /// It stays up meanwhile: what is asked of others does not touch it.
    pub fn again(&self) -> Again {
        Again(self.load.clone())
    }
}

pub struct Again(Load);

impl Serving for Again {
    fn load(&self) -> &Load {
        &self.0
    }
}

pub struct Peers {
    folder: PathBuf,
}

impl Peers {
    pub fn find() -> anyhow::Result<Self> {
        let Some(folder) = env::var_os(FOLDER_VARIABLE).map(PathBuf::from) else {
            bail!("{FOLDER_VARIABLE} must name the environment that `make serving-peers` makes");
        };
        let python = folder.join("bin/python");
        ensure!(python.exists(), "there is no {}; run `make serving-peers`", python.display());
        Ok(Self { folder: std::path::absolute(folder)? })
    }

    /// `mlflow 3.17.2, fastapi 0.165.0, …`
    pub fn versions() -> String {
        let pinned = include_str!("../../bench/serving-peers/requirements.txt");
        let named = ["mlflow", "fastapi", "uvicorn", "onnxruntime"];
        let lines = pinned.lines().filter(|line| named.iter().any(|name| line.starts_with(name)));
        lines.map(|line| line.replace("==", " ")).collect::<Vec<_>>().join(", ")
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.folder.join("bin").join(name));
        let path = env::var_os("PATH").unwrap_or_default();
        let mut folders = vec![self.folder.join("bin")];
        folders.extend(env::split_paths(&path));
        // what it starts is looked for there
        command.env("PATH", env::join_paths(folders).unwrap_or(path));
        command.env("PYTHONDONTWRITEBYTECODE", "1").current_dir(SCRIPTS);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

/// As many processes as there are cores; each of them computes on one.
fn workers() -> String {
    thread::available_parallelism().map_or(1, usize::from).to_string()
}

pub struct FastApi {
    load: Load,
    _server: Started,
}

impl FastApi {
    pub async fn start(peers: &Peers, published: &Published) -> anyhow::Result<Self> {
        let port = free_port()?.to_string();
        let mut command = peers.program("uvicorn");
        command
            .args(["fastapi_app:app", "--host", "127.0.0.1", "--port", &port])
            .args(["--workers", &workers(), "--no-access-log", "--log-level", "warning"])
            .env("MODEL", published.folder());
        let server = Started::spawn(&mut command)?;
        let load = Load {
            host: format!("127.0.0.1:{port}"),
            path: "/predict".to_owned(),
            key: None,
            bodies: published.bodies("rows", true),
            may_be_refused: false,
        };
        answers_alike(&load, published).await?;
        Ok(Self { load, _server: server })
    }
}

impl Serving for FastApi {
    fn load(&self) -> &Load {
        &self.load
    }
}

pub struct MlFlow {
    load: Load,
    _server: Started,
    _folder: TempDir,
}

impl MlFlow {
    pub async fn start(peers: &Peers, published: &Published) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let model = folder.path().join("model");
        let mut save = peers.program("python");
        save.arg("mlflow_model.py").arg(published.folder()).arg(&model);
        let saved = save.output().context("save the model for MLflow")?;
        ensure!(saved.status.success(), "{}", String::from_utf8_lossy(&saved.stderr));
        let port = free_port()?.to_string();
        let mut command = peers.program("mlflow");
        command
            .args(["models", "serve", "--host", "127.0.0.1", "--port", &port])
            .args(["--workers", &workers(), "--env-manager", "local", "--model-uri"])
            .arg(&model)
            .current_dir(folder.path());
        let server = Started::spawn(&mut command)?;
        let load = Load {
            host: format!("127.0.0.1:{port}"),
            path: "/invocations".to_owned(),
            key: None,
            bodies: published.bodies("dataframe_records", true),
            may_be_refused: false,
        };
        answers_alike(&load, published).await?;
        Ok(Self { load, _server: server, _folder: folder })
    }
}

impl Serving for MlFlow {
    fn load(&self) -> &Load {
        &self.load
    }
}

/// Once it is up, its answer to the first row is ours.
async fn answers_alike(load: &Load, published: &Published) -> anyhow::Result<()> {
    let answer = wait_until("a peer's answer", async || one_answer(load).await.ok()).await;
    let answer: Value = serde_json::from_slice(&answer)?;
    let probabilities = |answer: &Value| -> anyhow::Result<Vec<f64>> {
        let all = answer["probabilities"].as_object().context("no probabilities")?;
        Ok(all.values().filter_map(Value::as_f64).collect())
    };
    let ours = published.first_answer()?;
    let (theirs, ours) = (probabilities(&answer["predictions"][0])?, probabilities(&ours)?);
    let apart = theirs.iter().zip(&ours).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    ensure!(theirs.len() == ours.len() && apart <= TOLERANCE, "{theirs:?} is not {ours:?}");
    Ok(())
}

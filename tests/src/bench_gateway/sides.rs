//! Who is asked: the gateway, the bare handler over the gateway's database, and MLflow's tracking server over a
//! database of the same server. Each has one thing with ten versions, and is asked for it.

use std::{
    env,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use anyhow::{Context, bail, ensure};
use e2e::{
    Client, Gateway,
    bench::{Load, Started, free_port, one_answer},
    wait_until,
};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

const FOLDER_VARIABLE: &str = "CUPOLA_GATEWAY_PEERS";
/// Of a gateway with its database.
const CONNECTIONS: &str = "16";
const VERSIONS: usize = 10;
const NAME: &str = "reviews";

pub struct Peers {
    folder: PathBuf,
}

impl Peers {
    pub fn find() -> anyhow::Result<Self> {
        let Some(folder) = env::var_os(FOLDER_VARIABLE).map(PathBuf::from) else {
            bail!("{FOLDER_VARIABLE} must name the folder that `make gateway-peers` makes");
        };
        for program in ["bin/mlflow", "bare"] {
            let path = folder.join(program);
            ensure!(path.exists(), "there is no {}; run `make gateway-peers`", path.display());
        }
        Ok(Self { folder })
    }

    /// `mlflow 3.17.2`
    pub fn versions() -> String {
        let pinned = include_str!("../../bench/gateway-peers/requirements.txt");
        let mlflow = pinned.lines().find(|line| line.starts_with("mlflow==")).unwrap_or("mlflow");
        mlflow.replace("==", " ")
    }
}

/// A dataset with its versions, and who may read it.
async fn furnish(gateway: &Gateway) -> anyhow::Result<(Client, Load)> {
    let tenant = gateway.operator.tenant("acme").await;
    for n in 0..VERSIONS {
        let path = format!("/v1/datasets/{NAME}/versions");
        let csv = format!("text,label\nfilm {n},good\nscene {n},dull\n");
        let request = tenant.request(Method::POST, &path).header("content-type", "text/csv");
        let pushed = tenant.answer_to(request.body(csv)).await.context("the gateway is away")?;
        pushed.ok();
    }
    let host = tenant.host();
    let (path, key) = (format!("/v1/datasets/{NAME}"), Some(tenant.key().to_owned()));
    Ok((tenant, Load { host, path, key, bodies: Vec::new(), may_be_refused: false }))
}

pub struct Ours {
    pub load: Load,
    _gateway: Gateway,
}

impl Ours {
    pub async fn start() -> anyhow::Result<Self> {
        let gateway = Gateway::start(true).await;
        let (_, load) = furnish(&gateway).await?;
        Ok(Self { load, _gateway: gateway })
    }
}

/// Fields in the order in which they end.
pub struct Bare {
    pub load: Load,
    _server: Started,
    _gateway: Gateway,
}

impl Bare {
    pub async fn start(peers: &Peers) -> anyhow::Result<Self> {
        let mut gateway = Gateway::start(true).await;
        let (_, ours) = furnish(&gateway).await?;
        let tenant = gateway.operator.get("/v1/tenants/acme").await.ok();
        let tenant = tenant["id"].as_str().context("a tenant has an id")?;
        let expected = one_answer(&ours).await?;
        gateway.stop().await;
        let mut command = Command::new(peers.folder.join("bare"));
        command.arg(gateway.database_url("cupola")).arg(CONNECTIONS);
        command.arg(tenant.trim_start_matches("ten_")).stdout(Stdio::piped());
        let mut server = Started::spawn(&mut command)?;
        let mut port = String::new();
        let said = server.stdout().context("it has a standard output")?;
        BufReader::new(said).read_line(&mut port)?;
        let host = format!("127.0.0.1:{}", port.trim());
        let load = Load { host, key: None, ..ours };
        let answer = one_answer(&load).await?;
        ensure!(
            answer == expected,
            "the bare handler answers {answer:?}, the gateway {expected:?}"
        );
        Ok(Self { load, _server: server, _gateway: gateway })
    }
}

/// Fields in the order in which they end.
pub struct MlFlow {
    pub load: Load,
    _server: Started,
    _gateway: Gateway,
    _folder: TempDir,
}

impl MlFlow {
    pub async fn start(peers: &Peers) -> anyhow::Result<Self> {
        let mut gateway = Gateway::start(true).await;
        gateway.stop().await;
        let folder = tempfile::tempdir()?;
        let port = free_port()?;
        let url = gateway.database_url("postgres");
        let url = url.replace("postgres://", "postgresql+psycopg2://");
        let server = peers.mlflow(&url, port, folder.path())?;
        let base = format!("http://127.0.0.1:{port}");
        let http = reqwest::Client::builder().no_proxy().build()?;
        wait_until("MLflow", async || {
            http.get(format!("{base}/health")).send().await.ok()?.error_for_status().ok()
        })
        .await;
        let post = async |path: &str, body: Value| -> anyhow::Result<()> {
            let request = http.post(format!("{base}/api/2.0/mlflow/{path}")).json(&body);
            request.send().await?.error_for_status().context(path.to_owned())?;
            Ok(())
        };
        post("registered-models/create", json!({ "name": NAME })).await?;
        for n in 0..VERSIONS {
            let version = json!({ "name": NAME, "source": format!("s3://models/{n}") });
            post("model-versions/create", version).await?;
        }
        let path = format!("/api/2.0/mlflow/registered-models/get?name={NAME}");
        let host = format!("127.0.0.1:{port}");
        let load = Load { host, path, key: None, bodies: Vec::new(), may_be_refused: false };
        Ok(Self { load, _server: server, _gateway: gateway, _folder: folder })
    }
}

impl Peers {
    /// As its documentation says, with a process for each core.
    fn mlflow(&self, url: &str, port: u16, folder: &Path) -> anyhow::Result<Started> {
        let workers = thread::available_parallelism().map_or(1, usize::from);
        let mut command = Command::new(self.folder.join("bin/mlflow"));
        command
            .args(["server", "--host", "127.0.0.1", "--port", &port.to_string()])
            .args(["--workers", &workers.to_string(), "--backend-store-uri", url])
            .arg("--artifacts-destination")
            .arg(folder)
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Started::spawn(&mut command)
    }
}

//! The first journey, made through the public API as any client would: a tenant and a key, real data
//! pushed, the model of the README trained and followed live, the published version asked about a row
//! that was held back. Ends well only if all of it really happened.

mod server;

use std::{fs, path::PathBuf};

use anyhow::{Context, bail, ensure};
use clap::Args;
use gateway::ApiSecret;
use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::{
    remote::{
        api::Client,
        show::{Out, text},
        watch,
    },
    up::{self, DataDir},
};

/// What the journey must reach on this dataset.
const MIN_VAL_ACCURACY: f64 = 0.95;
/// Seconds that the push waits for the dataset's profile.
const WAIT_SECS: u32 = 30;
const TENANT: &str = "demo";
const DATASET: &str = "breast-cancer";
const TARGET: &str = "diagnosis";

#[derive(Args, Debug)]
pub struct Arguments {
    #[command(flatten)]
    data: DataDir,
    /// The Wisconsin breast-cancer data.
    #[arg(long, default_value = "docs/examples/breast-cancer.csv")]
    csv: PathBuf,
}

pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let data = arguments.data.path()?;
    let server = server::find_or_start(&data).await?;
    let outcome = journey(&server.url, &data, &arguments.csv).await;
    // a journey that failed still leaves an orderly server behind
    let keeps_running = server.stop().await?;
    let url = outcome?;
    farewell(&url, &data, keeps_running);
    Ok(())
}

async fn journey(url: &str, data: &std::path::Path, csv: &PathBuf) -> anyhow::Result<String> {
    let (pushed, held_back) = hold_one_row_back(csv)?;

    step("1. A tenant and its API key");
    let client = Client::new(url, &tenant_key(url, data).await?)?;
    let me = client.get("/v1/me").await?;
    println!("   tenant {}, as {}", text(&me, "/tenant"), text(&me, "/email"));

    step("2. Push the data; a worker reads it in its sandbox");
    let path = format!("/v1/datasets/{DATASET}/versions");
    let version = push(&client, &path, pushed).await?;
    show_profile(&version)?;

    step("3. Submit a training job");
    let draft = draft(&version)?;
    println!("{}", indent(&serde_json::to_string_pretty(&draft)?));
    let job = client.post("/v1/jobs", &draft).await?;
    let id = text(&job, "/id").to_owned();
    println!("   {id} is {}", text(&job, "/status"));

    step("4. Follow it live");
    let job = watch::until_the_end(&client, &id, Out::text()).await?;

    step("5. The published version");
    let model = format!("/v1/models/{TENANT}/{}", text(&job, "/published/model"));
    let number = job.pointer("/published/version").and_then(Value::as_u64).context("no version")?;
    let version = client.get(&format!("{model}/versions/{number}")).await?;
    let accuracy = show_version(&version)?;

    step("6. Ask it about a row it has never seen");
    let asked = json!({"row": held_back.features});
    let answer = client.post(&format!("{model}/predict?version={number}"), &asked).await?;
    show_prediction(&answer, &held_back)?;
    ensure!(
        accuracy >= MIN_VAL_ACCURACY,
        "the validation accuracy is {accuracy:.4}, below the {MIN_VAL_ACCURACY} it should reach"
    );
    Ok(url.to_owned())
}

struct HeldBack {
    features: Value,
    label: String,
}

/// The file without its last row, and that row as a client would ask about it.
fn hold_one_row_back(csv: &PathBuf) -> anyhow::Result<(String, HeldBack)> {
    let text = fs::read_to_string(csv)
        .with_context(|| format!("{} cannot be read; name it with --csv", csv.display()))?;
    let (rest, last) = text.trim_end().rsplit_once('\n').context("the file has one line")?;
    let header = rest.lines().next().context("the file has no header")?;
    let mut features = serde_json::Map::new();
    let mut label = None;
    for (name, cell) in header.split(',').zip(last.split(',')) {
        if name == TARGET {
            label = Some(cell.to_owned());
        } else {
            let number: f64 = cell.parse().with_context(|| format!("{name} is not a number"))?;
            features.insert(name.to_owned(), json!(number));
        }
    }
    let label = label.with_context(|| format!("the file has no column {TARGET}"))?;
    Ok((format!("{rest}\n"), HeldBack { features: Value::Object(features), label }))
}

/// The demo's own key, made by the operator the first time and kept in the data folder.
async fn tenant_key(url: &str, data: &std::path::Path) -> anyhow::Result<String> {
    let path = data.join("demo.key");
    if let Ok(key) = fs::read_to_string(&path) {
        println!("   the key of an earlier run, from {}", path.display());
        return Ok(key.trim().to_owned());
    }
    let operator = data.join(up::OPERATOR_KEY_FILE);
    let operator = fs::read_to_string(&operator)
        .with_context(|| format!("{} cannot be read", operator.display()))?;
    let tenant = json!({
        "slug": TENANT, "name": "Demo",
        "owner": {"email": "owner@demo.example"},
    });
    let operator = Client::new(url, operator.trim())?;
    let made = operator.post("/v1/tenants", &tenant).await?;
    let answer = json!({
        "token": text(&made, "/invitation/token"), "name": "Demo owner",
        // nobody signs in with it: the key is what is kept
        "password": ApiSecret::generate()?.reveal(),
    });
    let session = operator.post("/v1/invitations/accept", &answer).await?;
    let session = Client::new(url, text(&session, "/access_token"))?;
    let made = session.post("/v1/keys", &json!({"name": "demo"})).await?;
    let key = text(&made, "/secret");
    ensure!(!key.is_empty(), "the gateway returned no key");
    up::write_secret(&path, key)?;
    println!("   made; its key is kept in {}", path.display());
    Ok(key.to_owned())
}

async fn push(client: &Client, path: &str, csv: String) -> anyhow::Result<Value> {
    let request = client.request(Method::POST, path).header(header::CONTENT_TYPE, "text/csv");
    client.json(request.header("Prefer", format!("wait={WAIT_SECS}")).body(csv)).await
}

/// The brief's own classifier.
fn draft(version: &Value) -> anyhow::Result<Value> {
    let number = version.pointer("/version").and_then(Value::as_u64).context("no version")?;
    Ok(json!({
        "dataset": DATASET, "version": number, "target": TARGET, "drop": ["id"],
        "model": {"layers": [
            {"type": "Dense", "units": 128, "activation": "relu"},
            {"type": "Dense", "units": 64, "activation": "relu"},
            {"type": "Dense", "units": 1, "activation": "sigmoid"},
        ]},
        "loss": "binary_crossentropy",
        "optimizer": {"type": "Adam", "learning_rate": 0.001},
        "epochs": 20, "batch_size": 32, "validation": {"split": 0.2}, "seed": 7,
        "registered_model_name": DATASET,
    }))
}

fn show_profile(version: &Value) -> anyhow::Result<()> {
    let state = text(version, "/profile/state");
    if state != "ready" {
        bail!("the dataset's profile is {state}: {}", version["profile"]);
    }
    let rows = &version["profile"]["rows"];
    let columns = version.pointer("/profile/columns").and_then(Value::as_array);
    let columns = columns.context("the profile has no columns")?;
    println!("   version {} with {rows} rows and {} columns", version["version"], columns.len());
    for column in columns.iter().filter(|c| c["name"] == TARGET) {
        println!("   balance of {TARGET}: {}", column["values"]);
    }
    for warning in
        version.pointer("/profile/warnings").and_then(Value::as_array).into_iter().flatten()
    {
        println!("   note: {}", warning.as_str().unwrap_or_default());
    }
    Ok(())
}

fn show_version(version: &Value) -> anyhow::Result<f64> {
    let metric = |name: &str| version.pointer(&format!("/metrics/{name}")).and_then(Value::as_f64);
    let accuracy = metric("val_accuracy").context("the version has no val_accuracy")?;
    println!(
        "   {}/{} version {}",
        text(version, "/tenant"),
        text(version, "/model"),
        version["version"]
    );
    for file in version.pointer("/files").and_then(Value::as_array).into_iter().flatten() {
        println!("   {:<18} sha256 {}", text(file, "/name"), text(file, "/sha256"));
    }
    for name in ["loss", "val_loss", "accuracy", "val_accuracy", "val_auc"] {
        if let Some(value) = metric(name) {
            println!("   {name:<13} {value:.4}");
        }
    }
    Ok(accuracy)
}

fn show_prediction(answer: &Value, held_back: &HeldBack) -> anyhow::Result<()> {
    let prediction = answer.pointer("/predictions/0").context("no prediction came back")?;
    println!("   it says {}, the row's label is {}", prediction["class"], held_back.label);
    println!("   probabilities {}", prediction["probabilities"]);
    ensure!(
        prediction["class"] == held_back.label.as_str(),
        "the held-back row was predicted wrongly"
    );
    Ok(())
}

fn farewell(url: &str, data: &std::path::Path, keeps_running: bool) {
    step("Done: trained, published, answered");
    println!("   data           {}", data.display());
    println!("   your key       {}", data.join("demo.key").display());
    if keeps_running {
        println!("   API            {url}/v1");
        println!("   documentation  {url}/docs");
    } else {
        println!("   `make up` starts the API at http://127.0.0.1:8080/v1, its docs at /docs");
    }
    println!("   README.md goes on with your own CSV");
}

fn step(title: &str) {
    println!("\n{title}");
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("   {line}")).collect::<Vec<_>>().join("\n")
}

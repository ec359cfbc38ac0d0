//! `cupola models`: what is published, and its files on one's own machine.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::{
    Asking,
    api::Client,
    names::ModelName,
    pull, push,
    show::{self, Out, bytes, items, list, minute, plain, table, text},
};
use crate::models::Verify;

#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    pub asking: Asking,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// The tenant's models, or those that others show.
    List(List),
    /// A model: its newest version, how good it is, its versions and aliases.
    Show {
        /// MODEL or TENANT/MODEL, with :VERSION or @ALIAS.
        model: ModelName,
    },
    /// Downloads a version's files. What is there already is not sent again.
    Pull(Pull),
    /// Makes files the next version of a model of one's own. What the platform has is not sent again.
    Push(Push),
    /// Checks the files of a version against its signed manifest, without the platform.
    Verify(Verify),
}

#[derive(Args)]
pub struct List {
    /// Words that are in its name, tags, description or card.
    query: Option<String>,
    /// private: the tenant's own, as if absent; shared; public.
    #[arg(long)]
    visibility: Option<String>,
    /// relevance, updated, created, downloads, likes or trending.
    #[arg(long)]
    sort: Option<String>,
    /// The most models, up to 200.
    #[arg(long)]
    limit: Option<u32>,
}

#[derive(Args)]
pub struct Pull {
    /// MODEL or TENANT/MODEL, with :VERSION or @ALIAS; the newest version if absent.
    model: ModelName,
    /// The folder for them; one of the model's name if absent.
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Args)]
pub struct Push {
    /// MODEL or TENANT/MODEL; one that is not there is made.
    model: ModelName,
    /// A folder, whose files are the whole version, or a file, which is added to those of the newest one.
    /// What begins with a dot is left out.
    path: PathBuf,
}

pub async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (client, out) = arguments.asking.open()?;
    match &arguments.command {
        Command::List(arguments) => {
            let query = [
                ("q", arguments.query.clone()),
                ("visibility", arguments.visibility.clone()),
                ("sort", arguments.sort.clone()),
                ("limit", arguments.limit.map(|limit| limit.to_string())),
            ];
            let answer = client.list("/v1/models", &query).await?;
            let header = ["model", "version", "visibility", "downloads", "figures"];
            let none = "no models; a job that succeeds publishes one: cupola jobs submit SPEC";
            out.show(&answer, || list(&answer, &header, row, none))
        }
        Command::Show { model } => show(&client, model, out).await,
        Command::Pull(Pull { model, out: folder }) => {
            let version = format!("{}/versions/{}", model.path(&client).await?, model.version);
            let version = client.get(&version).await?;
            let folder = folder.clone().unwrap_or_else(|| model.model.as_str().into());
            pull::version(&client, &version, &folder, out).await
        }
        Command::Push(Push { model, path }) => push::run(&client, model, path, out).await,
        Command::Verify(_) => unreachable!("done without a platform"),
    }
}

fn row(model: &Value) -> Vec<String> {
    vec![
        format!("{}/{}", text(model, "/tenant"), text(model, "/name")),
        plain(&model["latest_version"]),
        text(model, "/visibility").to_owned(),
        plain(&model["downloads"]),
        figures(model),
    ]
}

/// What says most in a word: on rows that were held back, before those of training.
fn figures(value: &Value) -> String {
    const SAID: [&str; 9] = [
        "val_accuracy",
        "val_auc",
        "val_f1",
        "val_r2",
        "val_mae",
        "val_perplexity",
        "val_loss",
        "accuracy",
        "loss",
    ];
    let figure =
        |name: &&str| Some(format!("{name} {}", show::decimal(value["metrics"][name].as_f64()?)));
    SAID.iter().filter_map(figure).take(3).collect::<Vec<_>>().join("  ")
}

/// JSON is the version's.
async fn show(client: &Client, name: &ModelName, out: Out) -> anyhow::Result<()> {
    let path = name.path(client).await?;
    let version = client.get(&format!("{path}/versions/{}", name.version)).await?;
    if out.is_json() {
        return show::write(&version.to_string());
    }
    let model = client.get(&path).await?;
    let versions = client.get(&format!("{path}/versions")).await?;
    let aliases = client.get(&format!("{path}/aliases")).await?;
    out.say(&describe(&model, &version, &versions, &aliases))
}

fn describe(model: &Value, version: &Value, versions: &Value, aliases: &Value) -> String {
    let name = format!("{}/{}", text(model, "/tenant"), text(model, "/name"));
    let trained =
        format!("{}:{}", text(version, "/trained_on/dataset"), version["trained_on"]["version"]);
    let trained = if version["trained_on"].is_null() { String::new() } else { trained };
    let lines = [
        ("model", format!("{name}:{}", version["version"])),
        ("says", text(model, "/description").to_owned()),
        ("state", [&show::state(text(version, "/state")), " ", text(version, "/reason")].concat()),
        ("visible", text(model, "/visibility").to_owned()),
        ("licence", text(version, "/licence").to_owned()),
        ("task", text(version, "/task").replace('_', " ")),
        ("target", text(version, "/target").to_owned()),
        ("trained on", trained),
        ("revision", text(version, "/revision").to_owned()),
    ];
    let lines = lines.iter().filter(|(_, value)| !value.trim().is_empty());
    let mut said: String =
        lines.map(|(name, value)| format!("{name:<11} {}\n", value.trim())).collect();
    for (name, value) in version["metrics"].as_object().into_iter().flatten() {
        said += &format!("{name:<24} {}\n", plain(value));
    }
    let file = |file: &Value| {
        vec![
            text(file, "/name").to_owned(),
            bytes(&file["bytes"]),
            text(file, "/sha256").to_owned(),
        ]
    };
    let files: Vec<_> = items(version, "/files").iter().map(file).collect();
    said += &table(&["file", "size", "sha256"], &files);
    let called = |number: &Value| {
        let aliases = items(aliases, "/items").iter().filter(|alias| alias["version"] == *number);
        aliases.map(|alias| format!("@{}", text(alias, "/alias"))).collect::<Vec<_>>().join(" ")
    };
    let row = |version: &Value| {
        let number = &version["version"];
        let state = show::state(text(version, "/state"));
        vec![plain(number), state, minute(&version["created_at"]), figures(version), called(number)]
    };
    let rows: Vec<_> = items(versions, "/items").iter().map(row).collect();
    said + &table(&["version", "state", "made", "figures", "called"], &rows)
}

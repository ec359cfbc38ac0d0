//! `cupola datasets`: files are pushed as they are, with a bar, and their profile is waited for.

use std::{
    fs::File,
    io::stdin,
    os::fd::AsFd,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use domain::{
    dataset::{Compression, Format},
    name::Name,
};
use indicatif::ProgressBar;
use reqwest::{Method, StatusCode, header};
use serde_json::Value;

use super::{
    Asking,
    api::Client,
    events,
    names::DatasetName,
    pieces, profile, sending,
    show::{self, Out, bytes, list, minute, plain, text},
};
use crate::train::kind_of;

#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    asking: Asking,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Sends a file as a new version, and waits for its profile.
    Push(Push),
    /// The tenant's datasets.
    List,
    /// What the columns of a version hold.
    Profile {
        /// NAME, or NAME:VERSION.
        dataset: DatasetName,
    },
}

#[derive(Args)]
struct Push {
    /// Of the dataset; one that is not there is made.
    name: Name,
    /// A .csv, .tsv, .jsonl or .txt file, also as .gz or .zst, or a .zip of images; `-` for stdin.
    file: PathBuf,
    /// csv, tsv, jsonl, text or images, where the file's name does not say it.
    #[arg(long)]
    format: Option<Format>,
}

pub async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (client, out) = arguments.asking.open()?;
    match &arguments.command {
        Command::Push(arguments) => push(&client, arguments, out).await,
        Command::List => {
            let answer = client.get("/v1/datasets").await?;
            let header = ["name", "versions", "size", "made"];
            let none = "no datasets yet; cupola datasets push NAME FILE";
            out.show(&answer, || list(&answer, &header, row, none))
        }
        Command::Profile { dataset } => {
            let version = client.get(&dataset.path()).await?;
            show_profile(&version, out)
        }
    }
}

fn row(dataset: &Value) -> Vec<String> {
    vec![
        text(dataset, "/name").to_owned(),
        plain(&dataset["versions"]),
        bytes(&dataset["bytes"]),
        minute(&dataset["created_at"]),
    ]
}

async fn push(client: &Client, arguments: &Push, out: Out) -> anyhow::Result<()> {
    let (format, compression) = kind(arguments)?;
    let path = format!("/v1/datasets/{}/versions", arguments.name);
    let path = format!("{path}?format={}&compression={}", format.as_str(), compression.as_str());
    let length = open(&arguments.file)?.1;
    let bar = show::bytes_bar(length)?;
    let send = || async {
        bar.set_position(0);
        let (file, length) = open(&arguments.file)?;
        let mut request = client
            .request(Method::POST, &path)
            .header(header::CONTENT_TYPE, "application/octet-stream");
        if let Some(length) = length {
            request = request.header(header::CONTENT_LENGTH, length);
        }
        let request = request.body(sending::body(file, &bar));
        let answer = sending::sent(client, request, &bar).await?;
        anyhow::Ok((answer.status() == StatusCode::CREATED, client.read(answer).await?))
    };
    // the same bytes are the same version, however often they come; what stdin has said is gone
    let answer = match length {
        None => send().await,
        Some(..=pieces::PIECE_BYTES) => sending::repeated(client, &bar, send).await,
        Some(_) => {
            let kind = (format, compression);
            pieces::push(client, &arguments.name, kind, &arguments.file, &bar).await
        }
    };
    bar.finish_and_clear();
    let (is_new, version) = answer?;
    if !is_new {
        out.say("these bytes were there already")?;
    }
    show_profile(&profiled(client, version).await?, out)
}

fn kind(arguments: &Push) -> anyhow::Result<(Format, Compression)> {
    match arguments.format {
        None if is_stdin(&arguments.file) => {
            bail!("stdin has no name that says what it is; add --format")
        }
        None => kind_of(&arguments.file),
        Some(format) => {
            let by_name = kind_of(&arguments.file).map(|(_, compression)| compression);
            let compression = match arguments.file.extension().and_then(|name| name.to_str()) {
                Some("gz") => Compression::Gzip,
                Some("zst") => Compression::Zstd,
                _ => by_name.unwrap_or(Compression::None),
            };
            Ok((format, compression))
        }
    }
}

fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// With its length where that is known.
fn open(path: &Path) -> anyhow::Result<(File, Option<u64>)> {
    let named = || format!("read {}", path.display());
    if is_stdin(path) {
        return Ok((File::from(stdin().as_fd().try_clone_to_owned().with_context(named)?), None));
    }
    let file = File::open(path).with_context(named)?;
    let length = file.metadata().with_context(named)?.len();
    Ok((file, Some(length)))
}

/// Once a worker has read it.
async fn profiled(client: &Client, version: Value) -> anyhow::Result<Value> {
    let (true, Some(job)) =
        (text(&version, "/profile/state") == "pending", version["profile_job"].as_str())
    else {
        return Ok(version);
    };
    let bar = ProgressBar::new_spinner()
        .with_style(show::bar_style("{spinner} a worker reads it  {elapsed}")?);
    bar.enable_steady_tick(std::time::Duration::from_millis(100));
    let followed = events::follow(client, job, |_| Ok(())).await;
    bar.finish_and_clear();
    followed?;
    let path =
        format!("/v1/datasets/{}/versions/{}", text(&version, "/dataset"), version["version"]);
    client.get(&path).await
}

/// A file that cannot be read is an error, and says where.
fn show_profile(version: &Value, out: Out) -> anyhow::Result<()> {
    match text(version, "/profile/state") {
        "invalid" => bail!(
            "{}:{} cannot be read, {}: {}. {}",
            text(version, "/dataset"),
            version["version"],
            text(version, "/profile/cause/code"),
            text(version, "/profile/cause/message"),
            text(version, "/profile/cause/remedy")
        ),
        "pending" => out.show(version, || "its profile is still being made".to_owned()),
        _ => out.show(version, || profile::describe(version)),
    }
}

//! `cupola jobs`: a specification is submitted once, whatever the connection does, and followed live.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::{Args, Subcommand};
use domain::JobId;
use indicatif::ProgressBar;
use reqwest::Method;
use serde_json::Value;

use super::{
    Asking,
    api::Client,
    sending::repeated,
    show::{self, Out, items, list, minute, plain, text},
    watch,
};

#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    asking: Asking,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Queues a training.
    Submit(Submit),
    /// Follows a job live until it has ended.
    Watch { id: JobId },
    /// The tenant's jobs, newest first.
    List(List),
    /// One job: how it stands and, while it waits, why.
    Show { id: JobId },
    /// What a job has said.
    Logs {
        id: JobId,
        /// The most lines, the last ones.
        #[arg(long)]
        limit: Option<u32>,
    },
    /// Ends a job.
    Cancel { id: JobId },
}

#[derive(Args)]
struct Submit {
    /// The specification, as YAML or JSON; `-` for stdin. `cupola init` writes one.
    spec: PathBuf,
    /// Follows it until it has ended; fails if the job does.
    #[arg(long, conflicts_with = "dry_run")]
    watch: bool,
    /// Says whether it would be accepted, when it would start and what it may cost, and queues nothing.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Args)]
struct List {
    /// queued, paused, starting, running, stopping, succeeded, failed or cancelled.
    #[arg(long)]
    status: Option<String>,
    /// train, profile, evaluate, predict or importance.
    #[arg(long)]
    kind: Option<String>,
    /// The most jobs, up to 200.
    #[arg(long)]
    limit: Option<u32>,
}

pub async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (client, out) = arguments.asking.open()?;
    match &arguments.command {
        Command::Submit(arguments) => submit(&client, arguments, out).await,
        Command::Watch { id } => {
            ended(&watch::until_the_end(&client, &id.to_string(), out).await?, out)
        }
        Command::List(arguments) => {
            let query = [
                ("status", arguments.status.clone()),
                ("kind", arguments.kind.clone()),
                ("limit", arguments.limit.map(|limit| limit.to_string())),
            ];
            let answer = client.list("/v1/jobs", &query).await?;
            let header = ["id", "name", "kind", "status", "progress", "made", ""];
            let none = "no jobs; cupola jobs submit SPEC";
            out.show(&answer, || list(&answer, &header, row, none))
        }
        Command::Show { id } => {
            let job = client.get(&format!("/v1/jobs/{id}")).await?;
            out.show(&job, || describe(&job))
        }
        Command::Logs { id, limit } => {
            let query = [("limit", limit.map(|limit| limit.to_string()))];
            let answer = client.list(&format!("/v1/jobs/{id}/logs"), &query).await?;
            let lines = || items(&answer, "/items").iter().map(|line| text(line, "/text"));
            out.show(&answer, || lines().collect::<Vec<_>>().join("\n"))
        }
        Command::Cancel { id } => {
            let path = format!("/v1/jobs/{id}/cancel");
            let job = client.post(&path, &serde_json::json!({})).await?;
            out.show(&job, || format!("{id} is {}", show::state(text(&job, "/status"))))
        }
    }
}

async fn submit(client: &Client, arguments: &Submit, out: Out) -> anyhow::Result<()> {
    let spec = read(&arguments.spec)?;
    if arguments.dry_run {
        let answer = client.post("/v1/jobs/dry-run", &spec).await?;
        return out.show(&answer, || foreseen(&answer));
    }
    let job = submitted(client, &spec).await?;
    let id = text(&job, "/id").to_owned();
    out.show(&job, || {
        let waits = text(&job, "/wait_reason/message");
        let why = if waits.is_empty() { String::new() } else { format!(": {waits}") };
        let next =
            if arguments.watch { String::new() } else { format!("\ncupola jobs watch {id}") };
        format!("{id} is {}{why}{next}", show::state(text(&job, "/status")))
    })?;
    if arguments.watch {
        ended(&watch::until_the_end(client, &id, out).await?, out)?;
    }
    Ok(())
}

/// JSON is YAML too.
fn read(path: &Path) -> anyhow::Result<Value> {
    let (name, text) = if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("read stdin")?;
        ("stdin".to_owned(), text)
    } else {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).with_context(|| format!("read {name}"))?;
        (name, text)
    };
    if path.extension().is_some_and(|extension| extension == "json") {
        return serde_json::from_str(&text).with_context(|| format!("{name} is not JSON"));
    }
    serde_saphyr::from_str(&text).with_context(|| format!("{name} is neither YAML nor JSON"))
}

/// A submission that was not answered is sent again under the same key.
async fn submitted(client: &Client, spec: &Value) -> anyhow::Result<Value> {
    let key = JobId::generate().to_string();
    repeated(client, &ProgressBar::hidden(), || {
        let request = client.request(Method::POST, "/v1/jobs").header("Idempotency-Key", &key);
        client.json(request.json(spec))
    })
    .await
}

fn ended(job: &Value, out: Out) -> anyhow::Result<()> {
    let (model, version) = (text(job, "/published/model"), &job["published"]["version"]);
    if model.is_empty() {
        return Ok(());
    }
    out.say(&format!("published as {model}:{version}; cupola models show {model}"))
}

fn row(job: &Value) -> Vec<String> {
    let note = match text(job, "/published/model") {
        "" => [text(job, "/wait_reason/message"), text(job, "/cause/message")].concat(),
        model => format!("{model}:{}", job["published"]["version"]),
    };
    vec![
        text(job, "/id").to_owned(),
        text(job, "/name").to_owned(),
        text(job, "/kind").to_owned(),
        show::state(text(job, "/status")),
        progress(job),
        minute(&job["created_at"]),
        note,
    ]
}

fn progress(job: &Value) -> String {
    match (job["progress"]["step"].as_f64(), job["progress"]["total_steps"].as_f64()) {
        (Some(step), Some(total)) if total > 0.0 => format!("{:.0} %", 100.0 * step / total),
        _ => String::new(),
    }
}

fn describe(job: &Value) -> String {
    let dataset = format!("{}:{}", text(job, "/dataset/name"), job["dataset"]["version"]);
    let mut lines = vec![
        ("id", text(job, "/id").to_owned()),
        ("name", text(job, "/name").to_owned()),
        ("status", show::state(text(job, "/status"))),
        ("waits", text(job, "/wait_reason/message").to_owned()),
        ("cause", text(job, "/cause/message").to_owned()),
        ("remedy", text(job, "/cause/remedy").to_owned()),
        ("progress", progress(job)),
        ("dataset", dataset),
        ("pool", text(job, "/pool").to_owned()),
        ("priority", plain(&job["priority"])),
        ("attempt", plain(&job["attempt"])),
        ("made", minute(&job["created_at"])),
        ("started", minute(&job["started_at"])),
        ("finished", minute(&job["finished_at"])),
    ];
    if let Some(model) = job["published"]["model"].as_str() {
        lines.push(("published", format!("{model}:{}", job["published"]["version"])));
    }
    let lines = lines.into_iter().filter(|(_, value)| !value.is_empty());
    lines.map(|(name, value)| format!("{name:<10} {value}\n")).collect()
}

/// What a dry run says.
fn foreseen(answer: &Value) -> String {
    let (refusal, reason) = (text(answer, "/refusal"), text(answer, "/reason/message"));
    if answer["accepted"] != true {
        return format!("it would be refused: {refusal}");
    }
    let starts = |at: &Value| match (at["from"].as_str(), at["until"].as_str()) {
        (Some(_), Some(_)) => {
            format!("between {} and {} UTC", minute(&at["from"]), minute(&at["until"]))
        }
        _ => "nobody can say when".to_owned(),
    };
    let mut said = format!("it would be accepted, and start {}", starts(&answer["starts"]));
    if !reason.is_empty() {
        said += &format!("\nit would wait: {reason}");
    }
    said += &format!("\nit costs at most {} credits", plain(&answer["costs_at_most"]["credits"]));
    for other in items(answer, "/sooner") {
        let (field, value) = (text(other, "/field"), &other["value"]);
        said += &format!("\nwith {field} {value} it would start {}", starts(&other["starts"]));
    }
    said
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_specification_is_read_as_yaml_and_as_json() {
        let folder = tempfile::tempdir().unwrap();
        let expected =
            json!({"dataset": "d", "epochs": 3, "model": {"units": [8, 4]}, "target": null});
        for (name, text) in [
            (
                "spec.yaml",
                "dataset: d # which\nepochs: 3\nmodel:\n  units: [8, 4]\ntarget: null\n".to_owned(),
            ),
            ("spec.json", expected.to_string()),
            ("spec", expected.to_string()),
        ] {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            assert_eq!(read(&path).unwrap(), expected, "{name}");
        }
        let path = folder.path().join("bad.yaml");
        std::fs::write(&path, "dataset: [").unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("bad.yaml is neither"));
    }

    #[test]
    fn a_dry_run_is_told_in_words() {
        let at = json!({"from": "2026-01-02T03:04:05Z", "until": "2026-01-02T03:09:05Z"});
        let answer = json!({"accepted": true, "starts": at, "costs_at_most": {"credits": 0.5},
            "reason": {"message": "no worker is free"},
            "sooner": [{"field": "resources.cpu_milli", "value": 1000, "starts": at}]});
        let said = foreseen(&answer);
        for part in [
            "start between 2026-01-02 03:04 and",
            "no worker is free",
            "0.5 credits",
            "cpu_milli 1000",
        ] {
            assert!(said.contains(part), "{part} is missing from {said}");
        }
        let refused = json!({"accepted": false, "refusal": "too large"});
        assert_eq!(foreseen(&refused), "it would be refused: too large");
    }
}

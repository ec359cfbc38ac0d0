//! Follows a job's events as they happen (SSE), with a bar for steps and a line for each epoch. A
//! stream that breaks is taken up where it ended, by `Last-Event-ID`.

use anyhow::{Context, bail};
use futures::StreamExt;
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::Method;
use serde_json::Value;

use super::client::Client;

const MAX_RECONNECTS: u32 = 30;

pub async fn until_the_end(client: &Client, job: &str) -> anyhow::Result<()> {
    let bar = ProgressBar::new(0).with_style(
        ProgressStyle::with_template("   [{bar:30}] step {pos}/{len}  {elapsed}")
            .context("the bar's template")?
            .progress_chars("=> "),
    );
    let mut last = 0;
    for _ in 0..MAX_RECONNECTS {
        let path = format!("/v1/jobs/{job}/events");
        let request = client.request(Method::GET, &path).header("Last-Event-ID", last.to_string());
        let mut stream = client.open(request).await?.bytes_stream();
        let mut buffer = String::new();
        while let Some(Ok(chunk)) = stream.next().await {
            buffer.push_str(&String::from_utf8_lossy(&chunk));
            while let Some((event, rest)) = buffer.split_once("\n\n") {
                let ended = show(event, &mut last, &bar)?;
                buffer = rest.to_owned();
                if ended {
                    return Ok(());
                }
            }
        }
    }
    bail!("the stream of events kept breaking off")
}

/// Whether it was the last one.
fn show(event: &str, last: &mut u64, bar: &ProgressBar) -> anyhow::Result<bool> {
    let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    if let Some(id) = field("id:").and_then(|id| id.parse().ok()) {
        *last = id;
    }
    let Some(kind) = field("event:") else { return Ok(false) };
    let data: Value = field("data:").map(serde_json::from_str).transpose()?.unwrap_or_default();
    match kind {
        "training" => {
            bar.set_length(data["total_steps"].as_u64().unwrap_or(0));
            say(
                bar,
                &format!(
                    "   training {} parameters in {} epochs",
                    data["parameters"], data["epochs"]
                ),
            );
        }
        "epoch" => {
            say(bar, &epoch_line(&data));
            bar.set_position(data["step"].as_u64().unwrap_or(0));
        }
        "progress" => bar.set_position(data["step"].as_u64().unwrap_or(0)),
        "succeeded" => {
            bar.finish();
            println!("   succeeded");
            return Ok(true);
        }
        "failed" | "cancelled" => bail!("the job {kind}: {data}"),
        other => say(bar, &format!("   {other}")),
    }
    Ok(false)
}

/// Above the bar, or plainly where there is no terminal to draw one on.
fn say(bar: &ProgressBar, line: &str) {
    if bar.is_hidden() {
        println!("{line}");
    } else {
        bar.println(line);
    }
}

fn epoch_line(data: &Value) -> String {
    let metric = |name: &str| {
        data["metrics"][name].as_f64().map(|v| format!("  {name} {v:.4}")).unwrap_or_default()
    };
    let names = ["loss", "accuracy", "val_loss", "val_accuracy"];
    let metrics: String = names.iter().map(|name| metric(name)).collect();
    format!("   epoch {:>2}{metrics}", data["epoch"])
}

//! `cupola usage`: what the tenant's attempts, predictions, files and downloads have taken and cost.

use clap::Args;
use serde_json::Value;

use super::{
    Asking,
    show::{bytes, decimal, items, minute, plain, table, text},
};

#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    asking: Asking,
    /// From this moment on, as 2026-11-01T00:00:00Z.
    #[arg(long)]
    from: Option<String>,
    /// Until this moment.
    #[arg(long)]
    until: Option<String>,
}

pub async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (client, out) = arguments.asking.open()?;
    let query = [("from", arguments.from.clone()), ("until", arguments.until.clone())];
    let usage = client.list("/v1/usage", &query).await?;
    out.show(&usage, || describe(&usage))
}

fn describe(usage: &Value) -> String {
    let hours = |value: &Value, per_hour: f64| decimal(value.as_f64().unwrap_or(0.0) / per_hour);
    const MS: f64 = 3_600_000.0;
    let row = |attempt: &Value| {
        vec![
            text(attempt, "/pool").to_owned(),
            text(attempt, "/outcome").to_owned(),
            plain(&attempt["attempts"]),
            hours(&attempt["cpu_ms"], MS),
            hours(&attempt["memory_mib_ms"], MS * 1_024.0),
            hours(&attempt["accelerator_ms"], MS),
            plain(&attempt["paid"]["credits"]),
        ]
    };
    let rows: Vec<_> = items(usage, "/attempts").iter().map(row).collect();
    let header = ["pool", "ended", "attempts", "CPU h", "GiB h", "accelerator h", "credits"];
    let mut said = format!("{} to {} UTC\n", minute(&usage["from"]), minute(&usage["until"]));
    if !rows.is_empty() {
        said += &table(&header, &rows);
    }
    let predictions = &usage["predictions"];
    said += &format!(
        "predictions  {} requests, {} rows\n",
        predictions["requests"], predictions["rows"]
    );
    let month = &usage["egress_this_month"];
    said += &format!(
        "downloads    {} of {} this month\n",
        bytes(&month["bytes"]),
        bytes(&month["limit"])
    );
    said += &format!("paid         {} credits\n", plain(&usage["paid"]["credits"]));
    if usage["budget"].is_object() {
        let left = &usage["budget"]["left"]["credits"];
        let left = if left.is_null() { "any".to_owned() } else { plain(left) };
        said += &format!("left         {left} credits\n");
    }
    said
}

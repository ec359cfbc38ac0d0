//! `cupola endpoints`: what answers under a stable name, and the way back to what did before.

use clap::{Args, Subcommand};
use domain::name::Name;
use serde_json::{Value, json};

use super::{
    Asking,
    show::{decimal, items, list, minute, plain, table, text},
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
    /// The tenant's endpoints.
    List,
    /// One endpoint: what its calls are shared out among, and what came of it.
    Show { endpoint: Name },
    /// Puts the split before the one in force, or a named one, in force again.
    Rollback {
        endpoint: Name,
        /// The revision to go back to.
        #[arg(long)]
        to: Option<u32>,
    },
}

pub async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (client, out) = arguments.asking.open()?;
    match &arguments.command {
        Command::List => {
            let answer = client.get("/v1/endpoints").await?;
            let header = ["name", "revision", "traffic", "changed"];
            let none = "no endpoints; PUT /v1/endpoints/NAME makes one (docs/ENDPOINTS.md)";
            out.show(&answer, || list(&answer, &header, row, none))
        }
        Command::Show { endpoint } => {
            let answer = client.get(&format!("/v1/endpoints/{endpoint}")).await?;
            out.show(&answer, || describe(&answer))
        }
        Command::Rollback { endpoint, to } => {
            let body = to.map_or(json!({}), |revision| json!({"revision": revision}));
            let answer = client.post(&format!("/v1/endpoints/{endpoint}/rollback"), &body).await?;
            out.show(&answer, || describe(&answer))
        }
    }
}

fn row(endpoint: &Value) -> Vec<String> {
    let traffic = items(endpoint, "/traffic").iter();
    let traffic = traffic.map(|target| format!("{} {} %", version(target), share(target)));
    vec![
        text(endpoint, "/name").to_owned(),
        plain(&endpoint["revision"]),
        traffic.collect::<Vec<_>>().join(", "),
        minute(&endpoint["created_at"]),
    ]
}

/// A model that is shown no more has no name here.
fn version(target: &Value) -> String {
    format!("{}:{}", target["model"].as_str().unwrap_or("(gone)"), target["version"])
}

fn share(target: &Value) -> String {
    target["percent"].as_f64().map(decimal).unwrap_or_default()
}

fn describe(endpoint: &Value) -> String {
    let (name, revision) = (text(endpoint, "/name"), &endpoint["revision"]);
    let counted = |target: &Value, kind: &str| -> Vec<String> {
        let counts = ["requests", "errors", "rows", "mean_latency_ms"];
        let counts = counts.iter().map(|count| plain(&target[*count]));
        [version(target), kind.to_owned(), share(target)].into_iter().chain(counts).collect()
    };
    let mut rows: Vec<_> =
        items(endpoint, "/traffic").iter().map(|target| counted(target, "answers")).collect();
    if endpoint["shadow"].is_object() {
        rows.push(counted(&endpoint["shadow"], "shadow"));
    }
    let header = ["version", "", "%", "requests", "errors", "rows", "mean ms"];
    format!("{name}, revision {revision}\n{}", table(&header, &rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_says_who_answers() {
        let target = |version, percent| {
            json!({"model": "acme/m", "version": version, "weight": 1, "percent": percent,
                "requests": 12, "errors": 0, "rows": 12, "mean_latency_ms": 1.5})
        };
        let mut shadow = target(3, 50);
        shadow["model"] = Value::Null;
        let endpoint = json!({"name": "shop", "revision": 4, "created_at": "2026-01-02T03:04:05Z",
            "traffic": [target(1, 90), target(2, 10)], "shadow": shadow});
        assert_eq!(row(&endpoint)[2], "acme/m:1 90 %, acme/m:2 10 %");
        let said = describe(&endpoint);
        assert!(said.contains("shop, revision 4") && said.contains("(gone):3  shadow"), "{said}");
    }
}

//! `cupola advise`: what one could train on a dataset, or what to try after a job; the specification of
//! either as a file to go on with.

use std::path::PathBuf;

use anyhow::{anyhow, bail};
use clap::Args;
use domain::JobId;
use serde_json::{Value, json};

use super::{
    Asking,
    names::DatasetName,
    show::{Out, bytes, items, plain, text},
    written,
};

#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    asking: Asking,
    /// A dataset, NAME or NAME:VERSION, or the id of a training that has ended.
    subject: String,
    /// The column to predict, of a dataset; guessed if absent.
    #[arg(long)]
    target: Option<String>,
    /// Which of the suggestions is written, of a dataset; the first if absent.
    #[arg(long, requires = "out")]
    family: Option<String>,
    /// Writes the specification, as YAML, into a new file; `-` for stdout.
    #[arg(long)]
    out: Option<PathBuf>,
}

pub async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (client, out) = arguments.asking.open()?;
    let of_job = arguments.subject.parse::<JobId>().is_ok();
    let asked = if of_job {
        if arguments.target.is_some() || arguments.family.is_some() {
            bail!("a job has its own dataset and target; leave --target and --family out");
        }
        json!({ "job": arguments.subject })
    } else {
        let named: DatasetName = arguments.subject.parse().map_err(|error| anyhow!("{error}"))?;
        json!({ "dataset": named.name, "version": named.version, "target": arguments.target })
    };
    let answer = client.post("/v1/advice", &asked).await?;
    if let Some(path) = &arguments.out {
        let (spec, why) = chosen(&answer, arguments.family.as_deref())?;
        let head = format!("{}. Every field: docs/TRAINING.md", why.trim_end_matches('.'));
        written::into(path, &written::yaml(spec, &head, &[]))?;
        if path.as_os_str() == "-" {
            return Ok(());
        }
    }
    out.show(&answer, || if of_job { run_in_words(&answer) } else { start_in_words(&answer) })?;
    next(arguments, &answer, out)
}

/// The specification that is written, and why it is this one.
fn chosen<'a>(answer: &'a Value, family: Option<&str>) -> anyhow::Result<(&'a Value, &'a str)> {
    let suggestions = items(answer, "/suggestions");
    if suggestions.is_empty() {
        let findings = items(answer, "/findings");
        let Some(next) = findings.iter().find(|one| one["change"].is_object()) else {
            bail!("there is nothing to change in this run's specification");
        };
        return Ok((&next["change"]["spec"], text(next, "/symptom")));
    }
    let is_it = |one: &&Value| family.is_none_or(|family| text(one, "/family") == family);
    let Some(one) = suggestions.iter().find(is_it) else {
        let names: Vec<_> = suggestions.iter().map(|one| text(one, "/family")).collect();
        bail!("it is not suggested; --family is one of {}", names.join(", "));
    };
    Ok((&one["spec"], text(one, "/reason")))
}

fn start_in_words(answer: &Value) -> String {
    let target = match text(answer, "/target") {
        "" => String::new(),
        target => format!(", to predict `{target}`"),
    };
    let mut said = format!("{}:{}{target}\n", text(answer, "/dataset"), answer["version"]);
    for (place, one) in items(answer, "/suggestions").iter().enumerate() {
        let seconds = one["estimate"]["seconds"].as_f64().unwrap_or(0.0);
        said += &format!(
            "{}. {}, {}: about {}, {}, {} credits\n   {}\n",
            place + 1,
            text(one, "/family"),
            text(one, "/task").replace('_', " "),
            duration(seconds),
            bytes(&one["estimate"]["memory_bytes"]),
            plain(&one["costs_about"]["credits"]),
            text(one, "/reason"),
        );
    }
    for note in items(answer, "/notes").iter().filter_map(Value::as_str) {
        said += &format!("note: {note}\n");
    }
    said
}

fn duration(seconds: f64) -> String {
    let seconds = seconds.ceil().max(1.0) as u64;
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3_600),
    }
}

fn run_in_words(answer: &Value) -> String {
    let findings = items(answer, "/findings");
    if findings.is_empty() {
        return "nothing stands out: keep it, or look for rows and columns that say more"
            .to_owned();
    }
    let mut said = String::new();
    for one in findings {
        said += &format!("{}: {}\n", text(one, "/rule").replace('_', " "), text(one, "/symptom"));
        said += &format!("  {}\n  {}\n", text(one, "/cause"), text(one, "/remedy"));
        if one["change"].is_object() {
            said += &format!("  change: {}\n", text(one, "/change/what"));
        }
    }
    said
}

/// What to type next.
fn next(arguments: &Arguments, answer: &Value, out: Out) -> anyhow::Result<()> {
    let subject = &arguments.subject;
    match &arguments.out {
        Some(path) => {
            let spec = path.display();
            out.say(&format!("{spec} has it; cupola jobs submit {spec} --watch"))
        }
        None if chosen(answer, None).is_ok() => {
            out.say(&format!("cupola advise {subject} --out spec.yaml writes the first of these"))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggestions_and_findings_are_told_in_words() {
        let start = json!({
            "dataset": "flowers", "version": 2, "target": "kind", "notes": ["look here"],
            "suggestions": [
                {"family": "mlp", "task": "binary_classification", "reason": "A table.", "spec": {"dataset": "flowers"},
                 "estimate": {"seconds": 3.2, "memory_bytes": 1 << 20}, "costs_about": {"credits": 0.25}},
                {"family": "linear", "task": "binary_classification", "reason": "Few rows.", "spec": {"seed": 1},
                 "estimate": {"seconds": 8_000.0, "memory_bytes": 2048}, "costs_about": {"credits": 0.0}},
            ],
        });
        let said = start_in_words(&start);
        for part in [
            "flowers:2, to predict `kind`",
            "1. mlp, binary classification: about 4 s, 1.00 MiB, 0.25 credits",
            "2. linear",
            "about 2 h",
            "note: look here",
        ] {
            assert!(said.contains(part), "no {part}: {said}");
        }
        assert_eq!(chosen(&start, None).unwrap().0, &json!({"dataset": "flowers"}));
        assert_eq!(chosen(&start, Some("linear")).unwrap(), (&json!({"seed": 1}), "Few rows."));
        let error = chosen(&start, Some("cnn")).unwrap_err().to_string();
        assert!(error.contains("mlp, linear"), "{error}");

        let run = json!({"findings": [
            {"rule": "leakage", "symptom": "too good", "cause": "C.", "remedy": "R.", "change": null},
            {"rule": "too_few_epochs", "symptom": "it fell", "cause": "C.", "remedy": "R.",
             "change": {"what": "more epochs", "spec": {"epochs": 9}}},
        ]});
        let said = run_in_words(&run);
        assert!(
            said.contains("too few epochs: it fell\n  C.\n  R.\n  change: more epochs"),
            "{said}"
        );
        assert_eq!(chosen(&run, None).unwrap(), (&json!({"epochs": 9}), "it fell"));
        let good = json!({"findings": []});
        assert!(run_in_words(&good).contains("nothing stands out"));
        assert!(chosen(&good, None).is_err());
    }
}

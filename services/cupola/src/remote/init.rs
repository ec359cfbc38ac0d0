//! `cupola init`: a specification to begin with, from a file alone. It is profiled here as a worker would
//! profile it, and what is suggested is what the platform would (`cupola advise`).

use std::path::{Path, PathBuf};

use ::advice::{Start, Suggestion, start};
use anyhow::{Context, anyhow};
use clap::Args;
use domain::{
    child::DATA_FILE,
    dataset::{Profile, ReadLimits},
    name::Name,
    spec::Limits,
};

use super::{
    show::{Out, write},
    written::{self, Comment},
};
use crate::train::place;

#[derive(Args)]
pub struct Arguments {
    /// A .csv, .tsv, .jsonl or .txt file, also as .gz or .zst, or a .zip of images.
    file: PathBuf,
    /// The column that is to be predicted; guessed if absent.
    #[arg(long)]
    target: Option<String>,
    /// The dataset's name, if not the file's.
    #[arg(long)]
    dataset: Option<Name>,
    /// Where it is written, `-` for stdout; beside the file, as .yaml, if absent.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Prints the specification as JSON, and writes no file.
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let name = match &arguments.dataset {
        Some(name) => name.clone(),
        None => name_of(&arguments.file)?,
    };
    let profile = look(&arguments.file)?;
    let found = start((&name, None), &profile, arguments.target.as_deref(), &Limits::default());
    let found = found.map_err(|errors| anyhow!("{errors}"))?;
    let first = &found.suggestions[0];
    if arguments.json {
        return write(&first.draft.brief().to_string());
    }
    let head = format!(
        "Made from {} by `cupola init`. Every field: docs/TRAINING.md",
        arguments.file.display()
    );
    let yaml = written::yaml(&first.draft.brief(), &head, &comments(first, &found, &profile));
    let path = arguments.out.clone().unwrap_or_else(|| arguments.file.with_extension("yaml"));
    written::into(&path, &yaml)?;
    if path == Path::new("-") {
        return Ok(());
    }
    let (data, spec) = (arguments.file.display(), path.display());
    Out::text().say(&format!(
        "{spec} is a beginning; then\n  cupola datasets push {name} {data}\n  cupola jobs submit {spec} --watch"
    ))
}

fn look(file: &Path) -> anyhow::Result<Profile> {
    let folder = tempfile::tempdir().context("a temporary folder")?;
    let link = folder.path().join(DATA_FILE);
    let data = place(file, &link)?;
    let profile = engine::profile(&link, &data, &ReadLimits::default());
    profile.with_context(|| format!("{} cannot be read", file.display()))
}

/// The file's, with what a name may not have as `-`.
fn name_of(path: &Path) -> anyhow::Result<Name> {
    let file = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let stem = file.trim_end_matches(".gz").trim_end_matches(".zst");
    let stem = stem.rsplit_once('.').map_or(stem, |(stem, _)| stem);
    let good = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let name: String = stem.chars().map(good).take(Name::MAX_CHARS).collect();
    let name = name.trim_start_matches(['-', '_', '.']);
    name.parse().context("the file's name makes no dataset's; give one with --dataset")
}

fn comments(first: &Suggestion, found: &Start, profile: &Profile) -> Vec<Comment> {
    let others = found.suggestions[1..].iter();
    let others: Vec<_> =
        others.map(|one| serde_json::json!(one.family).to_string().replace('"', "")).collect();
    let or = if others.is_empty() { String::new() } else { format!(" Or {}.", others.join(", ")) };
    let target = found.target.as_deref().and_then(|name| profile.column(name));
    let classes = target.and_then(|column| column.values.as_ref()).map(|values| {
        let mut shown: Vec<_> = values.iter().take(5).map(|value| value.value.as_str()).collect();
        shown.sort_unstable();
        let more = if values.len() > shown.len() { ", …" } else { "" };
        format!("classes: {}{more}", shown.join(", "))
    });
    let learns_classes = serde_json::json!(first.task).to_string().contains("classification");
    vec![
        ("target", classes.filter(|_| learns_classes).unwrap_or_default()),
        ("drop", found.notes.join("; ")),
        ("model", format!("{}{or}", first.reason)),
        ("validation", "rows that it is judged by".to_owned()),
        ("seed", "the same seed gives the same model".to_owned()),
        ("registered_model_name", "where it is published".to_owned()),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn drafted(csv: &str, target: Option<&str>) -> anyhow::Result<Value> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("My Data.csv");
        std::fs::write(&file, csv).unwrap();
        let out = folder.path().join("spec.yaml");
        let (target, dataset) = (target.map(str::to_owned), None);
        run(&Arguments { file, target, dataset, out: Some(out.clone()), json: false })?;
        // as it is read when it is submitted
        Ok(serde_saphyr::from_str(&std::fs::read_to_string(out).unwrap()).unwrap())
    }

    fn customers() -> String {
        let mut csv = "customer_id,plan,price,note,left\n".to_owned();
        for i in 0..150 {
            let note = format!("the customer called {i} times and was told to wait");
            csv += &format!(
                "{i},{},{}.5,{note},{}\n",
                ["a", "b"][i % 2],
                i % 9,
                ["yes", "no"][i % 3 / 2]
            );
        }
        csv
    }

    #[test]
    fn a_table_is_learnt_from_without_what_teaches_nothing() {
        let spec = drafted(&customers(), Some("left")).unwrap();
        assert_eq!((&spec["dataset"], &spec["target"]), (&json!("my-data"), &json!("left")));
        assert_eq!(spec["drop"], json!(["customer_id", "note"]));
        assert_eq!(spec["model"]["family"], "mlp");
        assert_eq!(drafted(&customers(), None).unwrap()["target"], "left");
    }

    #[test]
    fn a_target_that_is_not_there_names_those_that_are() {
        let error = drafted("a,b\n1,2\n2,3\n", Some("c")).unwrap_err().to_string();
        assert!(error.contains("no column `c`; its columns are a, b"), "{error}");
        assert!(
            format!("{:#}", drafted("a,b\n1\n", Some("a")).unwrap_err()).contains("header has 2")
        );
    }

    #[test]
    fn a_compressed_file_gives_its_name_too() {
        for file in ["x/My Data.csv", "My Data.csv.gz", "my data.jsonl.zst"] {
            assert_eq!(name_of(Path::new(file)).unwrap().as_str(), "my-data");
        }
    }
}

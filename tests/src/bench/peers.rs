//! The peers: Python scripts in an environment of their own, each run with the settings that are its
//! best on this machine.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use serde_json::{Map, Value, json};

use super::child::{Ran, run};

/// Names the environment with what `requirements.txt` lists.
const PEERS_VARIABLE: &str = "CUPOLA_PEERS";
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/peers");

/// Names of what can be set and values; `{"threads": 2}`.
pub type Settings = Map<String, Value>;

/// What is tried.
#[derive(Clone)]
pub struct Choices {
    pub all: Vec<Settings>,
    /// Tried with the best of these alone, for it takes long.
    pub on_top: Option<&'static str>,
}

pub struct Peers {
    python: PathBuf,
    /// Best settings that were found before.
    kept: PathBuf,
    fresh: bool,
    /// Of packages.
    requirements: String,
}

impl Peers {
    pub fn open(fresh: bool) -> anyhow::Result<Self> {
        let Some(folder) = env::var_os(PEERS_VARIABLE).map(PathBuf::from) else {
            bail!("{PEERS_VARIABLE} must name the environment that `make peers` makes");
        };
        let python = folder.join("bin/python");
        ensure!(python.exists(), "there is no {}; run `make peers`", python.display());
        let kept = folder.with_file_name("peers-settings.json");
        let requirements = fs::read_to_string(Path::new(SCRIPTS).join("requirements.txt"))
            .context("read requirements.txt")?;
        Ok(Self { python, kept, fresh, requirements })
    }

    pub fn version(&self, package: &str) -> &str {
        let version = |line: &'_ str| -> Option<usize> {
            (line.split_once("==")?.0 == package).then_some(package.len() + 2)
        };
        let mut lines = self.requirements.lines();
        lines.find_map(|line| Some(&line[version(line)?..])).unwrap_or("unknown")
    }

    /// Runs a script, which is told by JSON and answers with lines of JSON.
    pub fn ask(&self, script: &str, asked: &Value, limit: Duration) -> anyhow::Result<Answer> {
        let mut command = Command::new(&self.python);
        command.arg("-B").arg(Path::new(SCRIPTS).join(script)).arg(asked.to_string());
        let ran = run(&mut command, limit, &mut |_| {}).with_context(|| script.to_owned())?;
        let said = ran.lines.iter().filter(|line| line.starts_with('{'));
        let said: Result<Vec<Value>, _> = said.map(|line| serde_json::from_str(line)).collect();
        Ok(Answer { said: said.with_context(|| script.to_owned())?, ran })
    }

    /// The settings with the highest figure, then that with what may still be added; tried only once
    /// on a machine with the same versions.
    pub fn best(
        &self,
        what: &str,
        machine: &str,
        choices: Choices,
        figure: &dyn Fn(&Settings) -> anyhow::Result<f64>,
    ) -> anyhow::Result<Settings> {
        let requirements = self.requirements.split_whitespace().collect::<Vec<_>>().join(" ");
        let key = format!("{what}; {machine}; {requirements}");
        let kept = fs::read(&self.kept).unwrap_or_default();
        let mut kept: Map<String, Value> = serde_json::from_slice(&kept).unwrap_or_default();
        if let (false, Some(Value::Object(found))) = (self.fresh, kept.get(&key)) {
            return Ok(found.clone());
        }
        let found = best_of(choices, &|settings| {
            let figure = figure(settings);
            let shown = figure.as_ref().map_or_else(|e| format!("{e:#}"), |f| format!("{f:.1}"));
            eprintln!("    {what} with {}: {shown}", shown_settings(settings));
            figure
        });
        let found = found.with_context(|| format!("{what} works with none of its settings"))?;
        kept.insert(key, json!(found));
        fs::write(&self.kept, serde_json::to_vec_pretty(&kept)?)
            .with_context(|| format!("write {}", self.kept.display()))?;
        Ok(found)
    }
}

pub struct Answer {
    pub said: Vec<Value>,
    pub ran: Ran,
}

impl Answer {
    /// The numbers that were said under a name, in order.
    pub fn numbers(&self, name: &str) -> Vec<f64> {
        self.said.iter().filter_map(|line| line[name].as_f64()).collect()
    }
}

/// Those that fail are no choice.
fn best_of(
    choices: Choices,
    figure: &dyn Fn(&Settings) -> anyhow::Result<f64>,
) -> Option<Settings> {
    let better = |best: Option<(f64, Settings)>, settings: Settings| {
        let found = figure(&settings).ok();
        match (found, best) {
            (Some(found), None) => Some((found, settings)),
            (Some(found), Some((highest, _))) if found > highest => Some((found, settings)),
            (_, best) => best,
        }
    };
    let mut best = choices.all.into_iter().fold(None, better);
    if let (Some(name), Some((_, mut settings))) = (choices.on_top, best.clone()) {
        settings.insert(name.to_owned(), Value::Bool(true));
        best = better(best, settings);
    }
    best.map(|(_, settings)| settings)
}

/// Every combination of the values of each name.
pub fn combinations(values: &[(&str, &[Value])]) -> Vec<Settings> {
    let mut all = vec![Settings::new()];
    for (name, values) in values {
        let with = |settings: &Settings| {
            let settings = settings.clone();
            let one = move |value: &Value| {
                let mut settings = settings.clone();
                settings.insert((*name).to_owned(), value.clone());
                settings
            };
            values.iter().map(one).collect::<Vec<_>>()
        };
        all = all.iter().flat_map(with).collect();
    }
    all
}

/// `fused, threads 2`: what is off is left out.
pub fn shown_settings(settings: &Settings) -> String {
    let shown = |(name, value): (&String, &Value)| match value {
        Value::Bool(false) => None,
        Value::Bool(true) => Some(name.clone()),
        value => Some(format!("{name} {value}")),
    };
    settings.iter().filter_map(shown).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_of_settings_is_tried_and_the_best_taken() {
        let values = [json!(1), json!(2)];
        let all = combinations(&[("threads", &values), ("fused", &[json!(false), json!(true)])]);
        let shown: Vec<_> = all.iter().map(shown_settings).collect();
        assert_eq!(shown, ["threads 1", "fused, threads 1", "threads 2", "fused, threads 2"]);
        let figure = |settings: &Settings| match settings["threads"].as_f64() {
            Some(1.0) => {
                Ok(settings.values().filter(|value| **value == json!(true)).count() as f64)
            }
            _ => bail!("does not run"),
        };
        let best = |on_top| best_of(Choices { all: all.clone(), on_top }, &figure);
        let shown = |best: Option<Settings>| best.as_ref().map(shown_settings);
        assert_eq!(shown(best(None)).as_deref(), Some("fused, threads 1"));
        assert_eq!(shown(best(Some("compile"))).as_deref(), Some("compile, fused, threads 1"));
        let choices = Choices { all, on_top: Some("compile") };
        assert!(best_of(choices, &|_| bail!("does not run")).is_none());
    }

    #[test]
    fn versions_are_those_that_are_required() {
        let requirements = "torch==2.1\nkeras==3.0\n".to_owned();
        let [python, kept] = ["python", "kept"].map(PathBuf::from);
        let peers = Peers { python, kept, fresh: false, requirements };
        assert_eq!([peers.version("keras"), peers.version("torch")], ["3.0", "2.1"]);
        assert_eq!(peers.version("ker"), "unknown");
    }
}

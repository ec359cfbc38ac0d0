//! Rows a second that each side learns from, of the same network.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, ensure};
use e2e::bench::{self, Choices, Peers, Reference, Settings, Training};
use serde_json::{Value, json};

/// Of one process of a peer.
const LIMIT: Duration = Duration::from_secs(300);
/// Of one trial; some settings take minutes to compile.
const TRIAL_LIMIT: Duration = Duration::from_secs(60);
/// An epoch that is not counted, and two that are.
const TRIAL_EPOCHS: u64 = 3;

/// What a run showed.
pub struct Rate {
    pub parameters: u64,
    /// Rows a second.
    pub figure: f64,
}

/// Until an epoch's end from the end of the one before, so that all of it counts.
pub fn ours(row: &Reference, binary: &Path, data: &Path) -> anyhow::Result<Rate> {
    let folder = tempfile::tempdir().context("make a temporary folder")?;
    let folder = folder.path();
    let training = Training { binary, spec: &row.spec, data, test: None, folder };
    training.run(&mut |_| {})?;
    let history = fs::read_to_string(folder.join("out/history.jsonl")).context("read history")?;
    let parameters = bench::parameters(&training.config()?)?;
    let figure = of_ends(row.rows, &ends(&history)?)?;
    Ok(Rate { parameters, figure })
}

/// Seconds since the start at which epochs ended.
fn ends(history: &str) -> anyhow::Result<Vec<f64>> {
    let end = |line: &str| {
        let line: Value = serde_json::from_str(line)?;
        line["seconds"].as_f64().context("an epoch without its seconds")
    };
    history.lines().map(end).collect()
}

/// Over all epochs but the first.
fn of_ends(rows: usize, ends: &[f64]) -> anyhow::Result<f64> {
    let (Some(first), Some(last)) = (ends.first(), ends.last()) else {
        anyhow::bail!("no epoch came to its end");
    };
    ensure!(ends.len() > 1, "one epoch alone tells no rate");
    Ok((rows * (ends.len() - 1)) as f64 / (last - first))
}

/// Of the fastest epoch but the first: what disturbs one trial must not decide between settings.
fn fastest(rows: usize, ends: &[f64]) -> anyhow::Result<f64> {
    let seconds = ends.windows(2).map(|ends| ends[1] - ends[0]).reduce(f64::min);
    Ok(rows as f64 / seconds.context("one epoch alone tells no rate")?)
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    Torch,
    Keras,
}

impl Peer {
    pub const ALL: [Self; 2] = [Self::Torch, Self::Keras];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Torch => "PyTorch",
            Self::Keras => "Keras",
        }
    }

    /// Its script for a kind of run.
    pub fn script(self, run: &str) -> String {
        let peer = if self == Self::Torch { "torch" } else { "keras" };
        format!("{peer}_{run}.py")
    }

    /// What is tried to find its best.
    fn choices(self, model: &str, cores: usize) -> Choices {
        let both = [json!(false), json!(true)];
        let mut threads = vec![json!(1), json!(cores)];
        threads.dedup();
        match self {
            Self::Torch => {
                // how images lie in memory
                let layouts = if model == "cnn" { &both[..] } else { &both[..1] };
                let all = bench::combinations(&[
                    ("threads", &threads),
                    ("fused", &both),
                    ("channels_last", layouts),
                ]);
                Choices { all, on_top: Some("compile") }
            }
            Self::Keras => {
                let all = bench::combinations(&[
                    ("threads", &threads),
                    ("steps_per_execution", &[json!(1), json!(32)]),
                    ("jit_compile", &both),
                ]);
                Choices { all, on_top: None }
            }
        }
    }

    pub fn rate(self, peers: &Peers, row: &Reference, settings: &Settings) -> anyhow::Result<Rate> {
        let (parameters, ends) = self.train(peers, row, settings, row.epochs(), LIMIT)?;
        Ok(Rate { parameters, figure: of_ends(row.peer_rows, &ends)? })
    }

    /// Its parameters, and the seconds at which epochs ended.
    fn train(
        self,
        peers: &Peers,
        row: &Reference,
        settings: &Settings,
        epochs: u64,
        limit: Duration,
    ) -> anyhow::Result<(u64, Vec<f64>)> {
        let asked = json!({
            "model": row.name, "rows": row.peer_rows, "batch": row.spec["batch_size"],
            "epochs": epochs, "settings": settings,
        });
        let answer = peers.ask(&self.script("train"), &asked, limit)?;
        let parameters = answer.numbers("parameters");
        let parameters = parameters.first().context("it did not count its parameters")?;
        let mut end = 0.0;
        let seconds = answer.numbers("seconds").into_iter();
        let ends = seconds.map(|seconds| (end += seconds, end).1).collect();
        Ok((*parameters as u64, ends))
    }

    /// Its best settings for a model.
    pub fn settings(
        self,
        peers: &Peers,
        row: &Reference,
        machine: &bench::Machine,
    ) -> anyhow::Result<Settings> {
        let what = format!("{} {}", self.name(), row.name);
        let choices = self.choices(&row.name, machine.cores);
        peers.best(&what, &machine.about, choices, &|settings| {
            let (_, ends) = self.train(peers, row, settings, TRIAL_EPOCHS, TRIAL_LIMIT)?;
            fastest(row.peer_rows, &ends)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_epoch_is_not_counted() {
        let line = |seconds: f64| json!({"epoch": 1, "seconds": seconds}).to_string();
        let history = [line(5.0), line(6.0), line(7.0)].join("\n");
        assert_eq!(of_ends(100, &ends(&history).unwrap()).unwrap(), 100.0);
        assert!(ends(r#"{"epoch": 1}"#).is_err());
        assert!(of_ends(100, &[5.0]).is_err() && of_ends(100, &[]).is_err());
        assert_eq!(fastest(100, &[9.0, 11.0, 12.0, 20.0]).unwrap(), 100.0);
        assert!(fastest(100, &[5.0]).is_err());
    }

    #[test]
    fn settings_are_tried_in_all_combinations() {
        assert_eq!(Peer::Torch.choices("mlp", 2).all.len(), 4);
        assert_eq!(Peer::Torch.choices("cnn", 2).all.len(), 8);
        assert_eq!(Peer::Keras.choices("mlp", 1).all.len(), 4);
    }
}

//! Whole runs: from the file to a model that has been judged, a process each.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, ensure};
use e2e::bench::{self, Data, Peers, Settings, TookLonger, Training};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::rate::Peer;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/whole");
const LIMIT: Duration = Duration::from_secs(3_600);
/// Times the faster peer's seconds.
const SLOW: f64 = 1.5;
/// Times our seconds: a peer that takes longer is ended then, and is not the faster one.
const CUT_OFF_AFTER: f64 = 4.0;
const LEAST_LIMIT: Duration = Duration::from_secs(60);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Whole {
    /// Its file's; the peers' scripts are named by it.
    #[serde(skip)]
    pub name: String,
    pub note: String,
    /// Of the faster peer's time, how many times as fast.
    pub asked: f64,
    /// Of the faster peer's memory, how many times less.
    pub asked_memory: f64,
    /// The reference model whose best settings the peers have here too.
    pub settings_of: String,
    pub data: Data,
    /// What the peers' scripts read: the same file, or the folder of the same files.
    pub peer_data: String,
    /// The accuracy on the test set, or else on what is held back, that a run must reach.
    pub reach: Option<f64>,
    /// As it would be submitted; without `dataset`.
    pub spec: Value,
}

pub fn load() -> anyhow::Result<Vec<Whole>> {
    let rows = bench::load(Path::new(FOLDER))?.into_iter();
    Ok(rows.map(|(name, row)| Whole { name, ..row }).collect())
}

/// What a run took and came to.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub seconds: f64,
    pub peak_bytes: f64,
    pub accuracy: f64,
    /// None: it was ended before its end, after so many seconds.
    pub epochs: Option<usize>,
}

/// How long a peer may take where ours took so long.
pub fn limit(ours: f64) -> Duration {
    Duration::from_secs_f64((CUT_OFF_AFTER * ours).min(LIMIT.as_secs_f64())).max(LEAST_LIMIT)
}

/// A peer that took half as long again as the other the first time is not compared with: once of it
/// is enough.
pub fn goes_on(so_far: &[Vec<Outcome>], side: usize) -> bool {
    let first = |side: &Vec<Outcome>| side.first().map(|outcome| outcome.seconds);
    let peers = so_far.iter().skip(1).filter_map(first);
    match (peers.reduce(f64::min), so_far.get(side).and_then(first)) {
        (Some(fastest), Some(took)) if side > 0 => took < SLOW * fastest,
        _ => true,
    }
}

impl Whole {
    pub fn ours(&self, binary: &Path, data: &Path) -> anyhow::Result<Outcome> {
        let folder = tempfile::tempdir().context("make a temporary folder")?;
        let folder = folder.path();
        let data = self.data.place(data, folder)?;
        let training = Training { binary, spec: &self.spec, data: &data, test: None, folder };
        let ran = training.run(&mut |_| {})?;
        let history = fs::read_to_string(folder.join("out/history.jsonl")).context("history")?;
        let metrics = &training.config()?["metrics"];
        let accuracy = ["test_accuracy", "val_accuracy"].iter().find_map(|n| metrics[n].as_f64());
        let accuracy = accuracy.context("the model was not judged")?;
        self.outcome(&ran, accuracy, history.lines().count())
    }

    pub fn theirs(
        &self,
        peer: Peer,
        peers: &Peers,
        data: &Path,
        settings: &Settings,
        limit: Duration,
    ) -> anyhow::Result<Outcome> {
        let spec = &self.spec;
        let asked = json!({
            "data": data.join(&self.peer_data), "batch": spec["batch_size"],
            "epochs": spec["epochs"], "learning_rate": spec["optimizer"]["learning_rate"],
            "reach": self.reach, "settings": settings,
        });
        let answer = match peers.ask(&peer.script(&self.name), &asked, limit) {
            Err(error) => return cut_off(error),
            Ok(answer) => answer,
        };
        let accuracies = answer.numbers("accuracy");
        let last = *accuracies.last().context("it judged nothing")?;
        self.outcome(&answer.ran, last, accuracies.len())
    }

    fn outcome(&self, ran: &bench::Ran, accuracy: f64, epochs: usize) -> anyhow::Result<Outcome> {
        let reach = self.reach.unwrap_or(0.0);
        ensure!(accuracy >= reach, "it reached {accuracy} and not {reach}");
        let peak_bytes = ran.peak_bytes.map_or(f64::NAN, |bytes| bytes as f64);
        Ok(Outcome { seconds: ran.seconds, peak_bytes, accuracy, epochs: Some(epochs) })
    }
}

fn cut_off(error: anyhow::Error) -> anyhow::Result<Outcome> {
    let Some(ended) = error.downcast_ref::<TookLonger>() else { return Err(error) };
    let peak_bytes = ended.peak_bytes.map_or(f64::NAN, |bytes| bytes as f64);
    let seconds = ended.limit.as_secs_f64();
    Ok(Outcome { seconds, peak_bytes, accuracy: f64::NAN, epochs: None })
}

#[cfg(test)]
mod tests {
    use domain::spec::TrainingDraft;

    use super::*;

    #[test]
    fn every_row_is_a_specification_with_a_seed() {
        let references = bench::references().unwrap();
        let rows = load().unwrap();
        let names: Vec<_> = rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["imdb", "mnist"]);
        for row in rows {
            assert!(references.iter().any(|r| r.name == row.settings_of), "{}", row.name);
            let mut spec = row.spec.clone();
            spec["dataset"] = json!("local");
            let draft: Result<TrainingDraft, _> = serde_json::from_value(spec);
            assert!(draft.is_ok(), "{}: {draft:?}", row.name);
            assert_eq!(row.spec["seed"], 42, "{}", row.name);
        }
    }

    #[test]
    fn the_reviews_are_learned_as_where_quality_is_looked_at() {
        let quality = include_str!("../../bench/quality/imdb-bidirectional-lstm.json");
        let quality: Value = serde_json::from_str(quality).unwrap();
        assert_eq!(load().unwrap()[0].spec, quality["spec"]);
    }

    #[test]
    fn a_much_slower_peer_is_measured_once() {
        let outcome =
            |seconds| Outcome { seconds, peak_bytes: 1.0, accuracy: 1.0, epochs: Some(1) };
        let mut so_far = vec![vec![], vec![], vec![]];
        assert!((0..3).all(|side| goes_on(&so_far, side)));
        for (side, seconds) in [(0, 100.0), (1, 20.0), (2, 31.0)] {
            so_far[side].push(outcome(seconds));
        }
        assert_eq!([0, 1, 2].map(|side| goes_on(&so_far, side)), [true, true, false]);
        so_far[2][0] = outcome(29.0);
        assert!(goes_on(&so_far, 2));
    }

    #[test]
    fn a_peer_that_takes_too_long_is_ended_and_counts_as_slower() {
        assert_eq!(limit(100.0), Duration::from_secs(400));
        assert_eq!(limit(1.0), LEAST_LIMIT);
        let mut command = std::process::Command::new("sh");
        let command = command.args(["-c", "exec cat /dev/zero"]);
        let ended = bench::run(command, Duration::ZERO, &mut |_| {}).err().unwrap();
        let outcome = cut_off(ended.context("a script")).unwrap();
        assert_eq!((outcome.seconds, outcome.epochs), (0.0, None));
        assert!(cut_off(anyhow::anyhow!("it failed")).is_err());
    }

    #[test]
    fn a_run_must_reach_what_is_asked() {
        let row = load().unwrap().pop().unwrap();
        let ran = bench::Ran { lines: vec![], seconds: 1.0, peak_bytes: Some(2) };
        assert!(row.outcome(&ran, 0.989, 3).is_err());
        assert_eq!(row.outcome(&ran, 0.99, 3).unwrap().peak_bytes, 2.0);
    }
}

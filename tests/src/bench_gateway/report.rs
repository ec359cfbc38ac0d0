//! The tables of figures.

use e2e::bench::{Answered, Section, Spread, ratio};

/// Of the bare handler's requests.
const ASKED: f64 = 0.8;
/// MLflow's 99th percentile, by ours.
const ASKED_P99: f64 = 1.0;
/// Of the throughput without encryption.
const ASKED_UPLOAD: f64 = 0.9;

pub struct Read {
    pub connections: usize,
    /// Of ours, the bare handler and MLflow, by repetition.
    pub sides: Vec<Vec<Answered>>,
}

impl Read {
    /// Higher is better.
    fn figures(&self, of: fn(&Answered) -> f64) -> Vec<Vec<f64>> {
        self.sides.iter().map(|side| side.iter().map(of).collect()).collect()
    }

    fn of_bare(&self) -> Spread {
        ratio(&self.figures(|a| a.per_second), 1)
    }

    fn soonness(&self) -> Spread {
        ratio(&self.figures(|a| 1.0 / a.p99), 2)
    }

    pub fn ok(&self) -> bool {
        self.of_bare().median >= ASKED && self.soonness().median >= ASKED_P99
    }

    fn line(&self, measured: &str) -> Vec<String> {
        let shown = |figures: Vec<Vec<f64>>| {
            figures.iter().map(|side| Spread::of(side).to_string()).collect::<Vec<_>>()
        };
        let mut line = vec![format!("read-{}", self.connections)];
        line.extend(shown(self.figures(|a| a.per_second)));
        line.extend([self.of_bare().to_string(), format!("{ASKED:.2}")]);
        line.extend(shown(self.figures(|a| a.p99 * 1e3)));
        line.extend([self.soonness().to_string(), format!("{ASKED_P99:.2}"), measured.to_owned()]);
        line
    }
}

pub fn reads(about: &str, results: &[Read], measured: &str) -> Section {
    let header = [
        "row",
        "ours, requests/s",
        "bare handler",
        "MLflow",
        "ratio to the bare handler",
        "asked",
        "ours, p99 in ms",
        "bare handler",
        "MLflow",
        "MLflow's p99 by ours",
        "asked",
        "measured",
    ];
    Section {
        name: "bench-gateway-read",
        about: about.to_owned(),
        header: header.map(str::to_owned).to_vec(),
        lines: results.iter().map(|result| result.line(measured)).collect(),
    }
}

pub struct Upload {
    /// MiB a second, encrypted and not, by repetition.
    pub sides: Vec<Vec<f64>>,
}

impl Upload {
    fn ratio(&self) -> Spread {
        ratio(&self.sides, 1)
    }

    pub fn ok(&self) -> bool {
        self.ratio().median >= ASKED_UPLOAD
    }
}

pub fn upload(about: &str, result: &Upload, measured: &str) -> Section {
    let header = ["row", "encrypted, MiB/s", "as it is", "ratio", "asked", "measured"];
    let mut line = vec!["upload".to_owned()];
    line.extend(result.sides.iter().map(|side| Spread::of(side).to_string()));
    line.extend([result.ratio().to_string(), format!("{ASKED_UPLOAD:.2}"), measured.to_owned()]);
    Section {
        name: "bench-gateway-upload",
        about: about.to_owned(),
        header: header.map(str::to_owned).to_vec(),
        lines: vec![line],
    }
}

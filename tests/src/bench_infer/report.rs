//! The table of latencies beside those of the peers.

use e2e::bench::{Section, Settings, Spread, ratio, shown_settings};

use crate::{Bench, latency::Latency};

const HEADER: [&str; 10] = [
    "row",
    "ours p50, µs",
    "p99",
    "onnxruntime p50",
    "p99",
    "PyTorch p50",
    "ratio to onnxruntime",
    "asked",
    "onnxruntime with",
    "measured",
];
/// As soon as onnxruntime.
const ASKED: f64 = 1.0;

pub struct Result {
    pub name: String,
    /// Of ours, onnxruntime and PyTorch, by repetition.
    pub latencies: Vec<Vec<Latency>>,
    pub settings: Settings,
}

impl Result {
    /// How many times as soon as onnxruntime, by the middle of each repetition.
    fn ratio(&self) -> Spread {
        let answers = |side: &Vec<Latency>| side.iter().map(|l| 1e6 / l.p50).collect();
        ratio(&self.latencies.iter().map(answers).collect::<Vec<_>>(), 1)
    }

    pub fn ok(&self) -> bool {
        self.ratio().median >= ASKED
    }

    fn line(&self, measured: &str) -> Vec<String> {
        let spread = |side: usize, of: fn(&Latency) -> f64| {
            Spread::of(&self.latencies[side].iter().map(of).collect::<Vec<_>>()).to_string()
        };
        vec![
            self.name.clone(),
            spread(0, |l| l.p50),
            spread(0, |l| l.p99),
            spread(1, |l| l.p50),
            spread(1, |l| l.p99),
            spread(2, |l| l.p50),
            self.ratio().to_string(),
            format!("{ASKED:.2}"),
            shown_settings(&self.settings),
            measured.to_owned(),
        ]
    }
}

pub fn section(results: &[Result], bench: &Bench, today: &str) -> Section {
    let version = |package| format!("{package} {}", bench.peers.version(package));
    let versions = ["onnxruntime", "torch"].map(version).join(", ");
    Section {
        name: "bench-infer",
        about: format!("{}; {}, {versions}.", bench.machine.about, bench.machine.ours),
        header: HEADER.map(str::to_owned).to_vec(),
        lines: results
            .iter()
            .map(|r| r.line(&bench.quiet.said(today, bench.repetitions)))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_that_of_the_middles() {
        let side = |p50: f64| vec![Latency { p50, p99: 2.0 * p50 }];
        let latencies = vec![side(5.0), side(10.0), side(40.0)];
        let settings = Settings::from_iter([("threads".to_owned(), 1.into())]);
        let result = Result { name: "a-1".into(), latencies, settings };
        assert!(result.ok());
        let line = result.line("today");
        assert_eq!(line[1..3], ["5.00 (5.00..5.00)", "10.0 (10.0..10.0)"]);
        assert_eq!(line[6..], ["2.00 (2.00..2.00)", "1.00", "threads 1", "today"]);
    }
}

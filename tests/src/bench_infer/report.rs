//! The table of latencies beside those of the peers.

use e2e::bench::{Section, Settings, Spread, ratio, shown_settings};

use crate::{
    Bench,
    latency::{Latencies, Latency},
};

const HEADER: [&str; 13] = [
    "row",
    "ours p50, µs",
    "p99",
    "onnxruntime p50",
    "p99",
    "PyTorch p50",
    "ratio to onnxruntime",
    "ours from rows p50",
    "onnxruntime from rows p50",
    "ratio",
    "asked",
    "onnxruntime with",
    "measured",
];
/// As soon as onnxruntime.
const ASKED: f64 = 1.0;

pub struct Result {
    pub name: String,
    /// Of ours and onnxruntime, by repetition.
    pub latencies: Vec<Vec<Latencies>>,
    /// For information, once.
    pub torch: Latency,
    pub settings: Settings,
}

impl Result {
    /// How many times as soon as onnxruntime, by the middle of each repetition.
    fn ratio(&self, of: fn(&Latencies) -> Latency) -> Spread {
        let answers = |side: &Vec<Latencies>| side.iter().map(|l| 1e6 / of(l).p50).collect();
        ratio(&self.latencies.iter().map(answers).collect::<Vec<_>>(), 1)
    }

    pub fn ok(&self) -> bool {
        self.ratio(|l| l.numbers).median >= ASKED && self.ratio(|l| l.rows).median >= ASKED
    }

    fn line(&self, measured: &str) -> Vec<String> {
        let spread = |side: usize, of: fn(&Latencies) -> f64| {
            Spread::of(&self.latencies[side].iter().map(of).collect::<Vec<_>>()).to_string()
        };
        vec![
            self.name.clone(),
            spread(0, |l| l.numbers.p50),
            spread(0, |l| l.numbers.p99),
            spread(1, |l| l.numbers.p50),
            spread(1, |l| l.numbers.p99),
            format!("{:.1}", self.torch.p50),
            self.ratio(|l| l.numbers).to_string(),
            spread(0, |l| l.rows.p50),
            spread(1, |l| l.rows.p50),
            self.ratio(|l| l.rows).to_string(),
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
        let latency = |p50: f64| Latency { p50, p99: 2.0 * p50 };
        let side =
            |numbers, rows| vec![Latencies { numbers: latency(numbers), rows: latency(rows) }];
        let settings = Settings::from_iter([("threads".to_owned(), 1.into())]);
        let result = |ours, from_rows| Result {
            name: "a-1".into(),
            latencies: vec![side(ours, from_rows), side(10.0, 30.0)],
            torch: latency(40.0),
            settings: settings.clone(),
        };
        assert!(result(5.0, 6.0).ok() && !result(11.0, 6.0).ok() && !result(5.0, 31.0).ok());
        let line = result(5.0, 6.0).line("today");
        assert_eq!(line[1..3], ["5.00 (5.00..5.00)", "10.0 (10.0..10.0)"]);
        assert_eq!(line[5..7], ["40.0", "2.00 (2.00..2.00)"]);
        assert_eq!(line[9..], ["5.00 (5.00..5.00)", "1.00", "threads 1", "today"]);
    }
}

//! The table of rates beside those of the peers.

use e2e::bench::{self, Reference, Section, Settings, best_peer, ratio, shown_settings};

use crate::{Bench, rate::Peer};

const HEADER: [&str; 10] = [
    "row",
    "ours, rows/s",
    "PyTorch",
    "Keras",
    "ratio",
    "asked",
    "parameters",
    "PyTorch with",
    "Keras with",
    "measured",
];

pub struct Result<'a> {
    pub row: &'a Reference,
    pub parameters: u64,
    /// Rows a second of ours and of each peer, by repetition.
    pub figures: Vec<Vec<f64>>,
    pub settings: [Settings; 2],
}

impl Result<'_> {
    /// To the faster peer's rate, in pairs.
    fn ratio(&self) -> bench::Spread {
        ratio(&self.figures, best_peer(&self.figures))
    }

    pub fn ok(&self) -> bool {
        self.ratio().median >= self.row.asked
    }

    fn line(&self, measured: &str) -> Vec<String> {
        let mut line = vec![self.row.name.clone()];
        line.extend(self.figures.iter().map(|rates| bench::Spread::of(rates).to_string()));
        let peer = Peer::ALL[best_peer(&self.figures) - 1].name();
        line.push(format!("{} of {peer}", self.ratio()));
        line.push(format!("{:.2}", self.row.asked));
        line.push(self.parameters.to_string());
        line.extend(self.settings.iter().map(shown_settings));
        line.push(measured.to_owned());
        line
    }
}

pub fn section(results: &[Result<'_>], bench: &Bench, today: &str) -> Section {
    let version = |package| format!("{package} {}", bench.peers.version(package));
    let versions = ["torch", "tensorflow-cpu", "keras"].map(version).join(", ");
    let measured = bench.quiet.said(today, bench.repetitions);
    Section {
        name: "bench-train",
        about: format!("{}; {}, {versions}.", bench.machine.about, bench.machine.ours),
        header: HEADER.map(str::to_owned).to_vec(),
        lines: results.iter().map(|result| result.line(&measured)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row() -> Reference {
        let json = json!({"note": "", "asked": 1.5, "rows": 1, "peer_rows": 1, "spec": {},
            "data": {"kind": "table", "features": 1}});
        Reference { name: "a-row".into(), ..serde_json::from_value(json).unwrap() }
    }

    #[test]
    fn a_row_is_compared_with_the_faster_peer() {
        let row = row();
        let settings = [json!({"threads": 1}), json!({"threads": 2, "jit_compile": true})];
        let settings = settings.map(|json| serde_json::from_value(json).unwrap());
        let figures = vec![vec![30.0, 32.0], vec![20.0, 20.0], vec![10.0, 10.0]];
        let mut result = Result { row: &row, parameters: 7, figures, settings };
        assert!(result.ok());
        let line = result.line("today").join(" | ");
        assert_eq!(
            line,
            "a-row | 31.0 (30.0..32.0) | 20.0 (20.0..20.0) | 10.0 (10.0..10.0) | \
             1.55 (1.50..1.60) of PyTorch | 1.50 | 7 | threads 1 | jit_compile, threads 2 | today"
        );
        result.figures[2] = vec![25.0, 25.0];
        assert!(!result.ok() && result.line("today").join(" ").contains("of Keras"));
    }
}

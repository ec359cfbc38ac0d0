//! The tables of rates and of whole runs beside those of the peers.

use e2e::bench::{
    MEBIBYTE, Peak, Reference, Section, Settings, Spread, best_peer, ratio, shown_settings,
};

use crate::{
    Bench, RATE_REPETITIONS, WHOLE_REPETITIONS,
    rate::Peer,
    whole::{Outcome, Whole},
};

const PEAK: [&str; 4] =
    ["all cores", "products, GFLOP/s", "memory, GB/s read and written", "measured"];
const RATES: [&str; 11] = [
    "row",
    "ours, rows/s",
    "PyTorch",
    "Keras",
    "ratio",
    "asked",
    "of the products' peak, GFLOP/s",
    "parameters",
    "PyTorch with",
    "Keras with",
    "measured",
];
const WHOLES: [&str; 13] = [
    "row",
    "ours, s",
    "PyTorch",
    "Keras",
    "ratio",
    "asked",
    "ours, MiB",
    "PyTorch",
    "Keras",
    "ratio of memory",
    "asked",
    "accuracy (epochs) of ours, PyTorch, Keras",
    "measured",
];

pub struct Table {
    pub section: Section,
    /// Whether every row reaches what is asked.
    pub ok: bool,
}

pub struct Rates<'a> {
    pub row: &'a Reference,
    pub parameters: u64,
    /// Rows a second of ours and of each peer, by repetition.
    pub figures: Vec<Vec<f64>>,
    pub settings: [Settings; 2],
}

impl Rates<'_> {
    fn ok(&self) -> bool {
        ratio(&self.figures, best_peer(&self.figures)).median >= self.row.asked
    }

    fn line(&self, peak: Peak, measured: &str) -> Vec<String> {
        let share = Spread::of(&self.figures[0]).median * self.row.operations() / peak.operations;
        let mut line = vec![self.row.name.clone()];
        line.extend(self.figures.iter().map(|rates| Spread::of(rates).to_string()));
        line.push(to_best(&self.figures));
        line.push(format!("{:.2}", self.row.asked));
        line.push(format!("{:.0} % of {:.0}", 100.0 * share, peak.operations / 1e9));
        line.push(self.parameters.to_string());
        line.extend(self.settings.iter().map(shown_settings));
        line.push(measured.to_owned());
        line
    }
}

/// The ratio to the better peer, in pairs, and its name.
fn to_best(figures: &[Vec<f64>]) -> String {
    let peer = best_peer(figures);
    format!("{} of {}", ratio(figures, peer), Peer::ALL[peer - 1].name())
}

pub struct Wholes<'a> {
    pub row: &'a Whole,
    /// Of ours and of each peer, by repetition.
    pub outcomes: Vec<Vec<Outcome>>,
}

impl Wholes<'_> {
    fn of(&self, number: fn(&Outcome) -> f64) -> Vec<Vec<f64>> {
        self.outcomes.iter().map(|side| side.iter().map(number).collect()).collect()
    }

    /// What is better where it is higher: how fast, and how little memory. The peer is the faster one.
    fn ratios(&self) -> [(Spread, usize); 2] {
        let speed = self.of(|outcome| 1.0 / outcome.seconds);
        let memory = self.of(|outcome| 1.0 / outcome.peak_bytes);
        let peer = best_peer(&speed);
        [(ratio(&speed, peer), peer), (ratio(&memory, peer), peer)]
    }

    fn ok(&self) -> bool {
        let [speed, memory] = self.ratios().map(|(ratio, _)| ratio.median);
        speed >= self.row.asked && memory >= self.row.asked_memory
    }

    fn line(&self, measured: &str) -> Vec<String> {
        let spreads = |figures: Vec<Vec<f64>>| {
            figures.iter().map(|side| Spread::of(side).to_string()).collect::<Vec<_>>()
        };
        let [speed, memory] =
            self.ratios().map(|(ratio, peer)| format!("{ratio} of {}", Peer::ALL[peer - 1].name()));
        let reached = |side: &Vec<Outcome>| {
            let last = side.last();
            last.map_or(String::new(), |o| match o.epochs {
                Some(epochs) => format!("{:.4} ({epochs})", o.accuracy),
                None => "ended before its end".to_owned(),
            })
        };
        let reached: Vec<_> = self.outcomes.iter().map(reached).collect();
        let mut line = vec![self.row.name.clone()];
        let seconds = spreads(self.of(|outcome| outcome.seconds)).into_iter();
        let ended = |side: &Vec<Outcome>| side.iter().any(|outcome| outcome.epochs.is_none());
        line.extend(seconds.zip(&self.outcomes).map(|(seconds, side)| {
            if ended(side) { format!("more than {seconds}") } else { seconds }
        }));
        line.extend([speed, format!("{:.2}", self.row.asked)]);
        line.extend(spreads(self.of(|outcome| outcome.peak_bytes / MEBIBYTE)));
        line.extend([memory, format!("{:.2}", self.row.asked_memory)]);
        line.extend([reached.join(", "), measured.to_owned()]);
        line
    }
}

/// What shares are shares of.
pub fn peak(bench: &Bench, today: &str) -> Table {
    let Peak { operations, bytes } = bench.peak;
    let cores = bench.machine.cores.to_string();
    let line = vec![cores, format!("{:.0}", operations / 1e9), format!("{:.1}", bytes / 1e9)];
    let line = [line, vec![bench.quiet.said(today, 1)]].concat();
    Table { section: section("bench-peak", &PEAK, vec![line], bench), ok: true }
}

pub fn rates(results: &[Rates<'_>], bench: &Bench, today: &str) -> Table {
    let measured = bench.said(today, RATE_REPETITIONS);
    let lines = results.iter().map(|result| result.line(bench.peak, &measured)).collect();
    let ok = results.iter().all(Rates::ok);
    Table { section: section("bench-train", &RATES, lines, bench), ok }
}

pub fn wholes(results: &[Wholes<'_>], bench: &Bench, today: &str) -> Table {
    let measured = bench.said(today, WHOLE_REPETITIONS);
    let lines = results.iter().map(|result| result.line(&measured)).collect();
    let ok = results.iter().all(Wholes::ok);
    Table { section: section("bench-train-whole", &WHOLES, lines, bench), ok }
}

fn section(name: &'static str, header: &[&str], lines: Vec<Vec<String>>, bench: &Bench) -> Section {
    let header = header.iter().map(|cell| (*cell).to_owned()).collect();
    Section { name, about: bench.about(), header, lines }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rate_is_compared_with_the_faster_peer() {
        let json = json!({"note": "", "asked": 1.5, "multiply_adds": 2e8, "rows": 1, "peer_rows": 1, "spec": {},
            "data": {"kind": "table", "features": 1}});
        let row = Reference { name: "a-row".into(), ..serde_json::from_value(json).unwrap() };
        let settings = [json!({"threads": 1}), json!({"threads": 2, "jit_compile": true})];
        let settings = settings.map(|json| serde_json::from_value(json).unwrap());
        let figures = vec![vec![30.0, 32.0], vec![20.0, 20.0], vec![10.0, 10.0]];
        let mut rates = Rates { row: &row, parameters: 7, figures, settings };
        assert!(rates.ok());
        let peak = Peak { operations: 186e9, bytes: 1.0 };
        let line = rates.line(peak, "today").join(" | ");
        assert_eq!(
            line,
            "a-row | 31.0 (30.0..32.0) | 20.0 (20.0..20.0) | 10.0 (10.0..10.0) | \
             1.55 (1.50..1.60) of PyTorch | 1.50 | 20 % of 186 | 7 | threads 1 | jit_compile, threads 2 | today"
        );
        rates.figures[2] = vec![25.0, 25.0];
        assert!(!rates.ok() && rates.line(peak, "today").join(" ").contains("of Keras"));
    }

    #[test]
    fn a_whole_run_is_compared_by_time_and_by_memory() {
        let json = json!({"note": "", "asked": 1.0, "asked_memory": 3.0, "settings_of": "cnn",
            "data": "x", "peer_data": "x", "reach": null, "spec": {}});
        let row = Whole { name: "a-row".into(), ..serde_json::from_value(json).unwrap() };
        let outcome = |seconds, mebibytes: f64| {
            vec![Outcome {
                seconds,
                peak_bytes: mebibytes * MEBIBYTE,
                accuracy: 0.99,
                epochs: Some(3),
            }]
        };
        let outcomes = vec![outcome(10.0, 100.0), outcome(20.0, 400.0), outcome(15.0, 250.0)];
        let wholes = Wholes { row: &row, outcomes };
        let line = wholes.line("today");
        assert_eq!(line[4], "1.50 (1.50..1.50) of Keras");
        assert_eq!(line[9..11], ["2.50 (2.50..2.50) of Keras", "3.00"]);
        assert_eq!(line[11], "0.9900 (3), 0.9900 (3), 0.9900 (3)");
        assert_eq!(line.len(), WHOLES.len());
        assert!(!wholes.ok());
        let mut ended = wholes;
        ended.outcomes[1][0].epochs = None;
        assert!(ended.line("today")[2].starts_with("more than 20.0"));
    }
}

//! The tables.

use e2e::bench::{Answered, Section, Spread, best_peer, median, ratio};

use crate::{cold::Cold, model::Model, noise::Noise, soak::Soak};

/// Around the engine, in microseconds.
const ASKED_OUTSIDE: f64 = 150.0;
/// The peers' 99th percentile beside ours, at an equal load.
const ASKED_P99: f64 = 1.0;

pub struct Served {
    pub model: &'static Model,
    /// Of ours, FastAPI and MLflow, by repetition.
    pub saturated: Vec<Vec<Answered>>,
    /// A second, for all.
    pub rate: f64,
    pub equal: Vec<Vec<Answered>>,
    /// Ours, with nobody else asking.
    pub alone: Answered,
    pub engine_micros: f64,
}

type Of = fn(&Answered) -> f64;

fn figures(sides: &[Vec<Answered>], of: Of) -> Vec<Vec<f64>> {
    sides.iter().map(|side| side.iter().map(of).collect()).collect()
}

impl Served {
    /// To the better peer.
    fn throughput(&self) -> Spread {
        let figures = figures(&self.saturated, |a| a.per_second);
        ratio(&figures, best_peer(&figures))
    }

    fn promptness(&self) -> Spread {
        let figures = figures(&self.equal, |a| 1.0 / a.p99);
        ratio(&figures, best_peer(&figures))
    }

    fn outside_micros(&self) -> f64 {
        self.alone.p50 * 1e6 - self.engine_micros
    }

    pub fn ok(&self) -> bool {
        self.throughput().median >= self.model.asked
            && self.promptness().median >= ASKED_P99
            && self.outside_micros() < ASKED_OUTSIDE
    }

    fn line(&self, measured: &str) -> Vec<String> {
        let rates = figures(&self.saturated, |a| a.per_second);
        let mut line = vec![self.model.name.to_owned()];
        line.extend(rates.iter().map(|side| format!("{:.0}", median(side))));
        line.push(format!("{} (asked {})", self.throughput(), self.model.asked));
        line.push(format!("{:.0}/s", self.rate));
        let [p50, p99] = [|a: &Answered| a.p50 * 1e3, |a: &Answered| a.p99 * 1e3]
            .map(|of| figures(&self.equal, of));
        let both = p50.iter().zip(&p99);
        line.extend(both.map(|(p50, p99)| format!("{:.2} / {:.2}", median(p50), median(p99))));
        line.push(format!("{} (asked {ASKED_P99})", self.promptness()));
        line.push(format!("{:.0}", self.engine_micros));
        line.push(format!("{:.0} (asked {ASKED_OUTSIDE})", self.outside_micros()));
        line.push(measured.to_owned());
        line
    }
}

const SERVED: [&str; 12] = [
    "model",
    "ours, answers/s",
    "FastAPI",
    "MLflow",
    "ratio to the better",
    "equal load",
    "ours p50 / p99, ms",
    "FastAPI",
    "MLflow",
    "p99, ratio",
    "engine p50, µs",
    "around it, µs",
];

pub fn served(about: &str, rows: &[Served], measured: &str) -> Section {
    let mut header: Vec<_> = SERVED.map(str::to_owned).to_vec();
    header.push("measured".to_owned());
    let lines = rows.iter().map(|row| row.line(measured)).collect();
    Section { name: "bench-serving", about: about.to_owned(), header, lines }
}

fn small(name: &'static str, about: &str, header: &[&str], line: Vec<String>) -> Section {
    let header = header.iter().map(|cell| (*cell).to_owned()).collect();
    Section { name, about: about.to_owned(), header, lines: vec![line] }
}

pub fn noise(about: &str, noise: &Noise, measured: &str) -> Section {
    let [rate, asked] = Noise::ABOUT;
    let mut line = vec![format!("{rate}/s"), format!("{asked}/s")];
    let both = |side: &Vec<Answered>| {
        let [p50, p99] = [|a: &Answered| a.p50, |a: &Answered| a.p99]
            .map(|of| median(&side.iter().map(of).collect::<Vec<_>>()) * 1e3);
        format!("{p50:.2} / {p99:.2}")
    };
    line.extend(noise.sides.iter().map(both));
    line.push(format!("{} (asked {})", noise.times(), Noise::ASKED));
    line.push(measured.to_owned());
    let header = [
        "allowed",
        "the noisy tenant asks",
        "the other's p50 / p99 alone, ms",
        "beside the noise",
        "p99, times",
        "measured",
    ];
    small("bench-serving-noise", about, &header, line)
}

pub fn cold(about: &str, cold: &Cold, measured: &str) -> Section {
    let line = vec![
        format!("{:.1} MB", cold.bytes as f64 / 1e6),
        Spread::of(&cold.millis).to_string(),
        format!("{:.0}", Cold::ASKED_MILLIS),
        measured.to_owned(),
    ];
    small("bench-serving-cold", about, &["model", "loaded in, ms", "asked", "measured"], line)
}

pub fn soak(about: &str, soak: &Soak, measured: &str) -> Section {
    let memory: Vec<_> = soak.memory.iter().map(|mib| format!("{mib:.0}")).collect();
    let line = vec![
        soak.minutes.to_string(),
        format!("{:.0}", soak.calls),
        memory.join(", "),
        format!("{:.1} % (asked {:.0} %)", soak.growth() * 100.0, Soak::ASKED_GROWTH * 100.0),
        measured.to_owned(),
    ];
    let header = ["minutes", "calls", "MiB after each", "growth since the first", "measured"];
    small("bench-serving-soak", about, &header, line)
}

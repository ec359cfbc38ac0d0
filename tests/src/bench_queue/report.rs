//! The tables of figures.

use e2e::bench::{Section, Spread, best_peer, ratio};

use crate::{COMPARED, PEERS, SUBMITTERS, WITH_CAPS, kueue::Replayed, tables::Tables};

/// Once what the best of the others reaches.
const ASKED: f64 = 1.0;
/// Of one that has caps on too.
const ASKED_WITH_CAPS: f64 = 2.0;

pub struct Rate {
    pub per_second: f64,
    /// The most jobs that a tenant ran at once, and the most that it may.
    pub peak: Option<(i64, u32)>,
}

pub struct Jobs {
    pub name: &'static str,
    pub jobs: usize,
    /// Of ours and the peers, by repetition.
    pub rates: Vec<Vec<Rate>>,
}

impl Jobs {
    fn figures(&self) -> Vec<Vec<f64>> {
        self.rates.iter().map(|side| side.iter().map(|rate| rate.per_second).collect()).collect()
    }

    /// The best of those that acknowledge each job, and how many times its rate ours is.
    fn best(&self) -> (usize, Spread) {
        let figures = &self.figures()[..=COMPARED];
        let best = best_peer(figures);
        (best, ratio(figures, best))
    }

    fn with_caps(&self) -> Spread {
        ratio(&self.figures(), 1 + WITH_CAPS)
    }

    pub fn ok(&self) -> bool {
        self.best().1.median >= ASKED && self.with_caps().median >= ASKED_WITH_CAPS
    }

    fn line(&self, measured: &str) -> Vec<String> {
        let figures = self.figures();
        let (best, times) = self.best();
        let peaks = self.rates[0].iter().filter_map(|rate| rate.peak);
        let peak = peaks.max().map_or(String::new(), |(most, cap)| format!("{most} of {cap}"));
        let mut line = vec![self.name.to_owned(), self.jobs.to_string()];
        line.extend(figures.iter().map(|side| Spread::of(side).to_string()));
        line.push(format!("{times} of {}", PEERS[best - 1].name()));
        line.extend([format!("{ASKED:.2}"), self.with_caps().to_string()]);
        line.extend([format!("{ASKED_WITH_CAPS:.2}"), peak, measured.to_owned()]);
        line
    }
}

pub fn jobs(about: &str, results: &[Jobs], measured: &str) -> Section {
    let mut header = vec!["row".to_owned(), "jobs".to_owned(), "ours, jobs/s".to_owned()];
    header.extend(PEERS.iter().map(|peer| peer.name().to_owned()));
    let rest = [
        "ratio to the best that acknowledges each",
        "asked",
        "ratio to the one with caps",
        "asked",
        "a tenant's most at once",
        "measured",
    ];
    header.extend(rest.map(str::to_owned));
    Section {
        name: "bench-queue-jobs",
        about: format!("{about} {SUBMITTERS} submissions at a time."),
        header,
        lines: results.iter().map(|result| result.line(measured)).collect(),
    }
}

/// Seconds.
#[derive(Debug, Clone, Copy)]
pub struct Latency {
    pub p50: f64,
    pub p99: f64,
}

pub struct Latencies {
    /// Of ours and the peers, by repetition.
    pub found: Vec<Vec<Latency>>,
}

impl Latencies {
    /// Higher is better.
    fn figures(&self, of: fn(&Latency) -> f64) -> Vec<Vec<f64>> {
        self.found.iter().map(|side| side.iter().map(|l| 1.0 / of(l)).collect()).collect()
    }

    fn best(&self, of: fn(&Latency) -> f64) -> (usize, Spread) {
        let figures = self.figures(of);
        let best = best_peer(&figures);
        (best, ratio(&figures, best))
    }

    pub fn ok(&self) -> bool {
        self.best(|l| l.p50).1.median >= ASKED && self.best(|l| l.p99).1.median >= ASKED
    }

    fn line(&self, name: &str, of: fn(&Latency) -> f64, measured: &str) -> Vec<String> {
        let milliseconds = |side: &Vec<Latency>| {
            Spread::of(&side.iter().map(|l| of(l) * 1e3).collect::<Vec<_>>()).to_string()
        };
        let (best, times) = self.best(of);
        let mut line = vec![name.to_owned()];
        line.extend(self.found.iter().map(milliseconds));
        line.push(format!("{times} of {}", PEERS[best - 1].name()));
        line.extend([format!("{ASKED:.2}"), measured.to_owned()]);
        line
    }
}

pub fn latencies(about: &str, results: &Latencies, measured: &str) -> Section {
    let mut header = vec!["row".to_owned(), "ours, ms".to_owned()];
    header.extend(PEERS.iter().take(COMPARED).map(|peer| peer.name().to_owned()));
    header.extend(["ratio to the soonest", "asked", "measured"].map(str::to_owned));
    Section {
        name: "bench-queue-latency",
        about: about.to_owned(),
        header,
        lines: vec![
            results.line("start, middle", |l| l.p50, measured),
            results.line("start, 99th percentile", |l| l.p99, measured),
        ],
    }
}

pub fn tables(about: &str, tables: &Tables, measured: &str) -> Section {
    let header = [
        "jobs",
        "start on empty tables p50 / p99, ms",
        "after the jobs",
        "after as many again with a reader's snapshot open",
        "ratios of the middle, 1.2 asked",
        "log, bytes a job",
        "tables and indexes, bytes a job",
        "dead rows, then with the reader",
        "measured",
    ];
    let shown = |l: &Latency| format!("{:.2} / {:.2}", l.p50 * 1e3, l.p99 * 1e3);
    let ratios = [tables.after.p50, tables.with_reader.p50].map(|p50| p50 / tables.empty.p50);
    Section {
        name: "bench-queue-tables",
        about: about.to_owned(),
        header: header.map(str::to_owned).to_vec(),
        lines: vec![vec![
            tables.jobs.to_string(),
            shown(&tables.empty),
            shown(&tables.after),
            shown(&tables.with_reader),
            format!("{:.2}, {:.2}", ratios[0], ratios[1]),
            format!("{:.0}", tables.wal_per_job),
            format!("{:.0}", tables.bytes_per_job),
            format!("{:.0}, {:.0}", tables.dead[0], tables.dead[1]),
            measured.to_owned(),
        ]],
    }
}

pub fn kueue(about: &str, results: &[Replayed], measured: &str) -> Section {
    let header =
        ["workload", "jobs", "ours, s", "ideal, s", "asked, s", "Kueue publishes, s", "measured"];
    let line = |result: &Replayed| {
        vec![
            result.row.name.to_owned(),
            result.jobs.to_string(),
            Spread::of(&result.makespans).to_string(),
            format!("{:.1}", result.ideal),
            format!("{:.1}", result.asked()),
            format!("{:.0}", result.row.published),
            measured.to_owned(),
        ]
    };
    Section {
        name: "bench-queue-kueue",
        about: about.to_owned(),
        header: header.map(str::to_owned).to_vec(),
        lines: results.iter().map(line).collect(),
    }
}

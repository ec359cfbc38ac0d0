//! How long a call takes.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use e2e::bench::{Answer, median, percentile};

use crate::published::Published;

/// Calls, however long they take.
const LEAST_CALLS: usize = 3;

/// In microseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Latency {
    pub p50: f64,
    pub p99: f64,
}

impl Latency {
    fn of(microseconds: &[f64]) -> anyhow::Result<Self> {
        ensure!(!microseconds.is_empty(), "no call was made");
        Ok(Self { p50: median(microseconds), p99: percentile(microseconds, 0.99) })
    }
}

/// From raw rows to answers, as a client's request has it; the peers' script does the same with
/// inputs that are prepared.
pub fn measure(published: &Published, batch: usize, seconds: f64) -> anyhow::Result<Latency> {
    let batches: Vec<_> = published.rows.chunks(batch).collect();
    let mut took = vec![];
    for seconds in [seconds / 2.0, seconds] {
        took.clear();
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs_f64(seconds) || took.len() < LEAST_CALLS {
            let rows = batches[took.len() % batches.len()];
            let start = Instant::now();
            let answers = published.model.predict(rows);
            took.push(start.elapsed().as_secs_f64() * 1e6);
            ensure!(answers.is_ok(), "a row was refused");
        }
    }
    Latency::of(&took)
}

/// What a script measured.
pub fn of_answer(answer: &Answer) -> anyhow::Result<Latency> {
    let mut lists = answer.said.iter().filter_map(|line| line["microseconds"].as_array());
    let last = lists.next_back().context("it measured nothing")?;
    Latency::of(&last.iter().filter_map(serde_json::Value::as_f64).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_is_the_middle_and_the_slow_end() {
        let microseconds: Vec<f64> = (1..=200).map(f64::from).collect();
        let latency = Latency::of(&microseconds).unwrap();
        assert_eq!(latency, Latency { p50: 100.5, p99: 198.0 });
        assert!(Latency::of(&[]).is_err());
    }
}

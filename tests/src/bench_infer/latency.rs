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

/// Of one batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Latencies {
    /// From numbers that are prepared to probabilities as numbers.
    pub numbers: Latency,
    /// From rows as a request has them: values by the names of columns, and texts.
    pub rows: Latency,
}

/// Ours; the peers' scripts do the same.
pub fn measure(published: &Published, batch: usize, seconds: f64) -> anyhow::Result<Latencies> {
    let batches: Vec<_> = published.rows.chunks(batch).collect();
    let model = &published.model;
    let mut numbers = |i: usize| {
        let prepared = model.prepare(batches[i % batches.len()]).ok()?;
        let start = Instant::now();
        model.outputs(prepared);
        Some(start.elapsed())
    };
    let numbers = again_and_again(&mut numbers, seconds)?;
    let mut rows = |i: usize| {
        let start = Instant::now();
        let answers = model.predict(batches[i % batches.len()]);
        let took = start.elapsed();
        answers.ok().map(|_| took)
    };
    let rows = again_and_again(&mut rows, seconds)?;
    Ok(Latencies { numbers, rows })
}

/// For so long, after half of that to warm up. None is a refusal.
fn again_and_again(
    call: &mut dyn FnMut(usize) -> Option<Duration>,
    seconds: f64,
) -> anyhow::Result<Latency> {
    let mut took = vec![];
    for seconds in [seconds / 2.0, seconds] {
        took.clear();
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs_f64(seconds) || took.len() < LEAST_CALLS {
            let one = call(took.len()).context("a row was refused")?;
            took.push(one.as_secs_f64() * 1e6);
        }
    }
    Latency::of(&took)
}

/// What a script measured: one list of calls after another.
pub fn of_answer(answer: &Answer) -> anyhow::Result<Vec<Latency>> {
    let lists = answer.said.iter().filter_map(|line| line["microseconds"].as_array());
    let numbers = |list: &Vec<serde_json::Value>| {
        Latency::of(&list.iter().filter_map(serde_json::Value::as_f64).collect::<Vec<_>>())
    };
    lists.map(numbers).collect()
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

//! Whether memory stays as it is while calls are answered for minutes.

use std::{env, fs, time::Duration};

use anyhow::Context;
use e2e::bench::{self, MEBIBYTE};

use crate::{ASKERS, model::Model, sides::Ours};

const USUAL_MINUTES: u64 = 10;
const PER_SECOND: f64 = 500.0;
/// Of what it had after the first minute, that it may have more at the end.
const ASKED_GROWTH: f64 = 0.05;

pub struct Soak {
    pub minutes: u64,
    pub calls: f64,
    /// MiB after each minute.
    pub memory: Vec<f64>,
}

impl Soak {
    pub fn growth(&self) -> f64 {
        let (first, last) = (self.memory.first(), self.memory.last());
        first.zip(last).map_or(f64::NAN, |(first, last)| last / first - 1.0)
    }

    pub fn ok(&self) -> bool {
        self.growth() <= ASKED_GROWTH
    }

    pub const ASKED_GROWTH: f64 = ASKED_GROWTH;
}

pub async fn measure() -> anyhow::Result<Soak> {
    let minutes = match env::var("SOAK_MINUTES").ok().filter(|text| !text.is_empty()) {
        Some(text) => text.parse().context("SOAK_MINUTES must be a number")?,
        None => USUAL_MINUTES,
    };
    let ours = Ours::start(&Model::ALL[0]).await?;
    let (mut memory, mut calls) = (Vec::new(), 0.0);
    for _ in 0..minutes {
        // two seconds of each minute are not counted
        let minute = Duration::from_secs(58);
        let answered = bench::offer(&ours.load, PER_SECOND, ASKERS, minute).await?;
        calls += answered.per_second * 60.0;
        memory.push(resident(ours.up.process.pid())?);
    }
    Ok(Soak { minutes, calls, memory })
}

/// MiB of one process.
fn resident(pid: u32) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("it is alive")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: f64 =
        line.and_then(|line| line.trim().strip_suffix(" kB")).context("VmRSS")?.parse()?;
    Ok(kib * 1024.0 / MEBIBYTE)
}

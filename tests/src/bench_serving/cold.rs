//! How soon a version answers that is not in memory: the first call after a start, of a model of some 10 MB. Another
//! model was asked before, so that what else is new to the process does not count.

use std::time::Instant;

use anyhow::Context;
use e2e::bench::{Load, Quiet, median, one_answer};

use crate::{
    model::{Model, Published},
    sides::Ours,
};

/// A vocabulary that makes the weights so large.
const MODEL: &Model = &Model::TEN_MEGABYTES;
const ASKED_MILLIS: f64 = 100.0;

pub struct Cold {
    pub bytes: u64,
    /// Of the first call, beyond what a second one takes.
    pub millis: Vec<f64>,
}

impl Cold {
    pub fn ok(&self) -> bool {
        median(&self.millis) < ASKED_MILLIS
    }

    pub const ASKED_MILLIS: f64 = ASKED_MILLIS;
}

pub async fn measure(repetitions: usize, quiet: &Quiet) -> anyhow::Result<Cold> {
    let mut ours = Ours::start(MODEL).await?;
    let weights = ours.published.file("model.safetensors");
    let bytes = std::fs::metadata(&weights).context("it has weights")?.len();
    let other = Published::train(&ours.acme, &Model::ALL[0]).await?;
    let mut millis = Vec::new();
    for _ in 0..repetitions {
        quiet.wait()?;
        ours.up.start_again().await;
        let load = Load { host: ours.acme.host(), ..ours.load.clone() };
        one_answer(&Load {
            path: other.predict_path(),
            bodies: other.bodies("row", false),
            ..load.clone()
        })
        .await?;
        let [first, second] = [timed(&load).await?, timed(&load).await?];
        millis.push(first - second);
    }
    Ok(Cold { bytes, millis })
}

async fn timed(load: &Load) -> anyhow::Result<f64> {
    let begun = Instant::now();
    one_answer(load).await?;
    Ok(begun.elapsed().as_secs_f64() * 1e3)
}

//! The engine from outside, on real data and on small generated sets.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod ahead;
mod batch;
mod comparing;
mod datasets;
mod explaining;
mod families;
mod gang;
mod importing;
mod leakage;
mod predicting;
mod profiling;
mod reading;
mod resume;
mod samples;
mod spilled;
mod techniques;
mod threads;
mod training;
mod trouble;
mod upon;

//! The engine from outside, on real data and on small generated sets.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod predicting;
mod profiling;
mod reading;
mod samples;
mod training;

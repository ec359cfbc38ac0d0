//! Advice on files that are profiled and on runs that are trained here, by the real engine: each rule on one
//! that shows it, and on the one that its change makes of it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod runs;
mod samples;
mod starts;

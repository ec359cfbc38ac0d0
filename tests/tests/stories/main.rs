//! What users and operators live through, on the real binary. Each story has a platform of its own.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod audit;
mod bad_uploads;
mod canary;
mod cancel;
mod chaos;
mod cli;
mod console;
mod drain;
mod gang;
mod kills;
mod main_job;
mod outcome;
mod pause;
mod python;
mod registry;
mod replicas;
mod sending;
mod sharing;
mod shell;
mod tenants;
mod terminal;
mod trouble;
mod up;

//! The console's pages over the real gateway and a real Postgres: what they show, what they refuse, and
//! that every link of every page leads somewhere.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod browser;
mod crawl;
mod entering;
mod forms;
#[path = "../../gateway/tests/hand/mod.rs"]
#[expect(dead_code, reason = "the gateway's tests use all of it")]
mod hand;
mod images;
mod journey;
mod managing;
mod much;
mod resuming;
#[path = "../../gateway/tests/support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the gateway's tests use all of it")]
mod support;
mod visiting;

/// The API with the console beside it.
const FURTHER: gateway::Further = console::routes;

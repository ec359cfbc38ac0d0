//! The API's contract, tried in process against a real Postgres. One file per resource, each a module
//! of this binary; `use crate::support::…` gives it an application of its own.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod advice;
mod attacks;
mod audit;
mod auth;
mod authority;
mod batch;
mod caps;
mod clearing;
mod datasets;
mod document;
mod egress;
mod endpoints;
mod events;
mod explaining;
mod finding;
mod framework;
mod full;
mod hand;
mod hub;
mod inference_v2;
mod jobs;
mod keys;
mod limits;
mod lineage;
mod models;
mod people;
mod predictions;
mod queue;
mod racing;
mod registry;
mod replicas;
mod schemathesis;
mod sessions;
mod sharing;
mod storage;
mod support;
mod sweeps;
mod tenants;
mod uploads;
mod upon;
mod visitors;

/// The API alone.
const FURTHER: gateway::Further = |_| ();

//! The store against a real Postgres, a database for each test: what its transactions promise while
//! others run beside them, and what the database holds to by itself.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod agreement;
mod audit;
mod budgets;
mod caps;
mod changes;
mod constraints;
mod egress;
mod events;
mod fences;
mod filled;
mod finding;
mod gangs;
mod grants;
mod holds;
mod invariants;
mod leader;
mod predictions;
mod publishing;
mod queue;
mod reads;
mod replicas;
mod row_level_security;
mod sharing;
mod silence;
mod support;
mod uploads;
mod use_of_workers;

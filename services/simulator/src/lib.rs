//! The planner in a virtual world: a trace of jobs is replayed through the same
//! [`Queue`](planner::Queue) that the scheduler uses, with a clock that jumps from event to event.
//!
//! ```text
//! trace file --workload/--> jobs, tenants, workers
//!                               |   run.rs      submit, plan, start, end, stop: one event after another
//!                               v
//!                            Journal            what happened to each job, and who used what, when
//!                               |   figures.rs  waits, utilisation, fairness, wasted work
//!                               v
//!                     report.rs, draw.rs        a table; an SVG
//! ```

pub mod draw;
pub mod figures;
pub mod report;
pub mod run;
pub mod workload;

pub use figures::Figures;
pub use run::{Journal, run};
pub use workload::Workload;

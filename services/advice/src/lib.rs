//! What to train, and what to try next. From a dataset's profile: which families fit it, and why
//! ([`start`]). From a run's curves: what they say, and the specification changed for the next one
//! ([`judge`]). Both are plain functions of what is known already; the rules are a table, [`RULES`], and
//! docs/ADVICE.md has their thresholds with the reason of each.

mod change;
mod columns;
mod curves;
mod families;
mod judge;
mod kind;
mod rules;
mod season;
mod start;
mod words;

pub use curves::Curves;
pub use judge::{Finding, Run, judge};
pub use rules::{RULES, Rule};
pub use start::{Start, Suggestion, start};

//! What was done, what came of it, and what is wrong.

use std::{cell::RefCell, collections::BTreeMap, fmt, path::PathBuf};

use store::invariants::{Counts, Peak, Violation};

use super::Options;
use crate::bench::aligned;

/// Counts by their names, from everywhere.
#[derive(Debug, Default)]
pub struct Tally(RefCell<BTreeMap<&'static str, u64>>);

impl Tally {
    pub fn add(&self, what: &'static str, more: u64) {
        *self.0.borrow_mut().entry(what).or_default() += more;
    }

    pub fn into_counts(self) -> BTreeMap<&'static str, u64> {
        self.0.into_inner()
    }
}

#[derive(Debug)]
pub struct Report {
    pub options: Options,
    pub tally: BTreeMap<&'static str, u64>,
    pub counts: Counts,
    pub peaks: Vec<Peak>,
    pub violations: Vec<Violation>,
    /// No job ended for long, though the faults were over.
    pub stuck: bool,
    /// Where the processes' logs are, if something is wrong.
    pub logs: Option<PathBuf>,
}

impl Report {
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty() && !self.stuck
    }

    /// How often something was done.
    pub fn count(&self, what: &str) -> u64 {
        self.tally.get(what).copied().unwrap_or(0)
    }

    fn lines(&self) -> Vec<Vec<String>> {
        let line = |what: &str, number: u64| vec![what.to_owned(), number.to_string()];
        let mut lines: Vec<_> = self.tally.iter().map(|(what, n)| line(what, *n)).collect();
        let Counts { attempts, resumed, requeued, versions, terms, workers } = &self.counts;
        lines.extend(attempts.iter().map(|(outcome, code, count)| {
            let code = code.as_deref().map(|code| format!(" ({code})")).unwrap_or_default();
            line(&format!("attempts {outcome}{code}"), *count)
        }));
        lines.extend([
            line("attempts resumed from a checkpoint", *resumed),
            line("jobs put back into the queue", *requeued),
            line("versions published", *versions),
            line("terms of the lead", *terms),
            line("workers registered", *workers),
        ]);
        lines.extend(self.peaks.iter().map(|Peak { tenant, most, max_running_jobs }| {
            let peak = format!("{most} of {max_running_jobs}");
            vec![format!("most jobs of {tenant} at once"), peak]
        }));
        lines.push(line("violations", self.violations.len() as u64));
        lines
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Options { seed, jobs, minutes } = self.options;
        f.write_str(&aligned(&self.lines()))?;
        for Violation { rule, subject, detail } in &self.violations {
            writeln!(f, "VIOLATED: {rule}: {subject} {detail}")?;
        }
        if self.stuck {
            writeln!(f, "STUCK: jobs are left, and none of them ends")?;
        }
        if let Some(logs) = &self.logs {
            writeln!(f, "the logs of every process are kept in {}", logs.display())?;
        }
        write!(f, "again: make chaos SEED={seed} JOBS={jobs} MINUTES={minutes}")
    }
}

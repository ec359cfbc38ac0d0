//! Tenants of a pool that lend to each other. Cohorts divide the pool's capacity among them: one with
//! a name has what is guaranteed to its members, and the common one, of all tenants without a
//! cohort, has the rest.

use std::collections::{BTreeMap, BTreeSet};

use domain::{JobId, Resources, TenantId, Timestamp};

use crate::{account::Turn, shape::Shape};

/// The common one's index.
pub const COMMON: usize = 0;

#[derive(Debug, Clone, Default)]
pub struct Cohort {
    pub name: Option<String>,
    pub guaranteed: Resources,
    pub used: Resources,
    /// For jobs for which borrowers are being stopped.
    pub claimed: Resources,
    /// Waiting jobs by what they ask for.
    pub shapes: BTreeMap<Shape, usize>,
    /// Members with a job within what is guaranteed to them.
    pub entitled: BTreeSet<Turn>,
    /// Members with a job within their limit.
    pub asking: BTreeSet<Turn>,
    /// Live attempts of its members, by when they have ended at the latest.
    pub ends: BTreeSet<(Timestamp, JobId)>,
    /// Members that use more than is guaranteed to them.
    pub borrowers: BTreeSet<TenantId>,
}

impl Cohort {
    pub fn waits(&mut self, shape: Shape) {
        *self.shapes.entry(shape).or_default() += 1;
    }

    pub fn unwaits(&mut self, shape: Shape) {
        if let Some(count) = self.shapes.get_mut(&shape) {
            *count -= 1;
            if *count == 0 {
                self.shapes.remove(&shape);
            }
        }
    }
}

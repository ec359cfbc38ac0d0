//! The shape of Kueue's published performance workloads: cohorts of queues with the same quota each,
//! and in each queue so many jobs of each class, one every so often.

use anyhow::{Result, ensure};
use domain::{Resources, world::Quota};
use serde::Deserialize;

use super::{Job, Tenant, Workload};

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kueue {
    pub cohorts: usize,
    pub queues: usize,
    /// Units of each queue.
    pub quota: u64,
    pub borrowing_limit: u64,
    pub classes: Vec<Class>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    pub count: usize,
    pub every_ms: i64,
    /// Units of each job.
    pub request: u64,
    pub runtime_ms: i64,
    pub priority: i32,
}

fn units(n: u64) -> Resources {
    Resources::cpu(n.saturating_mul(1_000), 0)
}

impl Kueue {
    pub fn workload(&self) -> Result<Workload> {
        ensure!(self.cohorts > 0 && self.queues > 0, "`cohorts` and `queues` are at least 1");
        let mut workload = Workload::default();
        for cohort in 0..self.cohorts {
            for queue in 0..self.queues {
                let tenant = workload.tenants.len();
                workload.tenants.push(Tenant {
                    name: format!("cohort-{cohort}-queue-{queue}"),
                    quota: Quota {
                        guaranteed: units(self.quota),
                        limit: Resources {
                            cpu_milli: units(self.quota.saturating_add(self.borrowing_limit))
                                .cpu_milli,
                            ..Resources::UNLIMITED
                        },
                        weight: 1,
                        cohort: Some(format!("cohort-{cohort}")),
                        ..Quota::default()
                    },
                });
                let jobs = self.classes.iter().flat_map(|class| class.jobs(tenant));
                workload.jobs.extend(jobs);
            }
        }
        // quota is all there is: one worker is as large as all of them
        let all = (self.cohorts as u64).saturating_mul(self.queues as u64);
        workload.workers.push(units(all.saturating_mul(self.quota)));
        Ok(workload)
    }
}

impl Class {
    fn jobs(&self, tenant: usize) -> impl Iterator<Item = Job> {
        (0..self.count).map(move |n| Job {
            submitted: (n as i64 + 1).saturating_mul(self.every_ms),
            tenant,
            priority: self.priority,
            needs: units(self.request),
            workers: 1,
            runtime: self.runtime_ms,
            max_runtime_secs: self.runtime_ms.unsigned_abs().div_ceil(1_000).max(1) * 2,
        })
    }
}

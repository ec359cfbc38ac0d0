//! Whether the rows still say what they promise: that no job is lost, ended or published twice, that
//! none was tried too often, and that no cap was exceeded at any moment of the past. Nothing is
//! changed. Caps are compared as they stand now; what ran while a cap was higher counts as too much.
//!
//! An attempt holds its resources from `assigned_at`, the time of the plan that started it, to
//! `ended_at`. A plan's time is taken after everything that it knows of, so that attempts which
//! followed one another do not overlap here.

mod caps;
mod rules;

use domain::{
    Digest, JobId,
    job::{Cause, JobStatus},
};

use crate::{StoreError, SystemTx, Tx, datasets::digest, jobs::json_column};

pub use caps::{Peak, peaks};

/// Something that is not as it has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    pub rule: &'static str,
    /// A tenant, a worker or a job.
    pub subject: String,
    pub detail: String,
}

/// As a rule's statement finds it.
struct Found {
    subject: String,
    detail: String,
}

/// Everything that is not as it has to be. `max_tries` is what jobs are retried by.
pub async fn violations(
    tx: &mut SystemTx<'_>,
    max_tries: u32,
) -> Result<Vec<Violation>, StoreError> {
    let found = [
        ("a tenant runs no more jobs than it may", caps::running_jobs(tx).await?),
        ("a tenant uses no more of a pool than its limit", caps::quotas(tx).await?),
        ("a worker is given no more than it has", caps::workers(tx).await?),
        ("a job's attempts follow one another", rules::attempts_in_order(tx).await?),
        ("a live job has one live attempt, any other none", rules::live_attempts(tx).await?),
        ("a training publishes once, with its success", rules::publications(tx).await?),
        ("a job ends once, and its events have no gap", rules::events(tx).await?),
        ("a job is tried again, but not without end", rules::tries(tx, max_tries).await?),
        ("a job starts after those it waits for", rules::dependencies(tx).await?),
    ];
    let violations = found.into_iter().flat_map(|(rule, found)| {
        let named = move |Found { subject, detail }| Violation { rule, subject, detail };
        found.into_iter().map(named)
    });
    Ok(violations.collect())
}

/// A training and what became of it.
#[derive(Debug, Clone)]
pub struct Training {
    pub id: JobId,
    pub name: String,
    pub status: JobStatus,
    pub cause: Option<Cause>,
    /// Of the version that it has published.
    pub weights: Option<Digest>,
}

/// Every training that was ever accepted.
pub async fn trainings(tx: &mut SystemTx<'_>) -> Result<Vec<Training>, StoreError> {
    let rows = sqlx::query!(
        r#"select j.id, j.name, j.status, j.cause, v.weights_sha256 as "weights?"
           from job j
           left join model_version v on v.job_id = j.id
           where j.kind = 'train'
           order by j.id"#,
    )
    .fetch_all(tx.conn())
    .await?;
    let training = rows.into_iter().map(|row| {
        let status: JobStatus =
            row.status.parse().map_err(|why: String| StoreError::corrupt("job", "status", why))?;
        let weights = row.weights.as_deref();
        Ok(Training {
            id: JobId::from_uuid(row.id),
            name: row.name,
            status,
            cause: json_column(row.cause, "job", "cause")?,
            weights: weights
                .map(|sha256| digest(sha256, "model_version", "weights_sha256"))
                .transpose()?,
        })
    });
    training.collect()
}

/// How many trainings there are, and how many of them have ended.
pub async fn progress(tx: &mut SystemTx<'_>) -> Result<(u64, u64), StoreError> {
    let row = sqlx::query!(
        r#"select count(*) as "all!", count(finished_at) as "ended!" from job where kind = 'train'"#
    )
    .fetch_one(tx.conn())
    .await?;
    Ok((row.all.unsigned_abs(), row.ended.unsigned_abs()))
}

/// What has happened, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Attempts by outcome, `live` while they have none, and by the code of their cause, where they
    /// have one.
    pub attempts: Vec<(String, Option<String>, u64)>,
    /// Of all attempts, those that went on from a checkpoint.
    pub resumed: u64,
    /// Times that a job went back to the queue.
    pub requeued: u64,
    pub versions: u64,
    /// Changes of the scheduler that leads.
    pub terms: u64,
    /// Processes that have registered as workers.
    pub workers: u64,
}

pub async fn counts(tx: &mut SystemTx<'_>) -> Result<Counts, StoreError> {
    let attempts = sqlx::query!(
        r#"select coalesce(outcome, 'live') as "outcome!", cause ->> 'code' as code,
                  count(*) as "count!"
           from attempt group by 1, 2 order by 1, 2"#
    )
    .fetch_all(tx.conn())
    .await?;
    let rest = sqlx::query!(
        r#"select (select count(*) from attempt where resumed_from_step is not null) as "resumed!",
                  (select count(*) from job_event where kind = 'requeued') as "requeued!",
                  (select count(*) from model_version) as "versions!",
                  (select coalesce(max(term), 0) from leader) as "terms!",
                  (select count(*) from worker) as "workers!""#
    )
    .fetch_one(tx.conn())
    .await?;
    Ok(Counts {
        attempts: attempts
            .into_iter()
            .map(|row| (row.outcome, row.code, row.count.unsigned_abs()))
            .collect(),
        resumed: rest.resumed.unsigned_abs(),
        requeued: rest.requeued.unsigned_abs(),
        versions: rest.versions.unsigned_abs(),
        terms: rest.terms.unsigned_abs(),
        workers: rest.workers.unsigned_abs(),
    })
}

//! What a worker is given: everything that it needs to run an attempt, wherever it is.

use std::num::NonZeroU32;

use domain::{
    Digest, JobId, Resources, TenantId, Timestamp, WorkerId,
    child::DataFile,
    comparison::Side,
    inquiry::Inquiry,
    job::{Attempt, JobKind},
    spec::TrainingSpec,
};
use uuid::Uuid;

use crate::{
    StoreError, SystemTx, Tx,
    datasets::digest,
    jobs::{json_column, kind_of},
    models::inquiries::asked_of,
};

/// Everything a worker needs to run an attempt, wherever it is.
#[derive(Debug, Clone)]
pub struct Assignment {
    pub attempt: Attempt,
    /// Which of the job's workers; 0 speaks for the attempt.
    pub rank: u32,
    /// How many there are.
    pub workers: u32,
    pub tenant: TenantId,
    pub kind: JobKind,
    pub spec: Option<TrainingSpec>,
    pub data: DataFile,
    /// Of this one of its workers.
    pub resources: Resources,
    pub checkpoint: Option<Checkpoint>,
    /// Whose the model is whose weights it starts from, where there is one.
    pub base_of: Option<TenantId>,
    /// What it judges, of a job that trains nothing.
    pub sides: Option<Sides>,
    /// What it asks one version.
    pub asks: Option<Asks>,
    /// Seconds.
    pub max_runtime: u64,
    /// As of the plan that did so.
    pub assigned_at: Timestamp,
}

/// Two models by content, and whose rows held back they are judged on.
#[derive(Debug, Clone, Copy)]
pub struct Sides {
    pub a: Stored,
    pub b: Stored,
    pub held_back_by: Option<Side>,
}

/// A version that is asked something.
#[derive(Debug, Clone, Copy)]
pub struct Asks {
    pub inquiry: Inquiry,
    /// None if its model is hidden from the job's tenant by now, or it was deleted.
    pub model: Option<Stored>,
}

/// The two files of a model, and whose they are.
#[derive(Debug, Clone, Copy)]
pub struct Stored {
    pub tenant: TenantId,
    pub config: Digest,
    pub weights: Digest,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Where its bytes are in the object store.
    pub path: String,
    pub step: u64,
}

/// Attempts given to this worker that it has not started, of a gang's attempt each rank. `since` leaves out
/// those that were given earlier, so that a worker of a million attempts need not walk over what is left of
/// those that have ended (a reader's open snapshot keeps it).
pub async fn assigned_to(
    tx: &mut SystemTx<'_>,
    worker: WorkerId,
    since: Option<Timestamp>,
) -> Result<Vec<Assignment>, StoreError> {
    sqlx::query!(
        r#"with given as (
             select job_id, number, 0 as rank, assigned_at
             from attempt
             where worker_id = $1 and ended_at is null and started_at is null
               and assigned_at >= coalesce($2, '-infinity'::timestamptz)
             union all
             select s.job_id, s.number, s.rank, a.assigned_at
             from seat s join attempt a using (job_id, number)
             where s.worker_id = $1 and s.rank > 0 and s.started_at is null and s.left_at is null
               and a.outcome is null and a.assigned_at >= coalesce($2, '-infinity'::timestamptz)
         )
         select j.id, j.attempt, g.rank as "rank!", j.workers, j.tenant_id, j.kind, j.spec, j.cpu_milli,
                j.memory_bytes, j.accelerator_milli, j.checkpoint_path, j.checkpoint_step, v.sha256,
                v.bytes, v.format, v.compression, g.assigned_at as "assigned_at!",
                b.tenant_id as "base_of?", e.held_back_by as "held_back_by?",
                ea.tenant_id as "a_of?", ea.config_sha256 as "a_config?", ea.weights_sha256 as "a_weights?",
                eb.tenant_id as "b_of?", eb.config_sha256 as "b_config?", eb.weights_sha256 as "b_weights?",
                j.max_runtime, q.asked as "asked?", qv.tenant_id as "asked_of?",
                qv.config_sha256 as "asked_config?", qv.weights_sha256 as "asked_weights?"
         from given g
         join job j on j.id = g.job_id and j.attempt = g.number
         join dataset_version v on v.dataset_id = j.dataset_id and v.number = j.dataset_version
         left join model_version b on b.model_id = j.base_model_id and b.number = j.base_number
         left join evaluation e on e.job_id = j.id
         left join model_version ea on ea.model_id = e.a_model_id and ea.number = e.a_number
         left join model_version eb on eb.model_id = e.b_model_id and eb.number = e.b_number
         left join inquiry q on q.job_id = j.id
         -- what the caller could ask itself at this moment
         left join model_version qv on qv.model_id = q.model_id and qv.number = q.number
             and qv.state <> 'deleted'
             and (qv.tenant_id = j.tenant_id or exists (
                 select from model m
                 where m.id = q.model_id
                   and (m.visibility = 'public' or m.visibility = 'shared' and exists (
                       select from model_share s
                       where s.model_id = m.id and s.with_tenant_id = j.tenant_id))))
         order by j.id, g.rank"#,
        worker.uuid(),
        since,
    )
    .fetch_all(tx.conn())
    .await?
    .into_iter()
    .map(|row| {
        let bad = |column| move |why: String| StoreError::corrupt("dataset_version", column, why);
        let number = NonZeroU32::new(row.attempt.unsigned_abs())
            .ok_or_else(|| StoreError::corrupt("job", "attempt", "0 while live"))?;
        let a = stored(row.a_of, row.a_config, row.a_weights)?;
        let b = stored(row.b_of, row.b_config, row.b_weights)?;
        let side = row.held_back_by.as_deref().map(str::parse).transpose();
        let held_back_by =
            side.map_err(|why: String| StoreError::corrupt("evaluation", "held_back_by", why))?;
        let asked = stored(row.asked_of, row.asked_config, row.asked_weights)?;
        let asks = row.asked.map(|it| Ok::<_, StoreError>(Asks { inquiry: asked_of(it)?, model: asked }));
        Ok(Assignment {
            asks: asks.transpose()?,
            max_runtime: row.max_runtime.unsigned_abs(),
            sides: a.zip(b).map(|(a, b)| Sides { a, b, held_back_by }),
            attempt: Attempt { job: JobId::from_uuid(row.id), number },
            rank: row.rank.unsigned_abs(),
            workers: row.workers.unsigned_abs(),
            tenant: TenantId::from_uuid(row.tenant_id),
            kind: kind_of(&row.kind),
            spec: json_column(row.spec, "job", "spec")?,
            data: DataFile {
                format: row.format.parse().map_err(bad("format"))?,
                compression: row.compression.parse().map_err(bad("compression"))?,
                sha256: digest(&row.sha256, "dataset_version", "sha256")?,
                bytes: row.bytes.unsigned_abs(),
            },
            resources: Resources {
                cpu_milli: row.cpu_milli.unsigned_abs().into(),
                memory_bytes: row.memory_bytes.unsigned_abs(),
                accelerator_milli: row.accelerator_milli.unsigned_abs().into(),
            },
            checkpoint: row
                .checkpoint_path
                .zip(row.checkpoint_step)
                .map(|(path, step)| Checkpoint { path, step: step.unsigned_abs() }),
            base_of: row.base_of.map(TenantId::from_uuid),
            assigned_at: row.assigned_at,
        })
    })
    .collect()
}

fn stored(
    tenant: Option<Uuid>,
    config: Option<Vec<u8>>,
    weights: Option<Vec<u8>>,
) -> Result<Option<Stored>, StoreError> {
    let (Some(tenant), Some(config), Some(weights)) = (tenant, config, weights) else {
        return Ok(None);
    };
    Ok(Some(Stored {
        tenant: TenantId::from_uuid(tenant),
        config: digest(&config, "model_version", "config_sha256")?,
        weights: digest(&weights, "model_version", "weights_sha256")?,
    }))
}

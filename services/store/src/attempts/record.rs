//! What a child has said: metrics, log lines, and events for those who follow its job.

use std::collections::BTreeMap;

use domain::{child, job::Attempt};
use serde_json::json;

use super::Recorded;
use crate::{StoreError, SystemTx, Tx, events, jobs::transition::number};

/// Locks the job's row if `attempt` is still its live one.
async fn hold(tx: &mut SystemTx<'_>, attempt: Attempt) -> Result<Recorded, StoreError> {
    let held = sqlx::query_scalar!(
        "select id from job
         where id = $1 and attempt = $2 and status in ('starting', 'running', 'stopping')
         for update",
        attempt.job.uuid(),
        number(attempt),
    )
    .fetch_optional(tx.conn())
    .await?;
    Ok(if held.is_some() { Recorded::Recorded } else { Recorded::Superseded })
}

/// What the child has said, in order: metrics, log lines, and an event for each epoch.
/// `first_line` numbers the log lines of this batch.
pub async fn record(
    tx: &mut SystemTx<'_>,
    attempt: Attempt,
    said: &[child::Event],
    first_line: u64,
) -> Result<Recorded, StoreError> {
    if hold(tx, attempt).await? == Recorded::Superseded {
        return Ok(Recorded::Superseded);
    }
    let mut line_no = first_line;
    for event in said {
        match event {
            child::Event::Started { total_steps, epochs, parameters, resumed_from_step } => {
                set_total_steps(tx, attempt, *total_steps).await?;
                let data = json!({"attempt": attempt.number, "total_steps": total_steps,
                    "epochs": epochs, "parameters": parameters,
                    "resumed_from_step": resumed_from_step});
                events::append(tx.conn(), attempt.job, "training", data).await?;
            }
            child::Event::Epoch { epoch, step, metrics } => {
                add_metrics(tx, attempt, *epoch, *step, metrics).await?;
                let data = json!({"attempt": attempt.number, "epoch": epoch, "step": step,
                    "metrics": metrics});
                events::append(tx.conn(), attempt.job, "epoch", data).await?;
            }
            child::Event::Log { line } => {
                add_line(tx, attempt, line_no, line).await?;
                line_no += 1;
            }
            child::Event::Step { step, epoch, loss, kept: true } => {
                let point = [("batch_loss".to_owned(), *loss)].into();
                add_metrics(tx, attempt, *epoch, *step, &point).await?;
            }
            // other steps are carried by the heartbeat, a checkpoint and the end by calls of their own
            child::Event::Step { .. }
            | child::Event::Checkpoint { .. }
            | child::Event::Round { .. }
            | child::Event::Verdict { .. }
            | child::Event::Profiled { .. }
            | child::Event::Trained { .. }
            | child::Event::Evaluated { .. }
            | child::Event::Found { .. }
            | child::Event::Stopped { .. }
            | child::Event::Failed { .. } => {}
        }
    }
    Ok(Recorded::Recorded)
}

async fn set_total_steps(
    tx: &mut SystemTx<'_>,
    attempt: Attempt,
    total: u64,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update job set total_steps = $2 where id = $1",
        attempt.job.uuid(),
        i64::try_from(total).unwrap_or(i64::MAX),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Repeated steps of a resumed attempt have the same values: the later write wins.
async fn add_metrics(
    tx: &mut SystemTx<'_>,
    attempt: Attempt,
    epoch: u32,
    step: u64,
    metrics: &BTreeMap<String, f64>,
) -> Result<(), StoreError> {
    let names: Vec<String> = metrics.keys().cloned().collect();
    let values: Vec<f64> = metrics.values().copied().collect();
    sqlx::query!(
        "insert into job_metric (job_id, name, step, tenant_id, epoch, value)
         select j.id, m.name, $2, j.tenant_id, $3, m.value
         from job j, unnest($4::text[], $5::float8[]) as m (name, value)
         where j.id = $1
         on conflict (job_id, name, step) do update set value = excluded.value, at = now()",
        attempt.job.uuid(),
        i64::try_from(step).unwrap_or(i64::MAX),
        i32::try_from(epoch).unwrap_or(i32::MAX),
        &names,
        &values,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

async fn add_line(
    tx: &mut SystemTx<'_>,
    attempt: Attempt,
    line_no: u64,
    line: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into job_log (job_id, attempt, line_no, tenant_id, line)
         select id, $2, $3, tenant_id, $4 from job where id = $1
         on conflict do nothing",
        attempt.job.uuid(),
        number(attempt),
        i64::try_from(line_no).unwrap_or(i64::MAX),
        // text in Postgres holds no NUL
        line.replace('\0', "\u{fffd}"),
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

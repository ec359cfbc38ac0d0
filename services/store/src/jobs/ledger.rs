//! What is kept of attempts beside their jobs: where the workers of gangs are, and what an attempt that has
//! ended has cost.

use domain::job::JobEvent;
use sqlx::PgConnection;

use super::transition::{Step, number};
use crate::StoreError;

/// Where the workers of gangs are. An attempt of one worker has no such rows, and costs nothing here.
pub(super) async fn open_seats(conn: &mut PgConnection, steps: &[Step]) -> Result<(), StoreError> {
    let (mut jobs, mut numbers, mut ranks) = (vec![], vec![], vec![]);
    let (mut workers, mut devices) = (vec![], vec![]);
    for step in steps {
        let JobEvent::Assigned { attempt, seats, .. } = &step.event else { continue };
        if seats.len() > 1 {
            for (rank, seat) in (0_i32..).zip(seats.iter()) {
                jobs.push(attempt.job.uuid());
                numbers.push(number(*attempt));
                ranks.push(rank);
                workers.push(seat.worker.uuid());
                devices.push(seat.devices.0.cast_signed());
            }
        }
    }
    if jobs.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into seat (job_id, number, rank, tenant_id, worker_id, devices)
         select j.id, s.number, s.rank, j.tenant_id, s.worker_id, s.devices
         from unnest($1::uuid[], $2::int[], $3::int[], $4::uuid[], $5::bigint[])
             as s (job_id, number, rank, worker_id, devices)
         join job j on j.id = s.job_id",
        &jobs,
        &numbers,
        &ranks,
        &workers,
        &devices,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// An attempt's row ends with its run: it then says what it has cost, and its tenant's budget has grown by that.
pub(super) async fn close(conn: &mut PgConnection, steps: &[Step]) -> Result<(), StoreError> {
    let (mut jobs, mut numbers, mut outcomes, mut causes) = (vec![], vec![], vec![], vec![]);
    let mut pays_all = vec![];
    for (step, (attempt, outcome, cause)) in steps.iter().filter_map(|s| Some((s, s.ended()?))) {
        let cause = cause.map(serde_json::to_value).transpose();
        jobs.push(attempt.job.uuid());
        numbers.push(number(attempt));
        outcomes.push(outcome.to_owned());
        pays_all.push(step.tenant_pays_all());
        causes.push(cause.map_err(|why| StoreError::corrupt("attempt", "cause", why))?);
    }
    if jobs.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "with ended as (
             select * from unnest($1::uuid[], $2::int[], $3::text[], $4::jsonb[], $5::boolean[])
                 as e (job_id, number, outcome, cause, pays_all)
         ), ran as (
             -- the platform pays for what is beyond `max_runtime`, and for work that is lost by its doing
             select e.*, j.rate_micro_credits, j.rate_accelerator_milli, t.millis,
                    case when e.pays_all then t.millis else least(t.millis, t.saved_millis) end as paid
             from ended e
             join job j on j.id = e.job_id
             join attempt a on a.job_id = e.job_id and a.number = e.number
             cross join lateral (select
                 least(greatest(extract(epoch from now() - a.assigned_at) * 1000, 0),
                       j.max_runtime::numeric * 1000)::bigint as millis,
                 greatest(extract(epoch from coalesce(j.saved_at, a.assigned_at) - a.assigned_at) * 1000,
                          0)::bigint as saved_millis) t
         ), closed as (
             update attempt a set
                 ended_at = now(), outcome = r.outcome, cause = r.cause,
                 millis = r.millis, paid_millis = r.paid,
                 micro_credits = least(ceil(r.rate_micro_credits::numeric * r.paid / 3600000),
                                       9223372036854775807),
                 accelerator_ms = least(ceil(r.rate_accelerator_milli::numeric * r.paid / 1000),
                                        9223372036854775807)
             from ran r
             where a.job_id = r.job_id and a.number = r.number
               -- that is, it has not ended; written so, it is found by its key, and not among all such
               and a.outcome is null
             returning a.tenant_id, a.micro_credits, a.accelerator_ms
         ), due as (
             select tenant_id, sum(micro_credits) as credits, sum(accelerator_ms) as accelerator_ms
             from closed group by tenant_id
         ), locked as (
             -- in order, so that none waits for another in a circle
             select b.tenant_id from budget b join due using (tenant_id) order by b.tenant_id
             for update of b
         ), charged as (
             update budget b set
                 spent_micro_credits =
                     least(b.spent_micro_credits + d.credits, 9223372036854775807),
                 spent_accelerator_ms =
                     least(b.spent_accelerator_ms + d.accelerator_ms, 9223372036854775807)
             from due d join locked l using (tenant_id)
             where b.tenant_id = d.tenant_id
             returning b.tenant_id
         )
         insert into change (kind, id) select 'tenant', tenant_id from charged",
        &jobs,
        &numbers,
        &outcomes,
        &causes as _,
        &pays_all,
    )
    .execute(conn)
    .await?;
    Ok(())
}

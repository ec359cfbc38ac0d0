//! What must hold of each job, its attempts, its events and its version.

use super::Found;
use crate::{StoreError, SystemTx, Tx};

pub(super) async fn attempts_in_order(tx: &mut SystemTx<'_>) -> Result<Vec<Found>, StoreError> {
    let rows = sqlx::query_as!(
        Found,
        r#"with step as (
             select job_id, number, assigned_at, lag(number, 1, 0) over w as before,
                    lag(ended_at) over w as ended
             from attempt window w as (partition by job_id order by number)
           )
           select job_id::text as "subject!",
                  format('attempt %s was assigned at %s, and attempt %s had ended at %s', number,
                         assigned_at, before, ended) as "detail!"
           from step
           where number <> before + 1 or before > 0 and (ended is null or ended > assigned_at)
           union all
           select j.id::text, format('counts %s attempts and has %s', j.attempt, count(a.number))
           from job j left join attempt a on a.job_id = j.id
           group by j.id
           having count(a.number) <> j.attempt
           order by 1, 2"#,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows)
}

pub(super) async fn live_attempts(tx: &mut SystemTx<'_>) -> Result<Vec<Found>, StoreError> {
    let rows = sqlx::query_as!(
        Found,
        r#"select j.id::text as "subject!",
                  format('is %s, with %s live attempts', j.status, count(a.number)) as "detail!"
           from job j left join attempt a on a.job_id = j.id and a.ended_at is null
           group by j.id
           having count(a.number) <> (j.status in ('starting', 'running', 'stopping'))::int
           order by 1"#,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows)
}

pub(super) async fn publications(tx: &mut SystemTx<'_>) -> Result<Vec<Found>, StoreError> {
    let rows = sqlx::query_as!(
        Found,
        r#"select j.id::text as "subject!",
                  format('is %s, with %s published versions', j.status, count(v.number)) as "detail!"
           from job j left join model_version v on v.job_id = j.id
           where j.kind = 'train'
           group by j.id
           having count(v.number) <> (j.status = 'succeeded')::int
           union all
           select j.id::text,
                  format('is %s, with %s attempts that succeeded', j.status, count(a.number))
           from job j left join attempt a on a.job_id = j.id and a.outcome = 'succeeded'
           group by j.id
           having count(a.number) <> (j.status = 'succeeded')::int
           union all
           select v.job_id::text, format('was published by attempt %s, which is %s', v.attempt,
                                         coalesce(a.outcome, 'none of its own'))
           from model_version v
           left join attempt a on a.job_id = v.job_id and a.number = v.attempt
           where v.job_id is not null and a.outcome is distinct from 'succeeded'
           order by 1, 2"#,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows)
}

pub(super) async fn events(tx: &mut SystemTx<'_>) -> Result<Vec<Found>, StoreError> {
    let rows = sqlx::query_as!(
        Found,
        r#"with told as (
             select job_id, count(*) as events, max(number) as last,
                    count(*) filter (where kind in ('succeeded', 'failed', 'cancelled')) as ends,
                    (array_agg(kind order by number desc))[1] as final
             from job_event group by job_id
           )
           select j.id::text as "subject!",
                  format('is %s after event %s; it has %s events up to %s, %s of them an end, and '
                         'the last one is %s', j.status, j.last_event, t.events, t.last, t.ends,
                         t.final) as "detail!"
           from job j left join told t on t.job_id = j.id
           where t.events is distinct from j.last_event
              or t.last is distinct from j.last_event
              or t.ends <> (j.finished_at is not null)::int
              or j.finished_at is not null and t.final <> j.status
           order by 1"#,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows)
}

pub(super) async fn tries(tx: &mut SystemTx<'_>, max_tries: u32) -> Result<Vec<Found>, StoreError> {
    let rows = sqlx::query_as!(
        Found,
        r#"select j.id::text as "subject!",
                  format('is %s (%s) after %s attempts that failed or were lost', j.status,
                         coalesce(j.cause ->> 'code', 'without a cause'), count(a.number))
                      as "detail!"
           from job j
           left join attempt a on a.job_id = j.id and a.outcome in ('failed', 'lost')
           group by j.id
           having count(a.number) > $1
               or j.status = 'failed' and (j.cause ->> 'code') is null
               or j.status = 'failed' and (j.cause ->> 'retryable')::bool
                  and count(a.number) <> $1
           order by 1"#,
        i64::from(max_tries),
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows)
}

pub(super) async fn dependencies(tx: &mut SystemTx<'_>) -> Result<Vec<Found>, StoreError> {
    let rows = sqlx::query_as!(
        Found,
        r#"select d.job_id::text as "subject!",
                  format('was started at %s, and waits for %s of %s, which is %s since %s',
                         a.assigned_at, d.condition, d.on_job_id, o.status, o.finished_at)
                      as "detail!"
           from job_dependency d
           join attempt a on a.job_id = d.job_id
           join job o on o.id = d.on_job_id
           where o.finished_at is null
              or o.finished_at > a.assigned_at
              or d.condition = 'success' and o.status <> 'succeeded'
              or d.condition = 'failure' and o.status not in ('failed', 'cancelled')
           order by 1"#,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows)
}

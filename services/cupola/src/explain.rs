//! `cupola admin explain`: why a job waits, for people.

use anyhow::{Context, bail};
use domain::JobId;
use gateway::ExplanationView;
use store::{Store, jobs::Job};

/// In sentences, or as the API answers.
pub async fn explain(store: &Store, id: JobId, as_json: bool) -> anyhow::Result<String> {
    let found = gateway::explain_any(store, id).await.context("the database did not answer")?;
    let Some((job, explanation)) = found else { bail!("there is no job `{id}`") };
    if as_json {
        return Ok(serde_json::to_string_pretty(&explanation)?);
    }
    Ok(sentences(&job, &explanation))
}

fn sentences(job: &Job, explained: &ExplanationView) -> String {
    let mut lines = vec![format!(
        "{} `{}` in pool {}, priority {}: {}",
        job.id,
        job.name,
        job.pool,
        job.priority,
        explained.status.as_str()
    )];
    if let Some(reason) = &explained.reason {
        lines.push(format!("  waits: {}", reason.message));
        lines.push(format!(
            "  ahead: {} jobs of its tenant, and {} tenants",
            explained.own_ahead, explained.tenants_ahead
        ));
    }
    if let Some(share) = &explained.share {
        lines.push(format!(
            "  its tenant: {} run and {} wait here; uses {}, guaranteed are {}",
            share.running, share.waiting, share.used, share.guaranteed
        ));
        let score = share.score.map_or("none".to_owned(), |score| format!("{score:.4}"));
        lines.push(format!(
            "  its share: {:.4} now, {:.4} on average, weight {}, score {score}",
            share.current, share.average, share.weight
        ));
    }
    if let Some(starts) = &explained.starts {
        lines.push(format!(
            "  starts: between {} and {}, if nothing else is submitted",
            starts.from.format("%FT%TZ"),
            starts.until.format("%FT%TZ")
        ));
    }
    lines.join("\n")
}

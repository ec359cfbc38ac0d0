//! What was used, what it has cost, what is left.

use actix_web::{get, web};
use domain::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;

use crate::{api::Route, chart, failure::Failure, layout::Page, visitor::Visitor, words};

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(own);
}

#[derive(Deserialize)]
pub(in crate::pages) struct Usage {
    from: Timestamp,
    until: Timestamp,
    attempts: Vec<OfPool>,
    paid: Spend,
    storage_byte_hours: u64,
    egress_bytes: u64,
    egress_this_month: Egress,
    budget: Option<Budget>,
}

#[derive(Deserialize)]
struct OfPool {
    pool: String,
    outcome: String,
    attempts: u64,
    cpu_ms: u64,
    accelerator_ms: u64,
    paid: Spend,
}

#[derive(Deserialize)]
struct Spend {
    credits: f64,
    accelerator_hours: f64,
}

#[derive(Deserialize)]
struct Egress {
    bytes: u64,
    limit: u64,
    resets_at: Timestamp,
}

#[derive(Deserialize)]
struct Budget {
    granted: Granted,
    spent: Spend,
    reserved: Spend,
}

#[derive(Deserialize)]
struct Granted {
    credits: Option<f64>,
    accelerator_hours: Option<f64>,
}

/// What has an end, as bars.
pub(in crate::pages) fn bars(usage: &Usage) -> Markup {
    let Egress { bytes, limit, .. } = usage.egress_this_month;
    html! {
        @if let Some(budget) = &usage.budget {
            @let used = budget.spent.credits + budget.reserved.credits;
            (chart::quota("Credits, with what running jobs may need", used, budget.granted.credits, words::number))
            @if let Some(hours) = budget.granted.accelerator_hours {
                (chart::quota("Accelerator hours", budget.spent.accelerator_hours + budget.reserved.accelerator_hours, Some(hours), words::number))
            }
        } @else {
            (chart::quota("Credits in thirty days, of no budget", usage.paid.credits, None, words::number))
        }
        (chart::quota("Downloads this month", bytes as f64, Some(limit as f64), |n| words::bytes(n as u64)))
    }
}

#[get("/usage")]
async fn own(visitor: Visitor) -> Result<Markup, Failure> {
    let route = Route::of(["usage"]);
    let usage: Usage = visitor.api.get(&route).await?;
    let now = visitor.app()?.clock.now();
    let body = html! { div.head { h1 { "Usage" } } (whole(&usage, now)) };
    Ok(Page { json: Some(&route), ..Page::new("Usage", "usage") }.render(&visitor, body))
}

/// Of one tenant, for itself and for an operator.
pub(in crate::pages) fn whole(usage: &Usage, now: Timestamp) -> Markup {
    let hours = (usage.until - usage.from).as_seconds_f64() / 3_600.0;
    let stored = usage.storage_byte_hours as f64 / hours.max(1.0);
    html! {
        div.columns {
            section.card { h2 { "Of what there is" } (bars(usage)) p.hint { "Downloads count anew " (words::ago(usage.egress_this_month.resets_at, now)) "." } }
            section.card {
                h2 { "From " (usage.from.format("%F")) " to " (usage.until.format("%F")) }
                dl.facts {
                    dt { "Paid" } dd { (words::number(usage.paid.credits)) " credits" }
                    dt { "Stored" } dd { (words::bytes(stored as u64)) " on average" }
                    dt { "Downloaded" } dd { (words::bytes(usage.egress_bytes)) }
                }
            }
        }
        section.card {
            h2 { "Attempts" }
            @if usage.attempts.is_empty() { p.quiet { "None in this time." } }
            @else { div.scroll tabindex="0" role="group" aria-label="Table" { table {
                thead { tr { th scope="col" { "Pool" } th scope="col" { "Ended" } th.right scope="col" { "Attempts" } th.right scope="col" { "CPU hours" } th.right scope="col" { "Accelerator hours" } th.right scope="col" { "Credits" } } }
                tbody { @for one in &usage.attempts { tr {
                    th scope="row" { (one.pool) }
                    td { (one.outcome) }
                    td.right { (words::count(one.attempts)) }
                    td.right { (words::number(one.cpu_ms as f64 / 3.6e6)) }
                    td.right { (words::number(one.accelerator_ms as f64 / 3.6e6)) }
                    td.right { (words::number(one.paid.credits)) }
                } } }
            } } }
        }
    }
}

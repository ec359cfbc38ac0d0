//! How a pool was shared over time: each tenant's part, of its guarantee and borrowed, one upon the other.

use actix_web::{get, web};
use chrono::TimeDelta;
use domain::Timestamp;
use futures::try_join;
use maud::{Markup, html};
use serde::Deserialize;

use super::pools::Pool;
use crate::{
    api::{List, Route},
    chart::{self, Area},
    failure::Failure,
    layout::{self, Page},
    visitor::Visitor,
    words,
};

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(show);
}

#[derive(Deserialize)]
struct Shares {
    from: Timestamp,
    until: Timestamp,
    step_seconds: u64,
    tenants: Vec<String>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    at: Timestamp,
    capacity_cpu_milli: u64,
    capacity_accelerator_milli: u64,
    all: Had,
    each: Vec<Had>,
}

#[derive(Deserialize, Clone, Copy, Default)]
struct Had {
    guaranteed_cpu_milli: u64,
    borrowed_cpu_milli: u64,
    guaranteed_accelerator_milli: u64,
    borrowed_accelerator_milli: u64,
}

/// Of what a pool has.
#[derive(Clone, Copy, PartialEq)]
enum Of {
    Cpus,
    Accelerators,
}

impl Of {
    /// Guaranteed and borrowed, in whole ones.
    fn had(self, had: &Had) -> (f64, f64) {
        let (own, more) = match self {
            Self::Cpus => (had.guaranteed_cpu_milli, had.borrowed_cpu_milli),
            Self::Accelerators => {
                (had.guaranteed_accelerator_milli, had.borrowed_accelerator_milli)
            }
        };
        (own as f64 / 1e3, more as f64 / 1e3)
    }

    fn capacity(self, step: &Step) -> f64 {
        let whole = match self {
            Self::Cpus => step.capacity_cpu_milli,
            Self::Accelerators => step.capacity_accelerator_milli,
        };
        whole as f64 / 1e3
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Cpus => "CPUs",
            Self::Accelerators => "Accelerators",
        }
    }
}

#[derive(Deserialize)]
struct Which {
    #[serde(default = "super::queue::default_pool")]
    pool: String,
    #[serde(default)]
    period: String,
}

const PERIODS: [(&str, &str, TimeDelta); 5] = [
    ("hours", "three hours", TimeDelta::hours(3)),
    ("day", "a day", TimeDelta::hours(24)),
    ("week", "a week", TimeDelta::days(7)),
    ("month", "30 days", TimeDelta::days(30)),
    ("quarter", "90 days", TimeDelta::days(90)),
];
const USUAL: usize = 1;
/// As many as colours; the others are drawn together.
const TENANTS: u32 = 6;
/// Rows of the table, by which it stays one that people read.
const MOST_ROWS: usize = 48;

#[get("/shares")]
async fn show(visitor: Visitor, which: web::Query<Which>) -> Result<Markup, Failure> {
    let Which { pool, period } = which.into_inner();
    let chosen = PERIODS.iter().find(|(name, ..)| *name == period).unwrap_or(&PERIODS[USUAL]);
    let now = visitor.app()?.clock.now();
    let from = (now - chosen.2).format("%FT%TZ");
    let route = Route::of(["pools", &pool, "shares"]).with("from", from).with("tenants", TENANTS);
    let pools = Route::of(["pools"]);
    let (shares, pools) =
        try_join!(visitor.api.get::<Shares>(&route), visitor.api.get::<List<Pool>>(&pools))?;
    let pools: Vec<_> =
        pools.items.iter().map(|one| (one.name.as_str(), one.name.as_str())).collect();
    let periods = PERIODS.map(|(name, words, _)| (name, words));
    let has_accelerators = shares.steps.iter().any(|step| step.capacity_accelerator_milli > 0);
    let body = html! {
        div.head { h1 { "Fair share over time" } }
        form.card.inline method="get" action="/console/shares" {
            (layout::select("pool", "Pool", &pool, &pools, ""))
            (layout::select("period", "The last", chosen.0, &periods, ""))
            button type="submit" { "Show" }
        }
        @if shares.steps.is_empty() {
            (layout::empty("Nothing is known of this time", html! { p { "The scheduler writes down once a minute how each pool is shared. Come back in a minute." } }))
        } @else {
            section.card { (figure(&shares, Of::Cpus)) }
            @if has_accelerators { section.card { (figure(&shares, Of::Accelerators)) } }
            section.card { h2 { "On average" } (averages(&shares)) }
            details.card { summary { "The figure as a table" } (table(&shares)) }
        }
    };
    Ok(Page { json: Some(&route), ..Page::new("Fair share over time", "shares") }
        .render(&visitor, body))
}

fn figure(shares: &Shares, of: Of) -> Markup {
    let steps = &shares.steps;
    let at = |step: &Step| (step.at - shares.from).num_seconds() as f64;
    let points = |value: &dyn Fn(&Step) -> f64| -> Vec<(f64, f64)> {
        steps.iter().map(|step| (at(step), value(step))).collect()
    };
    let mut areas = Vec::new();
    for (place, tenant) in shares.tenants.iter().enumerate() {
        areas.push(Area {
            name: tenant,
            solid: points(&|step| of.had(&step.each[place]).0),
            faint: points(&|step| of.had(&step.each[place]).1),
        });
    }
    let rest = |step: &Step| {
        let named = step.each.iter().map(|had| of.had(had));
        let named = named.fold((0.0, 0.0), |sum, had| (sum.0 + had.0, sum.1 + had.1));
        let all = of.had(&step.all);
        ((all.0 - named.0).max(0.0), (all.1 - named.1).max(0.0))
    };
    if steps.iter().any(|step| rest(step) != (0.0, 0.0)) {
        areas.push(Area {
            name: "others",
            solid: points(&|step| rest(step).0),
            faint: points(&|step| rest(step).1),
        });
    }
    let capacity = points(&|step| of.capacity(step));
    let ends = [shares.from, shares.until].map(|at| at.format("%F %H:%M").to_string());
    let step = shares.step_seconds as f64;
    chart::areas(of.title(), &areas, &capacity, step, [&ends[0], &ends[1]])
}

/// Of CPUs, and of accelerators where somebody had some.
fn averages(shares: &Shares) -> Markup {
    let steps = shares.steps.len().max(1) as f64;
    let mean = |of: Of, get: &dyn Fn(&Step) -> Had| {
        let sum = shares.steps.iter().map(|step| of.had(&get(step)));
        let sum = sum.fold((0.0, 0.0), |sum, had| (sum.0 + had.0, sum.1 + had.1));
        (sum.0 / steps, sum.1 / steps)
    };
    let row = |name: &str, get: &dyn Fn(&Step) -> Had| {
        let (cpus, accelerators) = (mean(Of::Cpus, get), mean(Of::Accelerators, get));
        html! { tr {
            th scope="row" { (name) }
            td.right { (words::number(cpus.0)) } td.right { (words::number(cpus.1)) }
            td.right { (words::number(accelerators.0)) } td.right { (words::number(accelerators.1)) }
        } }
    };
    html! {
        div.scroll tabindex="0" role="group" aria-label="Table" { table {
            thead { tr { th scope="col" { "Tenant" } th.right scope="col" { "CPUs of its guarantee" } th.right scope="col" { "CPUs borrowed" } th.right scope="col" { "Accelerators of its guarantee" } th.right scope="col" { "Accelerators borrowed" } } }
            tbody {
                @for (place, tenant) in shares.tenants.iter().enumerate() { (row(tenant, &|step| step.each[place])) }
                (row("All tenants", &|step| step.all))
            }
        } }
    }
}

fn table(shares: &Shares) -> Markup {
    let every = shares.steps.len().div_ceil(MOST_ROWS).max(1);
    let said = |had: &Had| {
        let (own, more) = Of::Cpus.had(had);
        format!("{} + {}", words::number(own), words::number(more))
    };
    html! {
        p.hint { "CPUs, of the guarantee and borrowed, on average of " (words::duration(shares.step_seconds as f64)) @if every > 1 { "; one step of " (every) } "." }
        div.scroll tabindex="0" role="group" aria-label="The figure as a table" { table {
            thead { tr { th scope="col" { "From" } @for tenant in &shares.tenants { th.right scope="col" { (tenant) } } th.right scope="col" { "All" } th.right scope="col" { "Of" } } }
            tbody { @for step in shares.steps.iter().step_by(every) { tr {
                th.nowrap scope="row" { (step.at.format("%F %H:%M")) }
                @for had in &step.each { td.right.nowrap { (said(had)) } }
                td.right.nowrap { (said(&step.all)) }
                td.right { (words::number(Of::Cpus.capacity(step))) }
            } } }
        } }
    }
}

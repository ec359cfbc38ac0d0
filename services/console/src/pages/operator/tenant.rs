//! One tenant: its limits, its quota in each pool, its budget, what it has used.

use actix_web::{HttpResponse, get, http::Method, post, web};
use futures::try_join;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    pools::{Pool, Resources},
    tenants::{Limits, Tenant},
};
use crate::{
    api::{List, Route},
    failure::{Errors, Failure},
    form::{Fields, Sent},
    layout::{self, Field, Page},
    pages::{
        see,
        tenant::usage::{self, Usage},
    },
    visitor::Visitor,
    words,
};

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(show).service(set_limits).service(set_quota).service(remove_quota);
    cfg.service(set_budget);
}

#[derive(Deserialize)]
struct Quota {
    pool: String,
    guaranteed: Resources,
    limit: Amount,
    weight: u32,
    cohort: Option<String>,
    max_running: Option<u64>,
    max_queued: Option<u64>,
}

#[derive(Deserialize)]
struct Amount {
    cpu_milli: Option<u64>,
    memory_bytes: Option<u64>,
    accelerator_milli: Option<u64>,
}

#[get("/tenants/{slug}")]
async fn show(visitor: Visitor, slug: web::Path<String>) -> Result<Markup, Failure> {
    page(&visitor, &slug, &Errors::default()).await
}

async fn page(visitor: &Visitor, slug: &str, errors: &Errors) -> Result<Markup, Failure> {
    let api = &visitor.api;
    let route = Route::of(["tenants", slug]);
    let quotas = Route::of(["tenants", slug, "quotas"]);
    let (usage, pools) = (Route::of(["tenants", slug, "usage"]), Route::of(["pools"]));
    let (tenant, quotas, usage, pools) = try_join!(
        api.get::<Tenant>(&route),
        api.get::<List<Quota>>(&quotas),
        api.get::<Usage>(&usage),
        api.get::<List<Pool>>(&pools),
    )?;
    let now = visitor.app()?.clock.now();
    let body = html! {
        p.crumbs { a href="/console/tenants" { "Tenants" } " / " (tenant.slug) }
        div.head {
            div { h1 { (tenant.name) } @if let Some(at) = tenant.closed_at { p { span.badge.bad { "closed" } " " (words::ago(at, now)) } } }
            a.button href=(format!("/console/audit?tenant={}", tenant.slug)) { "Its audit log" }
        }
        (layout::errors(errors))
        section.card { h2 { "Quotas" } (quota_table(visitor, slug, &quotas.items)) }
        @if visitor.me.operates() {
            (quota_form(visitor, slug, &pools.items))
            div.columns { (limits_form(visitor, slug, &tenant.limits)) (budget_form(visitor, slug)) }
        }
        (usage::whole(&usage, now))
    };
    Ok(Page { json: Some(&route), ..Page::new(&tenant.name, "tenants") }.render(visitor, body))
}

fn quota_table(visitor: &Visitor, slug: &str, quotas: &[Quota]) -> Markup {
    let or_none = |n: Option<u64>| n.map_or_else(|| "–".to_owned(), words::count);
    html! {
        @if quotas.is_empty() { p.quiet { "None was set: nothing is guaranteed, everything idle may be borrowed, and its weight is 1." } }
        @else { div.scroll tabindex="0" role="group" aria-label="Table" { table {
            thead { tr { th scope="col" { "Pool" } th scope="col" { "Guaranteed" } th scope="col" { "Limit" } th.right scope="col" { "Weight" } th scope="col" { "Cohort" } th.right scope="col" { "Running" } th.right scope="col" { "Queued" } th scope="col" { "" } } }
            tbody { @for quota in quotas { tr {
                th scope="row" { (quota.pool) }
                td { (quota.guaranteed.said()) }
                td { (amount(quota.limit.cpu_milli, quota.limit.memory_bytes, quota.limit.accelerator_milli)) }
                td.right { (quota.weight) }
                td { (quota.cohort.as_deref().unwrap_or("–")) }
                td.right { (or_none(quota.max_running)) }
                td.right { (or_none(quota.max_queued)) }
                td.right { @if visitor.me.operates() { (layout::act(visitor, &format!("/console/tenants/{slug}/quotas/{}/remove", quota.pool), "Remove", "small danger")) } }
            } } }
        } } }
    }
}

impl Resources {
    pub fn said(&self) -> String {
        amount(Some(self.cpu_milli), Some(self.memory_bytes), Some(self.accelerator_milli))
    }
}

fn amount(
    cpu_milli: Option<u64>,
    memory_bytes: Option<u64>,
    accelerator_milli: Option<u64>,
) -> String {
    let milli = |n: u64, what: &str| format!("{} {what}", words::number(n as f64 / 1e3));
    let parts = [
        cpu_milli.filter(|n| *n > 0).map(|n| milli(n, "CPUs")),
        memory_bytes.filter(|n| *n > 0).map(words::bytes),
        accelerator_milli.filter(|n| *n > 0).map(|n| milli(n, "accelerators")),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "–".to_owned() } else { parts.join(", ") }
}

fn number<'a>(name: &'a str, label: &'a str, hint: &'a str) -> Markup {
    Field { kind: "number", hint, ..Field::new(name, label) }.render()
}

fn quota_form(visitor: &Visitor, slug: &str, pools: &[Pool]) -> Markup {
    let pools: Vec<_> = pools.iter().map(|pool| (pool.name.as_str(), pool.name.as_str())).collect();
    html! { section.card {
        h2 { "Set the quota in a pool" }
        p.hint { "In place of the one that it has there." }
        form method="post" action=(format!("/console/tenants/{slug}/quotas")) {
            (layout::seal(visitor))
            div.fields {
                (layout::select("pool", "Pool", "default", &pools, ""))
                (number("guaranteed_cpus", "Guaranteed CPUs", "Its own whenever it wants them."))
                (number("guaranteed_gib", "Guaranteed GiB of memory", ""))
                (number("guaranteed_accelerators", "Guaranteed accelerators", ""))
                (number("limit_cpus", "At most CPUs", "With what it borrows; empty: no limit."))
                (number("limit_gib", "At most GiB of memory", ""))
                (number("weight", "Weight", "Of idle capacity it gets a share by weight."))
                (number("max_running", "Running jobs", ""))
                (number("max_queued", "Queued jobs", ""))
                (Field { hint: "Tenants of one cohort lend each other what is guaranteed.", ..Field::new("cohort", "Cohort") }.render())
            }
            div.row {
                button.main type="submit" { "Set it" }
                button type="submit" formaction=(format!("/console/tenants/{slug}/quotas/what-if")) { "See first what it would change" }
            }
        }
    } }
}

fn limits_form(visitor: &Visitor, slug: &str, limits: &Limits) -> Markup {
    let fields = [
        ("max_running_jobs", "Running jobs", limits.max_running_jobs),
        ("max_queued_jobs", "Queued jobs", limits.max_queued_jobs),
        ("max_storage_bytes", "Bytes stored", limits.max_storage_bytes),
        ("max_egress_bytes", "Bytes downloaded a month", limits.max_egress_bytes),
    ];
    html! { section.card {
        h2 { "Limits" }
        form method="post" action=(format!("/console/tenants/{slug}/limits")) {
            (layout::seal(visitor))
            @for (name, label, value) in fields {
                (Field { kind: "number", value: &value.to_string(), ..Field::new(name, label) }.render())
            }
            button.main type="submit" { "Set them" }
        }
    } }
}

fn budget_form(visitor: &Visitor, slug: &str) -> Markup {
    html! { section.card {
        h2 { "Budget" }
        p.hint { "What it may spend in all, from now on. Both empty: no budget any more." }
        form method="post" action=(format!("/console/tenants/{slug}/budget")) {
            (layout::seal(visitor))
            (number("credits", "Credits", ""))
            (number("accelerator_hours", "Accelerator hours", ""))
            button.main type="submit" { "Set it" }
        }
    } }
}

#[post("/tenants/{slug}/limits")]
async fn set_limits(
    sent: Sent,
    visitor: Visitor,
    slug: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let names = ["max_running_jobs", "max_queued_jobs", "max_storage_bytes", "max_egress_bytes"];
    let limits = numbers(&sent.0, &names).map(|limits| json!({ "limits": limits }));
    set(&visitor, &slug, Method::PATCH, &Route::of(["tenants", &slug]), limits).await
}

#[post("/tenants/{slug}/quotas")]
async fn set_quota(
    sent: Sent,
    visitor: Visitor,
    slug: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let route = Route::of(["tenants", &slug, "quotas", sent.0.text("pool")]);
    set(&visitor, &slug, Method::PUT, &route, quota(&sent.0)).await
}

#[post("/tenants/{slug}/quotas/{pool}/remove")]
async fn remove_quota(
    _sent: Sent,
    visitor: Visitor,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Failure> {
    let (slug, pool) = path.into_inner();
    visitor.api.order(Method::DELETE, &Route::of(["tenants", &slug, "quotas", &pool])).await?;
    Ok(see(&format!("/console/tenants/{slug}")))
}

#[post("/tenants/{slug}/budget")]
async fn set_budget(
    sent: Sent,
    visitor: Visitor,
    slug: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let route = Route::of(["tenants", &slug, "budget"]);
    let budget = numbers(&sent.0, &["credits", "accelerator_hours"]);
    if budget.as_ref().is_ok_and(Map::is_empty) {
        visitor.api.order(Method::DELETE, &route).await?;
        return Ok(see(&format!("/console/tenants/{slug}")));
    }
    set(&visitor, &slug, Method::PUT, &route, budget.map(Value::Object)).await
}

async fn set(
    visitor: &Visitor,
    slug: &str,
    method: Method,
    route: &Route,
    body: Result<Value, Errors>,
) -> Result<HttpResponse, Failure> {
    let errors = match body {
        Ok(body) => match visitor.api.change(method, route, &body).await {
            Ok(()) => return Ok(see(&format!("/console/tenants/{slug}"))),
            Err(failure) => failure.into_errors()?,
        },
        Err(errors) => errors,
    };
    again(visitor, slug, &errors).await
}

/// With what was wrong.
pub(super) async fn again(
    visitor: &Visitor,
    slug: &str,
    errors: &Errors,
) -> Result<HttpResponse, Failure> {
    let page = page(visitor, slug, errors).await?;
    Ok(HttpResponse::UnprocessableEntity().content_type(layout::HTML).body(page.into_string()))
}

/// Those that were filled in.
fn numbers(fields: &Fields, names: &[&str]) -> Result<Map<String, Value>, Errors> {
    let mut all = Map::new();
    for name in names {
        if let Some(number) = fields.number(name)? {
            all.insert((*name).to_owned(), number);
        }
    }
    Ok(all)
}

/// People say CPUs and GiB, the API thousandths and bytes.
pub(super) fn quota(fields: &Fields) -> Result<Value, Errors> {
    let mut quota = numbers(fields, &["weight", "max_running", "max_queued"])?;
    if let Some(cohort) = fields.some("cohort") {
        quota.insert("cohort".to_owned(), cohort.into());
    }
    for part in ["guaranteed", "limit"] {
        let mut amount = Map::new();
        for (end, name, unit) in [
            ("cpus", "cpu_milli", 1e3),
            ("gib", "memory_bytes", f64::from(1 << 30)),
            ("accelerators", "accelerator_milli", 1e3),
        ] {
            if let Some(number) = fields.number(&format!("{part}_{end}"))? {
                let whole = (number.as_f64().unwrap_or_default() * unit).round();
                amount.insert(name.to_owned(), (whole as i64).into());
            }
        }
        if !amount.is_empty() {
            quota.insert(part.to_owned(), amount.into());
        }
    }
    Ok(quota.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_say_becomes_what_the_api_takes() {
        let filled =
            [("weight", "2"), ("guaranteed_cpus", "1.5"), ("limit_gib", "4"), ("cohort", " ")];
        let fields = filled.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let expected = json!({
            "weight": 2, "guaranteed": { "cpu_milli": 1500 }, "limit": { "memory_bytes": 4_294_967_296_u64 },
        });
        assert_eq!(quota(&Fields(fields.into())).unwrap(), expected);
        let wrong = Fields(vec![("weight".to_owned(), "much".to_owned())]);
        assert_eq!(quota(&wrong).unwrap_err().at("weight"), Some("`much` is no number"));
    }
}

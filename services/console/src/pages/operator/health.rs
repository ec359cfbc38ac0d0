//! Whether everything answers that the platform is made of, and where something waits for an operator.

use actix_web::{dev::Payload, get, http::Method, web};
use futures::try_join;
use maud::{Markup, html};
use serde::Deserialize;

use super::{
    heat::Load,
    pools::{Pool, share},
};
use crate::{
    api::{List, Route},
    chart,
    failure::Failure,
    layout::{self, Live, Page},
    visitor::Visitor,
    words,
};

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(health);
}

#[derive(Deserialize)]
struct Head {
    place: u64,
    hash: String,
}

#[get("/health")]
async fn health(visitor: Visitor) -> Result<Markup, Failure> {
    let (pools, loads) = (Route::of(["pools"]), Route::of(["workers", "load"]));
    let head = Route::of(["audit", "head"]);
    let (pools, loads, head) = try_join!(
        visitor.api.get::<List<Pool>>(&pools),
        visitor.api.get::<List<Load>>(&loads),
        visitor.api.get::<Head>(&head),
    )?;
    // of this gateway: whether it is sent requests at all
    let ready = visitor.api.question(Method::GET, "/readyz", Payload::None)?;
    let trouble = match visitor.api.open(ready).await {
        Ok(_) => None,
        Err(Failure::Told(problem)) => Some(problem.detail),
        Err(failure) => return Err(failure),
    };
    let body = html! {
        div.head { h1 { "System health" } }
        div #health data-live {
            section.card { div.scroll tabindex="0" role="group" aria-label="Table" { table {
                thead { tr { th scope="col" { "What" } th scope="col" { "State" } th scope="col" { "More" } } }
                tbody {
                    @match &trouble {
                        None => (row("Database and object store", "up", html! { "Both answer this gateway." })),
                        Some(why) => (row("Database and object store", "failed", html! { (why) })),
                    }
                    @for pool in &pools.items { (of_pool(pool, loads.items.iter().find(|load| load.pool == pool.name))) }
                    (row("Audit log", "up", html! { "Its last record is " (words::count(head.place)) ", " code { (head.hash) } ". Keep that elsewhere: it shows later whether anything before it was changed." }))
                }
            } } }
            p.small { a href="/metrics" { "Everything that is measured" } ", for Prometheus." }
        }
    };
    let page = Page { live: Live::Every(5), ..Page::new("System health", "health") };
    Ok(page.render(&visitor, body))
}

fn row(what: &str, state: &str, more: Markup) -> Markup {
    html! { tr { th scope="row" { (what) } td { (layout::badge(state)) } td { (more) } } }
}

fn of_pool(pool: &Pool, load: Option<&Load>) -> Markup {
    let name = format!("Pool {}", pool.name);
    let (used, of) = (&pool.used, &pool.capacity);
    let full = share(used.cpu_milli, of.cpu_milli)
        .max(share(used.memory_bytes, of.memory_bytes))
        .max(share(used.accelerator_milli, of.accelerator_milli));
    let (cordoned, draining) = load.map_or((0, 0), |load| (load.cordoned, load.draining));
    let out = html! {
        @if cordoned + draining > 0 { ", " (words::count(cordoned)) " cordoned, " (words::count(draining)) " draining" }
        "."
    };
    let workers = words::many(pool.workers, "worker");
    if pool.workers == 0 {
        return row(
            &name,
            "failed",
            html! { "No worker takes new work: what is submitted waits" (out) },
        );
    }
    let (state, more) =
        if full >= chart::NEARLY_FULL { ("pending", ", nearly full") } else { ("up", "") };
    row(&name, state, html! { (workers) ", " (words::percent(full)) " in use" (more) (out) })
}

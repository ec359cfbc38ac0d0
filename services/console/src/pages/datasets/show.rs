//! One dataset: its versions, and the profile of the one that is looked at.

use actix_web::{get, web};
use futures::try_join;
use maud::{Markup, html};
use serde::Deserialize;

use super::{Profile, Version, profile};
use crate::{
    api::{List, Route},
    failure::Failure,
    layout::{self, Live, Page},
    pages::{advice, example},
    visitor::Visitor,
    words,
};

#[derive(Deserialize)]
struct Which {
    #[serde(default)]
    version: String,
}

#[get("/datasets/{name}")]
pub(super) async fn show(
    visitor: Visitor,
    name: web::Path<String>,
    which: web::Query<Which>,
) -> Result<Markup, Failure> {
    let which = if which.version.is_empty() { "latest" } else { &which.version };
    let route = Route::of(["datasets", &name, "versions", which]);
    let all = Route::of(["datasets", &name, "versions"]);
    let (version, all) =
        try_join!(visitor.api.get::<Version>(&route), visitor.api.get::<List<Version>>(&all),)?;
    let now = visitor.app()?.clock.now();
    let advice = advised(&visitor, &version).await?;
    let body = html! {
        p.crumbs { a href="/console/datasets" { "Datasets" } " / " (version.dataset) }
        div.head #head data-live {
            div { h1 { (version.dataset) " " span.quiet { "version " (version.version) } " " (layout::badge(version.state())) } }
            div.row {
                a.button href=(content(&version)) { "Download" }
                @if visitor.me.develops() && matches!(version.profile, Profile::Ready(_)) {
                    a.button.main href=(format!("/console/jobs/new?dataset={}", version.dataset)) { "Train on it" }
                }
            }
        }
        @if version.dataset == example::DATASET && visitor.me.develops() { (example::next_step(&visitor)) }
        (advice)
        div #profile data-live {
            @match &version.profile {
                Profile::Pending => (pending()),
                Profile::Invalid { cause } => (cause.notice(html! {})),
                Profile::Ready(ready) => (profile::draw(ready)),
            }
        }
        section.card {
            h2 { "Versions" }
            div.scroll tabindex="0" role="group" aria-label="Table" { table {
                thead { tr { th scope="col" { "Version" } th scope="col" { "Profile" } th.right scope="col" { "Rows" } th.right scope="col" { "Size" } th scope="col" { "Made" } th scope="col" { "SHA-256" } } }
                tbody { @for one in &all.items { tr {
                    th scope="row" { a href=(format!("/console/datasets/{}?version={}", one.dataset, one.version)) aria-current=[(one.version == version.version).then_some("page")] { (one.version) } }
                    td { (layout::badge(one.state())) }
                    td.right { @if one.rows() > 0 { (words::count(one.rows())) } @else { "–" } }
                    td.right { (words::bytes(one.bytes)) " " span.quiet { (one.format) @if one.compression != "none" { " " (one.compression) } } }
                    td { (words::ago(one.created_at, now)) }
                    td { code title=(one.sha256) { (one.sha256.get(..12).unwrap_or_default()) } }
                } } }
            } }
        }
    };
    let live = if matches!(version.profile, Profile::Pending) { Live::Every(2) } else { Live::No };
    Ok(Page { json: Some(&route), live, ..Page::new(&version.dataset, "datasets") }
        .render(&visitor, body))
}

/// What one could train on it.
async fn advised(visitor: &Visitor, version: &Version) -> Result<Markup, Failure> {
    if !matches!(version.profile, Profile::Ready(_)) {
        return Ok(html! { div #advice data-live {} });
    }
    let (found, errors) = advice::start(visitor, (&version.dataset, version.version), "").await?;
    let drawn = found.as_ref().map(|found| found.draw(visitor)).transpose()?;
    let target = found.as_ref().and_then(|found| found.target.as_deref());
    Ok(html! {
        div #advice data-live {
            h2 { "What could I train?" }
            @if let Some(target) = target {
                p { "To predict " strong { (target) } ". " @if visitor.me.develops() { a href=(format!("/console/jobs/new?dataset={}", version.dataset)) { "Another column" } } }
            }
            @match drawn {
                Some(drawn) => (drawn),
                None => p.quiet { "Nothing yet: " (errors.detail) },
            }
        }
    })
}

fn content(version: &Version) -> String {
    let number = version.version.to_string();
    let route = Route::of(["datasets", &version.dataset, "versions", &number, "content"]);
    format!("/console/api{}", route.path())
}

fn pending() -> Markup {
    html! {
        div.notice.wait {
            p { "A worker is making the profile. This page shows it when it is there." }
            p { a href="/console/jobs?kind=profile" { "The jobs that make profiles" } }
        }
    }
}

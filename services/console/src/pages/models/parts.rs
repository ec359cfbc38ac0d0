//! The parts of a model's page that are only looked at.

use std::collections::BTreeMap;

use domain::Timestamp;
use maud::{Markup, html};

use super::{
    Model, Place,
    show::{Alias, Detail, Version},
};
use crate::{layout, words};

pub(super) fn tags(tags: &[String]) -> Markup {
    html! { @if !tags.is_empty() { ul.tags { @for tag in tags { li.badge { (tag) } } } } }
}

pub(super) fn title(detail: &Detail, version: Option<&Version>) -> Markup {
    let model = &detail.model;
    html! {
        div {
            h1 { span.quiet { (model.tenant) "/" } (model.name) @if let Some(version) = version { " " span.quiet { "version " (version.version) } } }
            @if !model.description.is_empty() { p { (model.description) } }
            p.row.small {
                (layout::badge(&model.visibility))
                @if let Some(licence) = &model.licence { span { (licence) } }
                span.quiet { (words::many(model.downloads, "download")) ", " (words::many(model.predictions, "prediction")) }
            }
            (tags(&model.tags))
        }
    }
}

pub(super) fn standing(version: &Version) -> Markup {
    html! {
        @match version.state.as_str() {
            "published" => "",
            state => div.notice.wait { p { "This version is " (layout::badge(state)) @if !version.reason.is_empty() { ": " (version.reason) } } },
        }
    }
}

/// Each figure once, on the rows trained on and on those held back.
pub(super) fn figures(metrics: &BTreeMap<String, f64>) -> Markup {
    const PARTS: [&str; 3] = ["val_", "test_", "cv_"];
    let is_base = |name: &&String| !PARTS.iter().any(|part| name.starts_with(part));
    let at =
        |name: String| metrics.get(&name).copied().map_or_else(|| "–".to_owned(), words::number);
    let has = |part: &str| metrics.keys().any(|name| name.starts_with(part));
    let (tested, crossed) = (has("test_"), has("cv_"));
    html! {
        @if !metrics.is_empty() {
            section.card { h2 { "Figures" } div.scroll tabindex="0" role="group" aria-label="Table" { table {
                thead { tr {
                    th scope="col" { "Figure" } th.right scope="col" { "Held back" } th.right scope="col" { "Trained on" }
                    @if tested { th.right scope="col" { "Test set" } } @if crossed { th.right scope="col" { "Cross-validated" } }
                } }
                tbody { @for name in metrics.keys().filter(is_base) { tr {
                    th scope="row" { (words::spaced(name)) }
                    td.right { strong { (at(format!("val_{name}"))) } }
                    td.right { (at(name.clone())) }
                    @if tested { td.right { (at(format!("test_{name}"))) } }
                    @if crossed { td.right { (at(format!("cv_{name}"))) } }
                } } }
            } } p.hint { "With their intervals: in the card below." } }
        }
    }
}

/// Who is signed in downloads them.
pub(super) fn files(place: Place, version: &Version) -> Markup {
    html! {
        div.scroll tabindex="0" role="group" aria-label="Table" { table {
            thead { tr { th scope="col" { "File" } th.right scope="col" { "Size" } th scope="col" { "SHA-256" } } }
            tbody { @for file in &version.files { tr {
                th scope="row" { @if place == Place::Console { a href=(format!("/console/api{}", file.url)) { (file.name) } } @else { (file.name) } }
                td.right { (words::bytes(file.bytes)) }
                td { code title=(file.sha256) { (file.sha256.get(..12).unwrap_or_default()) } }
            } } }
        } }
        @if let Some(revision) = &version.revision { p.hint { "Signed as revision " code { (revision.get(..12).unwrap_or_default()) } "." } }
        @if let Some(licence) = &version.licence { p.hint { "Under " (licence) "." } }
    }
}

pub(super) fn versions(
    place: Place,
    model: &Model,
    versions: &[Version],
    aliases: &[Alias],
    looked_at: u32,
    now: Timestamp,
) -> Markup {
    html! {
        div.scroll tabindex="0" role="group" aria-label="Table" { table {
            thead { tr { th scope="col" { "Version" } th scope="col" { "State" } th scope="col" { "Known as" } th.right scope="col" { "Loss held back" } th scope="col" { "Made" } } }
            tbody { @for version in versions { tr {
                th scope="row" { a href=(format!("{}?version={}", model.at(place), version.version)) aria-current=[(version.version == looked_at).then_some("page")] { (version.version) } }
                td { (layout::badge(&version.state)) }
                td { @for alias in aliases.iter().filter(|alias| alias.version == version.version) { span.badge.busy { (alias.alias) } " " } }
                td.right { (version.metrics.get("val_loss").map_or_else(|| "–".to_owned(), |loss| words::number(*loss))) }
                td { (words::ago(version.created_at, now)) }
            } } }
        } }
    }
}

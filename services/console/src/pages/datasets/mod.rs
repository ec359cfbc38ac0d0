//! Datasets: the list with a form to push one, and a version with its profile.

mod pieces;
mod profile;
mod show;
mod upload;

use actix_web::{get, web};
use domain::Timestamp;
use futures::try_join;
use maud::{Markup, html};
use serde::Deserialize;

use self::pieces::Upload;

use crate::{
    api::{List, Route},
    failure::Failure,
    layout::{self, Field, Page},
    pages::cause::Cause,
    visitor::Visitor,
    words,
};

pub(super) use upload::push;

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(list).service(upload::upload).service(show::show);
    pieces::routes(cfg);
}

#[derive(Deserialize)]
pub(super) struct Dataset {
    pub name: String,
    pub versions: u32,
    pub bytes: u64,
    pub created_at: Timestamp,
}

#[derive(Deserialize)]
pub(super) struct Version {
    pub dataset: String,
    pub version: u32,
    pub bytes: u64,
    pub format: String,
    pub compression: String,
    pub sha256: String,
    pub created_at: Timestamp,
    pub profile: Profile,
}

impl Version {
    pub fn address(&self) -> String {
        format!("/console/datasets/{}?version={}", self.dataset, self.version)
    }

    pub fn rows(&self) -> u64 {
        match &self.profile {
            Profile::Ready(profile) => profile.rows,
            Profile::Pending | Profile::Invalid { .. } => 0,
        }
    }

    pub fn state(&self) -> &'static str {
        match self.profile {
            Profile::Pending => "pending",
            Profile::Ready(_) => "ready",
            Profile::Invalid { .. } => "invalid",
        }
    }
}

#[derive(Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(super) enum Profile {
    Pending,
    Ready(Ready),
    Invalid { cause: Cause },
}

#[derive(Deserialize)]
pub(super) struct Ready {
    pub rows: u64,
    pub duplicate_rows: u64,
    pub columns: Vec<Column>,
    pub warnings: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct Column {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub missing: u64,
    pub distinct: u64,
    pub distinct_is_exact: bool,
    pub min: Option<f64>,
    pub mean: Option<f64>,
    pub max: Option<f64>,
    pub values: Option<Vec<Value>>,
    pub chars: Option<Chars>,
}

#[derive(Deserialize)]
pub(super) struct Value {
    pub value: String,
    pub rows: u64,
}

#[derive(Deserialize)]
pub(super) struct Chars {
    pub mean: f64,
    pub max: u64,
}

impl Column {
    /// Another value in every row, and not a measurement: it says which row it is, and nothing else.
    pub fn is_identifier(&self, rows: u64) -> bool {
        let tells = matches!(self.kind.as_str(), "integer" | "categorical" | "text");
        let name = self.name.to_lowercase();
        let named = name == "id" || name.ends_with("_id") || name == "uuid";
        rows > 1 && tells && named && self.distinct + 1 >= rows
    }
}

#[get("/datasets")]
async fn list(visitor: Visitor) -> Result<Markup, Failure> {
    let (route, uploads) = (Route::of(["datasets"]), Route::of(["uploads"]));
    let (datasets, coming) = try_join!(
        visitor.api.get::<List<Dataset>>(&route),
        visitor.api.get::<List<Upload>>(&uploads),
    )?;
    let now = visitor.app()?.clock.now();
    let body = html! {
        div.head { h1 { "Datasets" } }
        @if datasets.items.is_empty() {
            (layout::empty("No data yet", html! {
                p { "Push a file of your own below, or take the example." }
                @if visitor.me.develops() { div.row { (layout::act(&visitor, "/console/example", "Push the example", "main")) } }
            }))
        } @else {
            div.card.scroll tabindex="0" role="group" aria-label="Table" { table {
                thead { tr { th scope="col" { "Name" } th.right scope="col" { "Versions" } th.right scope="col" { "Size" } th scope="col" { "Made" } th scope="col" { "" } } }
                tbody { @for dataset in &datasets.items { tr {
                    th scope="row" { a href=(format!("/console/datasets/{}", dataset.name)) { (dataset.name) } }
                    td.right { (dataset.versions) }
                    td.right { (words::bytes(dataset.bytes)) }
                    td { (words::ago(dataset.created_at, now)) }
                    td.right { @if visitor.me.develops() { a href=(format!("/console/jobs/new?dataset={}", dataset.name)) { "Train on it" } } }
                } } }
            } }
        }
        @if visitor.me.develops() {
            (form(&visitor))
            @if !coming.items.is_empty() { (pieces::coming(&visitor, &coming.items, now)) }
        }
    };
    let page =
        Page { json: Some(&route), script: Some("upload.js"), ..Page::new("Datasets", "datasets") };
    Ok(page.render(&visitor, body))
}

/// The seal and the name go before the file, so that both are known when its bytes come.
fn form(visitor: &Visitor) -> Markup {
    html! {
        section.card {
            h2 { "Push data" }
            form method="post" action="/console/datasets" enctype="multipart/form-data" data-upload {
                (layout::seal(visitor))
                div.fields {
                    (Field { required: true, hint: "Lower-case letters, digits, - _ . A name that is there gets a new version.", ..Field::new("name", "Name") }.render())
                    div.field {
                        label for="file" { "File" }
                        input id="file" name="file" type="file" required accept=".csv,.tsv,.jsonl,.ndjson,.txt,.zip,.gz,.zst" aria-describedby="file-hint";
                        p.hint #file-hint { "CSV, TSV, JSON lines, plain text, or a zip of images in folders; gzip and zstd too. Or drop it here. If the connection breaks, it goes on from where it was." }
                    }
                }
                progress aria-label="Sent" hidden {}
                p data-said role="status" {}
                button.main type="submit" { "Push" }
            }
        }
    }
}

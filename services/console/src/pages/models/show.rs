//! One model, at the version that is looked at: figures, card, lineage, files, ways to call it.

use std::collections::BTreeMap;

use actix_web::{
    dev::Payload,
    get,
    http::{
        Method,
        header::{ACCEPT, HeaderValue},
    },
    web,
};
use domain::{Timestamp, evaluation::Evaluation, predict::Prediction, spec::TrainingSpec};
use futures::{future::OptionFuture, try_join};
use maud::{Markup, PreEscaped, html};
use serde::Deserialize;

use super::{Model, Place, change, figures, lineage, parts, snippets, try_it};
use crate::{
    api::{Asking, List, Route, whole},
    failure::{Errors, Failure},
    form::Fields,
    layout::{self, Page},
    pages::{
        datasets, endpoints,
        jobs::{Step, road},
    },
    visitor::Visitor,
};

/// That its page lists, the newest first.
const MOST_VERSIONS: u32 = 20;

#[derive(Deserialize)]
pub(super) struct Detail {
    #[serde(flatten)]
    pub model: Model,
    /// In Markdown.
    pub card: String,
    pub shared_with: Option<Vec<String>>,
}

#[derive(Deserialize)]
pub(super) struct Version {
    pub version: u32,
    pub state: String,
    pub reason: String,
    pub revision: Option<String>,
    pub licence: Option<String>,
    pub metrics: BTreeMap<String, f64>,
    pub trained_on: Option<TrainedOn>,
    pub job: Option<String>,
    pub spec: Option<TrainingSpec>,
    pub classes: Vec<String>,
    #[serde(default)]
    pub evaluations: Vec<Evaluation>,
    pub files: Vec<File>,
    pub created_at: Timestamp,
}

#[derive(Deserialize)]
pub(super) struct TrainedOn {
    pub dataset: String,
    pub version: u32,
}

#[derive(Deserialize)]
pub(super) struct File {
    pub name: String,
    pub bytes: u64,
    pub sha256: String,
    pub url: String,
}

#[derive(Deserialize)]
pub(super) struct Alias {
    pub alias: String,
    pub version: u32,
}

#[derive(Deserialize)]
pub(super) struct Lineage {
    pub ancestors: Vec<Relative>,
    pub descendants: Vec<Relative>,
}

#[derive(Deserialize)]
pub(super) struct Relative {
    pub model: String,
    pub version: u32,
    pub source: String,
    pub trained_on: Option<TrainedOn>,
    /// `tenant/model:version`, if it is shown.
    pub base: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Which {
    #[serde(default)]
    pub version: String,
}

/// A model, and of its versions the one that is looked at.
pub(super) struct Seen {
    pub detail: Detail,
    pub versions: List<Version>,
    pub aliases: List<Alias>,
    /// None where it has none, or not this one.
    pub version: Option<Version>,
    pub looked_at: Route,
}

impl Seen {
    pub async fn read(
        api: &Asking,
        (tenant, name): (&str, &str),
        version: &str,
    ) -> Result<Self, Failure> {
        let at = Route::of(["models", tenant, name]);
        let (versions, aliases) = (
            Route::of(["models", tenant, name, "versions"]).with("limit", MOST_VERSIONS),
            Route::of(["models", tenant, name, "aliases"]),
        );
        let named = if version.is_empty() { "latest" } else { version };
        let looked_at = Route::of(["models", tenant, name, "versions", named]);
        let (detail, versions, aliases, version) =
            try_join!(api.get(&at), api.get(&versions), api.get(&aliases), api.find(&looked_at),)?;
        Ok(Self { detail, versions, aliases, version, looked_at })
    }
}

/// What was tried on the model, and what came of it.
#[derive(Default)]
pub(super) struct Tried {
    pub fields: Fields,
    pub errors: Errors,
    pub answers: Vec<Prediction>,
    pub warning: Option<String>,
}

#[get("/models/{tenant}/{model}")]
pub(super) async fn show(
    visitor: Visitor,
    path: web::Path<(String, String)>,
    which: web::Query<Which>,
) -> Result<Markup, Failure> {
    let (tenant, name) = path.into_inner();
    page(&visitor, (&tenant, &name), &which.version, Tried::default()).await
}

pub(super) async fn page(
    visitor: &Visitor,
    (tenant, name): (&str, &str),
    version: &str,
    tried: Tried,
) -> Result<Markup, Failure> {
    let seen = Seen::read(&visitor.api, (tenant, name), version).await?;
    let detail = &seen.detail;
    let body = match &seen.version {
        None => {
            html! { (head(visitor, detail, None)) (layout::empty("No version yet", html! { p { "A training with this name, or a commit by Hugging Face's client, makes the first one." } })) (change::of_model(visitor, detail)) }
        }
        Some(version) => with_version(visitor, &seen, version, &tried).await?,
    };
    let crumbs =
        html! { p.crumbs { a href="/console/models" { "Models" } " / " (tenant) " / " (name) } };
    Ok(Page { json: Some(&seen.looked_at), ..Page::new(name, "models") }
        .render(visitor, html! { (crumbs) (body) }))
}

async fn with_version(
    visitor: &Visitor,
    seen: &Seen,
    version: &Version,
    tried: &Tried,
) -> Result<Markup, Failure> {
    let Seen { detail, versions, aliases, .. } = seen;
    let Model { tenant, name, .. } = &detail.model;
    let number = version.version.to_string();
    let lineage = Route::of(["models", tenant, name, "versions", &number, "lineage"]);
    let is_own = visitor.me.tenant.as_deref() == Some(tenant);
    let profile = OptionFuture::from(version.trained_on.as_ref().filter(|_| is_own).map(|data| {
        let number = data.version.to_string();
        let route = Route::of(["datasets", &data.dataset, "versions", &number]);
        async move { visitor.api.find::<datasets::Version>(&route).await }
    }));
    let (card, lineage, profile) = try_join!(
        card(&visitor.api, tenant, name, &number),
        visitor.api.get::<Lineage>(&lineage),
        async { profile.await.transpose() },
    )?;
    let now = visitor.app()?.clock.now();
    let url = &visitor.app()?.config.public_url;
    Ok(html! {
        @if is_own { (road(Step::Use)) }
        (head(visitor, detail, Some(version)))
        (parts::standing(version))
        (parts::figures(&version.metrics))
        (figures::all(&version.evaluations, &version.classes))
        (try_it::form(visitor, &detail.model, version, profile.flatten().as_ref(), tried))
        @if visitor.me.develops() && version.state == "published" {
            section.card { h2 { "Put it behind an endpoint" } (endpoints::form(visitor, name, (tenant, version.version))) }
        }
        div.columns {
            section.card { h2 { "How to call it" } (snippets::all(url, &detail.model, version)) }
            section.card { h2 { "Files" } (parts::files(Place::Console, version)) }
        }
        section.card.prose { (PreEscaped(card)) }
        section.card { h2 { "Versions" } (parts::versions(Place::Console, &detail.model, &versions.items, &aliases.items, version.version, now)) (change::of_version(visitor, &detail.model, version)) }
        section.card { h2 { "Lineage" } (lineage::drawn(Place::Console, &detail.model, version, &lineage)) }
        (change::of_model(visitor, detail))
    })
}

fn head(visitor: &Visitor, detail: &Detail, version: Option<&Version>) -> Markup {
    let model = &detail.model;
    html! {
        div.head {
            (parts::title(detail, version))
            div.row {
                (layout::act(visitor, &format!("{}/like", model.url()), &format!("Like ({})", model.likes), ""))
                @if let Some(job) = version.and_then(|version| version.job.as_ref()) { a.button href=(format!("/console/jobs/{job}")) { "Its training" } }
            }
        }
    }
}

/// As the API renders it: without any HTML of the author's.
pub(super) async fn card(
    api: &Asking,
    tenant: &str,
    name: &str,
    number: &str,
) -> Result<String, Failure> {
    let route = Route::of(["models", tenant, name, "versions", number, "card"]);
    let mut question = api.question(Method::GET, route.path(), Payload::None)?;
    question.headers_mut().insert(ACCEPT, HeaderValue::from_static("text/html"));
    let page = whole(api.open(question).await?).await?;
    let page = String::from_utf8(page.to_vec()).map_err(|error| Failure::broken(&error))?;
    // its head is not ours, and its headings stand below those of this page
    let body = page.split_once("<meta charset=\"utf-8\">").map_or(page.as_str(), |(_, body)| body);
    let below = |body: String, level: u8| {
        let (from, to) = (format!("h{level}>"), format!("h{}>", level + 1));
        body.replace(&format!("<{from}"), &format!("<{to}"))
            .replace(&format!("</{from}"), &format!("</{to}"))
    };
    Ok((1..6).rev().fold(body.to_owned(), below))
}

//! The registry for who is not signed in: what is public is found and looked at. Downloading and predicting
//! ask to sign in, and lead to the same model's page in the console.

use actix_web::{HttpRequest, HttpResponse, web};
use futures::try_join;
use gateway::App;
use maud::{Markup, PreEscaped, html};
use url::form_urlencoded;

use super::{
    Model, Place, figures,
    finding::{self, Asked},
    lineage, parts,
    show::{Detail, Lineage, Seen, Version, Which, card},
    snippets,
};
use crate::{
    api::{Asking, Route},
    failure::Failure,
    layout,
    pages::see,
    session::Session,
};

/// Beside `/console`.
pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.route("", web::get().to(search)).route("/{tenant}/{model}", web::get().to(model));
}

/// Whether there is such a registry here.
pub(crate) fn is_open(request: &HttpRequest) -> bool {
    request.app_data::<web::Data<App>>().is_some_and(|app| app.config.visitors)
}

/// Somebody who is signed in has these pages in the console, and so has everybody once they are, where nothing is
/// shown to others.
fn elsewhere(request: &HttpRequest, there: &str) -> Result<Option<HttpResponse>, Failure> {
    if Session::of(request).is_some() {
        return Ok(Some(see(there)));
    }
    if is_open(request) { Ok(None) } else { Err(Failure::SignedOut { next: there.to_owned() }) }
}

async fn search(request: HttpRequest, asked: web::Query<Asked>) -> Result<HttpResponse, Failure> {
    let asked = asked.into_inner().public();
    let query = asked.query();
    if let Some(there) = elsewhere(&request, &format!("/console/models?{query}"))? {
        return Ok(there);
    }
    let answer = asked.ask(&Asking::nobody(&request)).await?;
    let now = app(&request)?.clock.now();
    let body = html! {
        div.head { h1 { "Public models" } }
        (finding::form(Place::Open, &asked, &answer.errors))
        (finding::found(Place::Open, &answer, None, now))
    };
    Ok(shown(layout::open("Public models", &answer.route, &body)))
}

async fn model(
    request: HttpRequest,
    path: web::Path<(String, String)>,
    which: web::Query<Which>,
) -> Result<HttpResponse, Failure> {
    let (tenant, name) = path.into_inner();
    let there = there(&tenant, &name, &which.version);
    if let Some(there) = elsewhere(&request, &there)? {
        return Ok(there);
    }
    let api = Asking::nobody(&request);
    let seen = Seen::read(&api, (&tenant, &name), &which.version).await?;
    let body = match &seen.version {
        None => html! {
            (head(&seen.detail, None, &there))
            (layout::empty("No version yet", html! { p { "There is nothing to look at." } }))
        },
        Some(version) => with_version(&request, &api, &seen, version, &there).await?,
    };
    let crumbs = html! {
        p.crumbs { a href="/registry" { "Public models" } " / " (tenant) " / " (name) }
    };
    let body = html! { (crumbs) (body) };
    Ok(shown(layout::open(&format!("{tenant}/{name}"), &seen.looked_at, &body)))
}

async fn with_version(
    request: &HttpRequest,
    api: &Asking,
    seen: &Seen,
    version: &Version,
    there: &str,
) -> Result<Markup, Failure> {
    let Model { tenant, name, .. } = &seen.detail.model;
    let number = version.version.to_string();
    let lineage = Route::of(["models", tenant, name, "versions", &number, "lineage"]);
    let (card, lineage) =
        try_join!(card(api, tenant, name, &number), api.get::<Lineage>(&lineage))?;
    let app = app(request)?;
    let (now, model) = (app.clock.now(), &seen.detail.model);
    Ok(html! {
        (head(&seen.detail, Some(version), there))
        (parts::standing(version))
        (parts::figures(&version.metrics))
        (figures::all(&version.evaluations, &version.classes))
        div.columns {
            section.card { h2 { "How to call it" } p.hint { "With an API key of a tenant here." } (snippets::all(&app.config.public_url, model, version)) }
            section.card { h2 { "Files" } (parts::files(Place::Open, version)) p { a.button href=(sign_in(there)) { "Sign in to download" } } }
        }
        section.card.prose { (PreEscaped(card)) }
        section.card { h2 { "Versions" } (parts::versions(Place::Open, model, &seen.versions.items, &seen.aliases.items, version.version, now)) }
        section.card { h2 { "Lineage" } (lineage::drawn(Place::Open, model, version, &lineage)) }
    })
}

fn head(detail: &Detail, version: Option<&Version>, there: &str) -> Markup {
    html! {
        div.head {
            (parts::title(detail, version))
            div.row { a.button.main href=(sign_in(there)) { "Sign in to try it" } }
        }
    }
}

fn there(tenant: &str, name: &str, version: &str) -> String {
    let route = Route::of([tenant, name]).with("version", version);
    let path = route.path().strip_prefix("/v1").unwrap_or_default();
    format!("/console/models{path}")
}

fn sign_in(next: &str) -> String {
    let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
    format!("/console/sign-in?next={next}")
}

fn app(request: &HttpRequest) -> Result<&web::Data<App>, Failure> {
    request.app_data().ok_or_else(Failure::not_found)
}

fn shown(page: Markup) -> HttpResponse {
    HttpResponse::Ok().content_type(layout::HTML).body(page.into_string())
}

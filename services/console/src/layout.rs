//! What all pages have in common: head, navigation, the way back to the API.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::{
    api::Route,
    assets,
    failure::Errors,
    form::SEAL,
    visitor::{Me, Visitor},
};

pub(crate) const HTML: &str = "text/html; charset=utf-8";
const ICON: &str = include_str!("../assets/icon.svg");

/// A page of somebody who is signed in.
pub(crate) struct Page<'a> {
    pub title: &'a str,
    /// What of the navigation it belongs to.
    pub at: &'a str,
    /// Where the API has the same.
    pub json: Option<&'a Route>,
    /// What redraws it: the address of a job's events, or seconds.
    pub live: Live,
    /// The scripts that it needs.
    pub script: Option<&'a str>,
}

#[derive(Default)]
pub(crate) enum Live {
    #[default]
    No,
    Events(String),
    Every(u32),
}

impl<'a> Page<'a> {
    pub fn new(title: &'a str, at: &'a str) -> Self {
        Self { title, at, json: None, live: Live::No, script: None }
    }

    pub fn render(self, visitor: &Visitor, body: Markup) -> Markup {
        let (events, every) = match &self.live {
            Live::No => (None, None),
            Live::Events(url) => (Some(url.as_str()), None),
            Live::Every(seconds) => (None, Some(*seconds)),
        };
        let is_live = events.is_some() || every.is_some();
        let scripts = [is_live.then_some("live.js"), self.script].into_iter().flatten();
        let body = html! {
            a.skip href="#main" { "Skip to the content" }
            div.shell {
                (sidebar(visitor, self.at))
                main #main tabindex="-1" data-events=[events] data-every=[every] {
                    (body)
                    @if let Some(route) = self.json { (as_json(route)) }
                }
            }
        };
        document(self.title, scripts, &body)
    }
}

/// A page without navigation: signing in, and what went wrong.
pub(crate) fn plain(title: &str, body: Markup) -> Markup {
    document(
        title,
        std::iter::empty(),
        &html! {
            div.narrow {
                header.brand { a href="/" { (brand()) } }
                main.card #main { h1 { (title) } (body) }
            }
        },
    )
}

/// A page of what everybody may see, for who is not signed in.
pub(crate) fn open(title: &str, route: &Route, body: &Markup) -> Markup {
    let body = html! {
        a.skip href="#main" { "Skip to the content" }
        div.front.open {
            header {
                a.brand href="/" { (brand()) }
                nav.row aria-label="Everybody" {
                    a href="/registry" { "Public models" }
                    a href="/docs/" { "The API" }
                    a.button.main href="/console/sign-in" { "Sign in" }
                }
            }
            main #main tabindex="-1" {
                (body)
                footer.api { a href=(route.path()) { "As JSON" } " by the API: " code { "GET " (route.path()) } }
            }
        }
    };
    document(title, std::iter::empty(), &body)
}

pub(crate) fn document<'a>(
    title: &str,
    scripts: impl Iterator<Item = &'a str>,
    body: &Markup,
) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Cupola" }
                link rel="icon" type="image/svg+xml" href=(assets::url("icon.svg"));
                link rel="stylesheet" href=(assets::url("console.css"));
                @for script in scripts { script src=(assets::url(script)) defer {} }
            }
            body { (body) }
        }
    }
}

pub(crate) fn brand() -> Markup {
    html! { span.mark aria-hidden="true" { (PreEscaped(ICON)) } span { "Cupola" } }
}

/// Address, name and what it is known by.
type Link = (&'static str, &'static str, &'static str);

const OF_TENANTS: &[(&str, &[Link])] = &[
    (
        "Work",
        &[
            ("/console", "Overview", "overview"),
            ("/console/datasets", "Datasets", "datasets"),
            ("/console/jobs", "Jobs", "jobs"),
            ("/console/sweeps", "Sweeps", "sweeps"),
            ("/console/models", "Models", "models"),
            ("/console/endpoints", "Endpoints", "endpoints"),
            ("/console/models?visibility=public", "Discover", "discover"),
        ],
    ),
    (
        "Tenant",
        &[
            ("/console/usage", "Usage", "usage"),
            ("/console/keys", "API keys", "keys"),
            ("/console/people", "People", "people"),
            ("/console/audit", "Audit log", "audit"),
        ],
    ),
];
const OF_OPERATORS: &[(&str, &[Link])] = &[(
    "Platform",
    &[
        ("/console", "Pools and workers", "overview"),
        ("/console/queue", "Queue", "queue"),
        ("/console/shares", "Fair share", "shares"),
        ("/console/tenants", "Tenants", "tenants"),
        ("/console/featured", "Featured models", "featured"),
        ("/console/operators", "Operators", "operators"),
        ("/console/health", "System health", "health"),
        ("/console/audit", "Audit log", "audit"),
    ],
)];

fn sidebar(visitor: &Visitor, at: &str) -> Markup {
    let me = &visitor.me;
    let groups = if me.tenant.is_some() { OF_TENANTS } else { OF_OPERATORS };
    html! {
        header.side {
            a.brand href="/console" { (brand()) }
            nav aria-label="Console" {
                @for (group, links) in groups {
                    p.group { (group) }
                    ul {
                        @for (address, name, known) in *links {
                            @if is_for(me, known) {
                                li { a href=(address) aria-current=[(*known == at).then_some("page")] { (name) } }
                            }
                        }
                    }
                }
            }
            div.who {
                a href="/console/account" aria-current=[(at == "account").then_some("page")] {
                    strong { (me.tenant.as_deref().unwrap_or("platform")) }
                    span { (me.email) }
                    span.quiet { (me.role) }
                }
                form method="post" action="/console/sign-out" {
                    (seal(visitor))
                    button.plain type="submit" { "Sign out" }
                }
            }
        }
    }
}

/// What the API would refuse anyway is no link.
fn is_for(me: &Me, known: &str) -> bool {
    match known {
        "people" => me.manages(),
        "audit" => me.manages() || me.tenant.is_none(),
        "operators" => me.operates(),
        _ => true,
    }
}

/// Belongs into every form that is posted.
pub(crate) fn seal(visitor: &Visitor) -> Markup {
    seal_of(&visitor.seal)
}

pub(crate) fn seal_of(seal: &str) -> Markup {
    html! { input type="hidden" name=(SEAL) value=(seal); }
}

fn as_json(route: &Route) -> Markup {
    html! {
        footer.api {
            a href=(format!("/console/api{}", route.path())) { "As JSON" }
            " by the API: " code { "GET " (route.path()) }
        }
    }
}

/// What was wrong with a form, said once above it.
pub(crate) fn errors(errors: &Errors) -> Markup {
    html! {
        @if !errors.is_empty() {
            div.notice.bad role="alert" {
                p { (errors.detail) }
                @if errors.fields.len() > 1 {
                    ul { @for error in &errors.fields { li { code { (error.field) } " " (error.message) } } }
                }
            }
        }
    }
}

/// A labelled field.
pub(crate) struct Field<'a> {
    pub name: &'a str,
    pub label: &'a str,
    pub value: &'a str,
    pub kind: &'a str,
    pub hint: &'a str,
    pub required: bool,
    pub autocomplete: Option<&'a str>,
    pub error: Option<&'a str>,
}

impl<'a> Field<'a> {
    pub fn new(name: &'a str, label: &'a str) -> Self {
        let (value, kind, hint) = ("", "text", "");
        Self { name, label, value, kind, hint, required: false, autocomplete: None, error: None }
    }

    pub fn render(&self) -> Markup {
        let hint = format!("{}-hint", self.name);
        let error = format!("{}-error", self.name);
        let described = match (self.hint.is_empty(), self.error) {
            (true, None) => None,
            (false, None) => Some(hint.clone()),
            (true, Some(_)) => Some(error.clone()),
            (false, Some(_)) => Some(format!("{hint} {error}")),
        };
        html! {
            div.field {
                label for=(self.name) { (self.label) }
                input id=(self.name) name=(self.name) type=(self.kind) value=[(self.kind != "password").then_some(self.value)]
                    required[self.required] autocomplete=[self.autocomplete]
                    step=[(self.kind == "number").then_some("any")]
                    aria-describedby=[described] aria-invalid=[self.error.map(|_| "true")];
                @if !self.hint.is_empty() { p.hint id=(hint) { (self.hint) } }
                @if let Some(message) = self.error { p.wrong id=(error) { (message) } }
            }
        }
    }
}

/// One of some words, with what people read for each.
pub(crate) fn select(
    name: &str,
    label: &str,
    chosen: &str,
    options: &[(&str, &str)],
    hint: &str,
) -> Markup {
    let hint_id = format!("{name}-hint");
    html! {
        div.field {
            label for=(name) { (label) }
            select id=(name) name=(name) aria-describedby=[(!hint.is_empty()).then_some(&hint_id)] {
                @for (value, text) in options {
                    option value=(value) selected[*value == chosen] { (text) }
                }
            }
            @if !hint.is_empty() { p.hint id=(hint_id) { (hint) } }
        }
    }
}

/// A button that posts, with nothing to fill in.
pub(crate) fn act(visitor: &Visitor, action: &str, label: &str, class: &str) -> Markup {
    html! {
        form.act method="post" action=(action) { (seal(visitor)) button class=(class) type="submit" { (label) } }
    }
}

pub(crate) fn badge(state: &str) -> Markup {
    let tone = match state {
        "succeeded" | "ready" | "published" | "up" | "public" => "good",
        "running" | "starting" | "stopping" | "shared" => "busy",
        "queued" | "paused" | "pending" | "draft" | "cordoned" | "draining" | "deprecated" => {
            "wait"
        }
        "failed" | "invalid" | "yanked" | "gone" | "deleted" => "bad",
        _ => "calm",
    };
    html! { span class=(format!("badge {tone}")) { (state) } }
}

/// What to do where there is nothing yet.
pub(crate) fn empty(title: &str, body: Markup) -> Markup {
    html! { div.empty { h2 { (title) } (body) } }
}

/// The next page of a list, if there is one.
pub(crate) fn more(next: Option<&str>, here: &Route, base: &str) -> Markup {
    html! {
        @if let Some(cursor) = next {
            @let there = here.clone().with("cursor", cursor);
            @let query = there.path().split_once('?').map_or("", |(_, query)| query);
            p.more { a.button href=(format!("{base}?{query}")) { "Next page" } }
        }
    }
}

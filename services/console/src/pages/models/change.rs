//! What a model's people change: aliases, the state of a version, what others see and read of it. And a
//! like, which anybody gives.

use actix_web::{HttpResponse, http::Method, post, web};
use maud::{Markup, html};
use serde_json::json;

use super::{
    Model,
    show::{Detail, Version},
};
use crate::{
    api::Route,
    failure::Failure,
    form::Sent,
    layout::{self, Field},
    pages::see,
    visitor::Visitor,
};

const STATES: [(&str, &str); 3] =
    [("published", "published"), ("deprecated", "deprecated"), ("yanked", "yanked")];
const VISIBILITIES: [(&str, &str); 3] = [
    ("private", "private: for us alone"),
    ("shared", "shared: with the tenants named"),
    ("public", "public: for everybody"),
];

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(like).service(set_alias).service(remove_alias);
    cfg.service(set_state).service(set_model).service(fork);
}

type Named = web::Path<(String, String)>;

#[post("/models/{tenant}/{model}/like")]
async fn like(_sent: Sent, visitor: Visitor, path: Named) -> Result<HttpResponse, Failure> {
    let (tenant, name) = path.into_inner();
    visitor.api.order(Method::PUT, &Route::of(["models", &tenant, &name, "like"])).await?;
    Ok(back(&tenant, &name))
}

/// Promotion: the name moves to this version.
#[post("/models/{tenant}/{model}/alias")]
async fn set_alias(sent: Sent, visitor: Visitor, path: Named) -> Result<HttpResponse, Failure> {
    let (tenant, name) = path.into_inner();
    let route = Route::of(["models", &tenant, &name, "aliases", sent.0.text("alias")]);
    let version: u32 = sent.0.text("version").parse().map_err(|_| Failure::not_found())?;
    visitor.api.change(Method::PUT, &route, &json!({ "version": version })).await?;
    Ok(back(&tenant, &name))
}

#[post("/models/{tenant}/{model}/alias/remove")]
async fn remove_alias(sent: Sent, visitor: Visitor, path: Named) -> Result<HttpResponse, Failure> {
    let (tenant, name) = path.into_inner();
    let route = Route::of(["models", &tenant, &name, "aliases", sent.0.text("alias")]);
    visitor.api.order(Method::DELETE, &route).await?;
    Ok(back(&tenant, &name))
}

#[post("/models/{tenant}/{model}/state")]
async fn set_state(sent: Sent, visitor: Visitor, path: Named) -> Result<HttpResponse, Failure> {
    let (tenant, name) = path.into_inner();
    let route = Route::of(["models", &tenant, &name, "versions", sent.0.text("version")]);
    let body = json!({ "state": sent.0.text("state"), "reason": sent.0.text("reason") });
    visitor.api.change(Method::PATCH, &route, &body).await?;
    Ok(back(&tenant, &name))
}

#[post("/models/{tenant}/{model}")]
async fn set_model(sent: Sent, visitor: Visitor, path: Named) -> Result<HttpResponse, Failure> {
    let (tenant, name) = path.into_inner();
    let fields = sent.0;
    let words = |name: &str| -> Vec<String> {
        fields
            .text(name)
            .split([',', ' '])
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let mut body = json!({ "description": fields.text("description"), "tags": words("tags") });
    if fields.has("card") {
        body["card"] = fields.raw("card").replace("\r\n", "\n").into();
    }
    if fields.has("visibility") {
        body["visibility"] = fields.text("visibility").into();
        body["shared_with"] = json!(words("shared_with"));
        if let Some(licence) = fields.some("licence") {
            body["licence"] = licence.into();
        }
    }
    visitor.api.change(Method::PATCH, &Route::of(["models", &tenant, &name]), &body).await?;
    Ok(back(&tenant, &name))
}

/// A model of one's own that begins with these files.
#[post("/models/{tenant}/{model}/fork")]
async fn fork(sent: Sent, visitor: Visitor, path: Named) -> Result<HttpResponse, Failure> {
    let (tenant, name) = path.into_inner();
    let route = Route::of(["models", &tenant, &name, "versions", sent.0.text("version"), "fork"]);
    let body = json!({ "name": sent.0.text("name") });
    visitor.api.change(Method::POST, &route, &body).await?;
    Ok(back(visitor.me.tenant(), sent.0.text("name")))
}

fn back(tenant: &str, name: &str) -> HttpResponse {
    see(&format!("/console/models/{tenant}/{name}"))
}

pub(super) fn of_version(visitor: &Visitor, model: &Model, version: &Version) -> Markup {
    let is_own = visitor.me.tenant.as_deref() == Some(model.tenant.as_str());
    let hidden = html! { (layout::seal(visitor)) input type="hidden" name="version" value=(version.version); };
    html! {
        @if is_own && visitor.me.develops() {
            details {
                summary { "Promote version " (version.version) ", or change its state" }
                form.inline method="post" action=(format!("{}/alias", model.url())) {
                    (hidden)
                    (Field { required: true, value: "champion", hint: "A name that moves: callers use ?version=champion.", ..Field::new("alias", "Call this version") }.render())
                    button.main type="submit" { "Promote" }
                }
                @if visitor.me.manages() {
                    br;
                    form.inline method="post" action=(format!("{}/state", model.url())) {
                        (hidden)
                        (layout::select("state", "State", &version.state, &STATES, ""))
                        (Field { value: &version.reason, hint: "Needed for yanked.", ..Field::new("reason", "Why") }.render())
                        button type="submit" { "Set it" }
                    }
                }
            }
        } @else if visitor.me.develops() {
            details {
                summary { "Make it one of ours" }
                form.inline method="post" action=(format!("{}/fork", model.url())) {
                    (hidden)
                    (Field { required: true, value: &model.name, ..Field::new("name", "Name of our model") }.render())
                    button type="submit" { "Fork" }
                }
            }
        }
    }
}

pub(super) fn of_model(visitor: &Visitor, detail: &Detail) -> Markup {
    let model = &detail.model;
    let is_own = visitor.me.tenant.as_deref() == Some(model.tenant.as_str());
    let shared = detail.shared_with.as_deref().unwrap_or_default().join(", ");
    let licence = model.licence.as_deref().unwrap_or_default();
    html! {
        @if is_own && visitor.me.develops() {
            details.card {
                summary { "What others see and read of it" }
                form method="post" action=(model.url()) {
                    (layout::seal(visitor))
                    (Field { value: &model.description, hint: "A line for lists.", ..Field::new("description", "Description") }.render())
                    (Field { value: &model.tags.join(", "), hint: "With commas between.", ..Field::new("tags", "Tags") }.render())
                    div.field {
                        label for="card" { "Card" }
                        textarea id="card" name="card" aria-describedby="card-hint" { (detail.card) }
                        p.hint #card-hint { "Markdown: what it is for, and what it is not for." }
                    }
                    @if visitor.me.manages() {
                        div.fields {
                            (layout::select("visibility", "Who sees it", &model.visibility, &VISIBILITIES, ""))
                            (Field { value: &shared, ..Field::new("shared_with", "Shared with") }.render())
                            (Field { value: licence, hint: "As apache-2.0; public models need one.", ..Field::new("licence", "Licence") }.render())
                        }
                    }
                    button.main type="submit" { "Save" }
                }
            }
        }
    }
}

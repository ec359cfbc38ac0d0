//! The tenants of the platform, and a new one with the invitation of its owner.

use actix_web::{HttpResponse, get, post, web};
use domain::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;

use crate::{
    api::{List, Route},
    failure::{Errors, Failure},
    form::Sent,
    layout::{self, Field, Page},
    pages::tenant::people::{Issued, handed_over},
    visitor::Visitor,
    words,
};

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(list).service(make);
}

#[derive(Deserialize)]
pub(super) struct Tenant {
    pub slug: String,
    pub name: String,
    pub created_at: Timestamp,
    pub closed_at: Option<Timestamp>,
    pub limits: Limits,
}

#[derive(Deserialize)]
pub(super) struct Limits {
    pub max_running_jobs: u64,
    pub max_queued_jobs: u64,
    pub max_storage_bytes: u64,
    pub max_egress_bytes: u64,
}

#[derive(Deserialize)]
struct Made {
    invitation: Issued,
}

#[get("/tenants")]
async fn list(visitor: Visitor) -> Result<Markup, Failure> {
    page(&visitor, None, &Errors::default()).await
}

#[post("/tenants")]
async fn make(sent: Sent, visitor: Visitor) -> Result<HttpResponse, Failure> {
    let fields = sent.0;
    let body = json!({
        "slug": fields.text("slug"), "name": fields.text("name"), "owner": { "email": fields.text("email") },
    });
    let (made, errors) = visitor.api.make::<Made>(&Route::of(["tenants"]), &body).await?;
    let page = page(&visitor, made.as_ref().map(|made| &made.invitation), &errors).await?;
    Ok(HttpResponse::Ok().content_type(layout::HTML).body(page.into_string()))
}

async fn page(
    visitor: &Visitor,
    issued: Option<&Issued>,
    errors: &Errors,
) -> Result<Markup, Failure> {
    let route = Route::of(["tenants"]);
    let tenants: List<Tenant> = visitor.api.get(&route).await?;
    let now = visitor.app()?.clock.now();
    let field =
        |name, label| Field { required: true, error: errors.at(name), ..Field::new(name, label) };
    let body = html! {
        div.head { h1 { "Tenants" } }
        @if let Some(issued) = issued { (handed_over(visitor, issued)?) }
        (layout::errors(errors))
        @if tenants.items.is_empty() { (layout::empty("No tenant yet", html! { p { "A tenant is a team with its own data, jobs and models. Make one below, and hand its owner the invitation." } })) }
        @else { div.card.scroll tabindex="0" role="group" aria-label="Table" { table {
            thead { tr { th scope="col" { "Tenant" } th.right scope="col" { "Running at once" } th.right scope="col" { "Queued" } th.right scope="col" { "Storage" } th scope="col" { "Since" } } }
            tbody { @for tenant in &tenants.items { tr {
                th scope="row" { a href=(format!("/console/tenants/{}", tenant.slug)) { (tenant.name) } div.small.quiet { (tenant.slug) @if tenant.closed_at.is_some() { ", closed" } } }
                td.right { (words::count(tenant.limits.max_running_jobs)) }
                td.right { (words::count(tenant.limits.max_queued_jobs)) }
                td.right { (words::bytes(tenant.limits.max_storage_bytes)) }
                td { (words::ago(tenant.created_at, now)) }
            } } }
        } } }
        @if visitor.me.operates() {
            section.card {
                h2 { "New tenant" }
                form method="post" action="/console/tenants" {
                    (layout::seal(visitor))
                    div.fields {
                        (Field { hint: "Lower-case letters, digits, - _ .", ..field("slug", "Short name") }.render())
                        (field("name", "Name").render())
                        (Field { kind: "email", ..field("email", "Its owner's e-mail address") }.render())
                    }
                    button.main type="submit" { "Make it" }
                }
            }
        }
    };
    Ok(Page { json: Some(&route), ..Page::new("Tenants", "tenants") }.render(visitor, body))
}

//! The people of a tenant: who they are, what they may do, who is invited.

use actix_web::{HttpResponse, get, http::Method, post, web};
use domain::Timestamp;
use futures::try_join;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;

use crate::{
    api::{List, Route},
    failure::{Errors, Failure},
    form::Sent,
    layout::{self, Field, Page},
    pages::see,
    visitor::Visitor,
    words,
};

const HERE: &str = "/console/people";
const ROLES: [(&str, &str); 4] =
    [("viewer", "viewer"), ("developer", "developer"), ("admin", "admin"), ("owner", "owner")];

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(list).service(invite).service(change).service(remove).service(take_back);
}

#[derive(Deserialize)]
struct Person {
    id: String,
    email: String,
    name: String,
    role: String,
    is_service: bool,
    since: Timestamp,
}

#[derive(Deserialize)]
struct Invitation {
    id: String,
    email: String,
    role: String,
    expires_at: Timestamp,
}

#[derive(Deserialize)]
pub(in crate::pages) struct Issued {
    pub email: String,
    pub token: String,
}

#[get("/people")]
async fn list(visitor: Visitor) -> Result<Markup, Failure> {
    page(&visitor, None, &Errors::default()).await
}

#[post("/people/invitations")]
async fn invite(sent: Sent, visitor: Visitor) -> Result<HttpResponse, Failure> {
    let body = json!({ "email": sent.0.text("email"), "role": sent.0.text("role") });
    let (made, errors) = visitor.api.make::<Issued>(&Route::of(["invitations"]), &body).await?;
    let page = page(&visitor, made.as_ref(), &errors).await?;
    Ok(HttpResponse::Ok().content_type(layout::HTML).body(page.into_string()))
}

#[post("/people/invitations/{id}/take-back")]
async fn take_back(
    _sent: Sent,
    visitor: Visitor,
    id: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    visitor.api.order(Method::DELETE, &Route::of(["invitations", &id])).await?;
    Ok(see(HERE))
}

#[post("/people/{id}")]
async fn change(
    sent: Sent,
    visitor: Visitor,
    id: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    let body = json!({ "role": sent.0.text("role") });
    visitor.api.change(Method::PATCH, &Route::of(["users", &id]), &body).await?;
    Ok(see(HERE))
}

#[post("/people/{id}/remove")]
async fn remove(
    _sent: Sent,
    visitor: Visitor,
    id: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    visitor.api.order(Method::DELETE, &Route::of(["users", &id])).await?;
    Ok(see(HERE))
}

/// To be handed over: the platform sends no mail.
pub(in crate::pages) fn handed_over(visitor: &Visitor, issued: &Issued) -> Result<Markup, Failure> {
    let url = &visitor.app()?.config.public_url;
    Ok(html! {
        div.notice.good role="status" {
            p { strong { "Hand this to " (issued.email) ". It is good for seven days, once, and not shown again." } }
            pre tabindex="0" { (url) "/console/invitation?token=" (issued.token) }
        }
    })
}

async fn page(
    visitor: &Visitor,
    issued: Option<&Issued>,
    errors: &Errors,
) -> Result<Markup, Failure> {
    let route = Route::of(["users"]);
    let invited = Route::of(["invitations"]);
    let (people, invited) = try_join!(
        visitor.api.get::<List<Person>>(&route),
        visitor.api.get::<List<Invitation>>(&invited),
    )?;
    let now = visitor.app()?.clock.now();
    let body = html! {
        div.head { h1 { "People" } }
        @if let Some(issued) = issued { (handed_over(visitor, issued)?) }
        (layout::errors(errors))
        section.card { div.scroll tabindex="0" role="group" aria-label="Table" { table {
            thead { tr { th scope="col" { "Who" } th scope="col" { "Role" } th scope="col" { "Since" } th scope="col" { "" } } }
            tbody { @for person in &people.items { (row(visitor, person)) } }
        } } }
        section.card {
            h2 { "Invite somebody" }
            form.inline method="post" action=(format!("{HERE}/invitations")) {
                (layout::seal(visitor))
                (Field { kind: "email", required: true, error: errors.at("email"), ..Field::new("email", "E-mail address") }.render())
                (layout::select("role", "Role", "developer", &ROLES, ""))
                button.main type="submit" { "Invite" }
            }
        }
        @if !invited.items.is_empty() {
            section.card { h2 { "Invited" } div.scroll tabindex="0" role="group" aria-label="Table" { table {
                thead { tr { th scope="col" { "Who" } th scope="col" { "Role" } th scope="col" { "Until" } th scope="col" { "" } } }
                tbody { @for one in &invited.items { tr {
                    th scope="row" { (one.email) } td { (one.role) } td { (words::ago(one.expires_at, now)) }
                    td.right { (layout::act(visitor, &format!("{HERE}/invitations/{}/take-back", one.id), "Take it back", "small danger")) }
                } } }
            } } }
        }
    };
    Ok(Page { json: Some(&route), ..Page::new("People", "people") }.render(visitor, body))
}

fn row(visitor: &Visitor, person: &Person) -> Markup {
    let is_me = person.id == visitor.me.id;
    html! { tr {
        th scope="row" { (person.name) div.small.quiet { (person.email) @if person.is_service { " (service account)" } } }
        td { @if is_me { (person.role) " (you)" } @else {
            form.inline method="post" action=(format!("{HERE}/{}", person.id)) {
                (layout::seal(visitor))
                select name="role" aria-label=(format!("Role of {}", person.email)) {
                    @for (role, name) in ROLES { option value=(role) selected[role == person.role] { (name) } }
                }
                button.small type="submit" { "Set" }
            }
        } }
        td { (person.since.format("%F")) }
        td.right { @if !is_me { (layout::act(visitor, &format!("{HERE}/{}/remove", person.id), "Take out", "small danger")) } }
    } }
}

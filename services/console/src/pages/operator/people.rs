//! Who runs the platform, and who may look at how it is run.

use actix_web::{HttpResponse, get, http::Method, post, web};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;

use crate::{
    api::{List, Route},
    failure::{Errors, Failure},
    form::Sent,
    layout::{self, Field, Page},
    pages::{
        see,
        tenant::people::{Issued, handed_over},
    },
    visitor::Visitor,
};

const HERE: &str = "/console/operators";
const ROLES: [(&str, &str); 2] = [("operator", "operator"), ("auditor", "auditor")];

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(list).service(invite).service(remove);
}

#[derive(Deserialize)]
struct Person {
    id: String,
    email: String,
    name: String,
    role: String,
}

#[get("/operators")]
async fn list(visitor: Visitor) -> Result<Markup, Failure> {
    page(&visitor, None, &Errors::default()).await
}

#[post("/operators")]
async fn invite(sent: Sent, visitor: Visitor) -> Result<HttpResponse, Failure> {
    let body = json!({ "email": sent.0.text("email"), "role": sent.0.text("role") });
    let route = Route::of(["platform", "invitations"]);
    let (made, errors) = visitor.api.make::<Issued>(&route, &body).await?;
    let page = page(&visitor, made.as_ref(), &errors).await?;
    Ok(HttpResponse::Ok().content_type(layout::HTML).body(page.into_string()))
}

#[post("/operators/{id}/remove")]
async fn remove(
    _sent: Sent,
    visitor: Visitor,
    id: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    visitor.api.order(Method::DELETE, &Route::of(["platform", "users", &id])).await?;
    Ok(see(HERE))
}

async fn page(
    visitor: &Visitor,
    issued: Option<&Issued>,
    errors: &Errors,
) -> Result<Markup, Failure> {
    let route = Route::of(["platform", "users"]);
    let people: List<Person> = visitor.api.get(&route).await?;
    let body = html! {
        div.head { h1 { "Operators" } }
        @if let Some(issued) = issued { (handed_over(visitor, issued)?) }
        (layout::errors(errors))
        section.card { div.scroll tabindex="0" role="group" aria-label="Table" { table {
            thead { tr { th scope="col" { "Who" } th scope="col" { "Role" } th scope="col" { "" } } }
            tbody { @for person in &people.items { tr {
                th scope="row" { (person.name) div.small.quiet { (person.email) } }
                td { (person.role) }
                td.right { @if person.id != visitor.me.id { (layout::act(visitor, &format!("{HERE}/{}/remove", person.id), "Take out", "small danger")) } }
            } } }
        } } }
        section.card {
            h2 { "Invite somebody" }
            form.inline method="post" action=(HERE) {
                (layout::seal(visitor))
                (Field { kind: "email", required: true, error: errors.at("email"), ..Field::new("email", "E-mail address") }.render())
                (layout::select("role", "Role", "operator", &ROLES, ""))
                button.main type="submit" { "Invite" }
            }
        }
    };
    Ok(Page { json: Some(&route), ..Page::new("Operators", "operators") }.render(visitor, body))
}

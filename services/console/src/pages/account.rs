//! One's own account: the password, and the sessions that go on.

use actix_web::{HttpResponse, get, http::Method, post, web};
use domain::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;

use super::see;
use crate::{
    api::{List, Route},
    failure::{Errors, Failure},
    form::Sent,
    layout::{self, Field, Page},
    visitor::Visitor,
    words,
};

const HERE: &str = "/console/account";

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(account).service(change_password).service(end_session);
}

#[derive(Deserialize)]
struct Session {
    id: String,
    tenant: Option<String>,
    created_at: Timestamp,
    last_used_at: Timestamp,
    address: String,
    user_agent: String,
    current: bool,
}

#[get("/account")]
async fn account(visitor: Visitor) -> Result<Markup, Failure> {
    page(&visitor, &Errors::default()).await
}

#[post("/account/password")]
async fn change_password(sent: Sent, visitor: Visitor) -> Result<HttpResponse, Failure> {
    let fields = sent.0;
    let body = json!({ "current": fields.raw("current"), "new": fields.raw("new") });
    match visitor.api.change(Method::POST, &Route::of(["auth", "password"]), &body).await {
        Ok(()) => Ok(see(HERE)),
        Err(failure) => {
            let page = page(&visitor, &failure.into_errors()?).await?;
            Ok(HttpResponse::UnprocessableEntity()
                .content_type(layout::HTML)
                .body(page.into_string()))
        }
    }
}

#[post("/account/sessions/{id}/end")]
async fn end_session(
    _sent: Sent,
    visitor: Visitor,
    id: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    visitor.api.order(Method::DELETE, &Route::of(["auth", "sessions", &id])).await?;
    Ok(see(HERE))
}

async fn page(visitor: &Visitor, errors: &Errors) -> Result<Markup, Failure> {
    let route = Route::of(["auth", "sessions"]);
    let sessions: List<Session> = visitor.api.get(&route).await?;
    let now = visitor.app()?.clock.now();
    let body = html! {
        div.head { h1 { "Your account" } }
        (layout::errors(errors))
        section.card {
            h2 { "Sessions" }
            div.scroll tabindex="0" role="group" aria-label="Table" { table {
                thead { tr { th scope="col" { "Where" } th scope="col" { "Tenant" } th scope="col" { "Since" } th scope="col" { "Last used" } th scope="col" { "" } } }
                tbody {
                    @for session in &sessions.items {
                        tr {
                            td { (session.address) div.small.quiet { (session.user_agent) } }
                            td { (session.tenant.as_deref().unwrap_or("platform")) }
                            td { (words::ago(session.created_at, now)) }
                            td { (words::ago(session.last_used_at, now)) }
                            td.right {
                                @if session.current { span.badge.good { "this one" } }
                                @else { (layout::act(visitor, &format!("{HERE}/sessions/{}/end", session.id), "End", "small danger")) }
                            }
                        }
                    }
                }
            } }
        }
        section.card {
            h2 { "Password" }
            form method="post" action="/console/account/password" {
                (layout::seal(visitor))
                div.fields {
                    (password("current", "The one that you have", "current-password", errors))
                    (password("new", "The new one", "new-password", errors))
                }
                button type="submit" { "Change it" }
                p.hint { "Your other sessions end." }
            }
        }
    };
    Ok(Page { json: Some(&route), ..Page::new("Your account", "account") }.render(visitor, body))
}

fn password(name: &str, label: &str, autocomplete: &str, errors: &Errors) -> Markup {
    Field {
        kind: "password",
        required: true,
        autocomplete: Some(autocomplete),
        error: errors.at(name),
        ..Field::new(name, label)
    }
    .render()
}

//! The ways in: signing in, taking up an invitation, choosing a password with a token from an operator.
//! And the way out.

use actix_web::{
    HttpMessage, HttpRequest, HttpResponse, get,
    http::{Method, StatusCode},
    post, web,
};
use gateway::App;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{models::open::is_open, see};
use crate::{
    api::{Asking, Route},
    failure::{Errors, Failure},
    form::{Fields, Sent},
    guard::SetCookie,
    layout::{self, Field},
    session::{self, Session, SignedIn},
    visitor::Visitor,
};

const HOME: &str = "/console";

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(sign_in).service(send_sign_in).service(sign_out);
    cfg.service(invitation).service(send_invitation).service(reset).service(send_reset);
}

#[derive(Deserialize)]
struct Next {
    #[serde(default)]
    next: String,
}

#[get("/sign-in")]
async fn sign_in(request: HttpRequest, next: web::Query<Next>) -> Result<Markup, Failure> {
    let fields = Fields(vec![("next".to_owned(), next.into_inner().next)]);
    sign_in_page(&request, &fields, &Errors::default())
}

#[post("/sign-in")]
async fn send_sign_in(request: HttpRequest, sent: Sent) -> Result<HttpResponse, Failure> {
    let fields = sent.0;
    let mut body = json!({ "email": fields.text("email"), "password": fields.raw("password") });
    if let Some(tenant) = fields.some("tenant") {
        body["tenant"] = tenant.into();
    }
    let route = Route::of(["auth", "sign-in"]);
    let asked = Asking::nobody(&request).send(Method::POST, &route, &body).await;
    match begin(&request, asked) {
        Ok(()) => Ok(see(local(fields.text("next")))),
        Err(failure) => {
            let page = sign_in_page(&request, &fields, &failure.into_errors()?)?;
            Ok(refused(page))
        }
    }
}

/// A page of ours and nobody else's, whatever stands in the address.
fn local(next: &str) -> &str {
    let is_ours = next == HOME || next.starts_with("/console/") || next.starts_with("/console?");
    if is_ours && !next.contains(['\\', '\r', '\n']) { next } else { HOME }
}

/// The session is the browser's from this answer on.
fn begin(request: &HttpRequest, asked: Result<SignedIn, Failure>) -> Result<(), Failure> {
    let app = request.app_data::<web::Data<App>>().ok_or_else(Failure::not_found)?;
    let session = Session::begin(asked?, app.clock.now())?;
    request.extensions_mut().insert(SetCookie(session.cookie(request)));
    Ok(())
}

fn refused(page: Markup) -> HttpResponse {
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    HttpResponse::build(status).content_type(layout::HTML).body(page.into_string())
}

fn sign_in_page(
    request: &HttpRequest,
    fields: &Fields,
    errors: &Errors,
) -> Result<Markup, Failure> {
    let asks_tenant = fields.has("tenant") || errors.at("tenant").is_some();
    Ok(layout::plain(
        "Sign in",
        html! {
            (layout::errors(errors))
            form method="post" action="/console/sign-in" {
                (layout::seal_of(&session::seal_for(request)?))
                input type="hidden" name="next" value=(fields.text("next"));
                (Field { value: fields.text("email"), kind: "email", required: true, autocomplete: Some("username"), ..Field::new("email", "E-mail address") }.render())
                (password("password", "Password", "current-password", ""))
                @if asks_tenant {
                    (Field { value: fields.text("tenant"), error: errors.at("tenant"), hint: "You belong to several: which one to work in.", ..Field::new("tenant", "Tenant") }.render())
                }
                p { button.main type="submit" { "Sign in" } }
            }
            @if is_open(request) {
                p.small.quiet { "Only looking? " a href="/registry" { "Public models" } " are shown to everybody." }
            }
            p.small.quiet {
                "New here? " a href="/console/invitation" { "Take up an invitation" }
                ". Forgotten your password? An operator gives you a token for " a href="/console/reset-password" { "another one" } "."
            }
        },
    ))
}

fn password(name: &str, label: &str, autocomplete: &str, hint: &str) -> Markup {
    Field {
        kind: "password",
        required: true,
        autocomplete: Some(autocomplete),
        hint,
        ..Field::new(name, label)
    }
    .render()
}

#[post("/sign-out")]
async fn sign_out(
    request: HttpRequest,
    _sent: Sent,
    visitor: Visitor,
) -> Result<HttpResponse, Failure> {
    visitor.api.order(Method::POST, &Route::of(["auth", "sign-out"])).await?;
    request.extensions_mut().insert(SetCookie(session::ended(&request)));
    Ok(see("/"))
}

#[derive(Deserialize)]
struct Token {
    #[serde(default)]
    token: String,
}

#[get("/invitation")]
async fn invitation(request: HttpRequest, token: web::Query<Token>) -> Result<Markup, Failure> {
    let fields = Fields(vec![("token".to_owned(), token.into_inner().token)]);
    invitation_page(&request, &fields, &Errors::default())
}

#[post("/invitation")]
async fn send_invitation(request: HttpRequest, sent: Sent) -> Result<HttpResponse, Failure> {
    let fields = sent.0;
    let mut body = Map::new();
    for name in ["token", "name", "password"] {
        if !fields.text(name).is_empty() {
            let value = if name == "password" { fields.raw(name) } else { fields.text(name) };
            body.insert(name.to_owned(), value.into());
        }
    }
    let route = Route::of(["invitations", "accept"]);
    let asked = Asking::nobody(&request).send(Method::POST, &route, &Value::Object(body)).await;
    match begin(&request, asked) {
        Ok(()) => Ok(see(HOME)),
        Err(failure) => Ok(refused(invitation_page(&request, &fields, &failure.into_errors()?)?)),
    }
}

fn invitation_page(
    request: &HttpRequest,
    fields: &Fields,
    errors: &Errors,
) -> Result<Markup, Failure> {
    let field = |name, label| Field {
        value: fields.text(name),
        error: errors.at(name),
        ..Field::new(name, label)
    };
    Ok(layout::plain(
        "Take up an invitation",
        html! {
            (layout::errors(errors))
            form method="post" action="/console/invitation" {
                (layout::seal_of(&session::seal_for(request)?))
                (Field { required: true, hint: "It begins with cupi_ and is good for seven days.", autocomplete: Some("off"), ..field("token", "Invitation") }.render())
                (Field { hint: "For who is new here.", autocomplete: Some("name"), ..field("name", "Your name") }.render())
                (password("password", "Password", "new-password", "New here: choose one of at least 12 characters. Known here: the one that you have."))
                p { button.main type="submit" { "Join" } }
            }
        },
    ))
}

#[get("/reset-password")]
async fn reset(request: HttpRequest, token: web::Query<Token>) -> Result<Markup, Failure> {
    let fields = Fields(vec![("token".to_owned(), token.into_inner().token)]);
    reset_page(&request, &fields, &Errors::default())
}

#[post("/reset-password")]
async fn send_reset(request: HttpRequest, sent: Sent) -> Result<HttpResponse, Failure> {
    let fields = sent.0;
    let body = json!({ "reset_token": fields.text("token"), "new": fields.raw("password") });
    let route = Route::of(["auth", "password", "reset"]);
    match Asking::nobody(&request).change(Method::POST, &route, &body).await {
        Ok(()) => Ok(see("/console/sign-in")),
        Err(failure) => Ok(refused(reset_page(&request, &fields, &failure.into_errors()?)?)),
    }
}

fn reset_page(request: &HttpRequest, fields: &Fields, errors: &Errors) -> Result<Markup, Failure> {
    Ok(layout::plain(
        "Choose another password",
        html! {
            (layout::errors(errors))
            form method="post" action="/console/reset-password" {
                (layout::seal_of(&session::seal_for(request)?))
                (Field { value: fields.text("token"), required: true, autocomplete: Some("off"), hint: "An operator makes it: cupola admin reset-password.", ..Field::new("token", "Token") }.render())
                (password("password", "New password", "new-password", "At least 12 characters. All your sessions end."))
                p { button.main type="submit" { "Choose it" } }
            }
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn after_a_sign_in_nobody_is_sent_elsewhere() {
        for fine in ["/console", "/console/jobs?status=failed", "/console?x=1"] {
            assert_eq!(local(fine), fine);
        }
        for elsewhere in
            ["", "//evil.example", "https://evil.example", "/console\\@evil", "/consolex"]
        {
            assert_eq!(local(elsewhere), "/console", "{elsewhere}");
        }
    }
}

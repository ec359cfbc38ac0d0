//! Public models that are put forward: lists that every tenant sees first where it looks for models.

use actix_web::{HttpResponse, get, http::Method, post, web};
use domain::name::Name;
use maud::{Markup, html};
use serde_json::json;

use crate::{
    api::{List, Route},
    failure::{Errors, Failure},
    form::{Fields, Sent},
    layout::{self, Field, Page},
    pages::{models::Featured, see},
    visitor::Visitor,
};

const HERE: &str = "/console/featured";

pub(super) fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(list).service(put).service(remove);
}

#[get("/featured")]
async fn list(visitor: Visitor) -> Result<Markup, Failure> {
    page(&visitor, &Fields::default(), &Errors::default()).await
}

/// A list of that name is replaced.
#[post("/featured")]
async fn put(sent: Sent, visitor: Visitor) -> Result<HttpResponse, Failure> {
    let fields = &sent.0;
    let models = fields.text("models").split_whitespace().collect::<Vec<_>>();
    let body = json!({ "title": fields.text("title"), "models": models });
    let failure = match fields.text("name").parse::<Name>() {
        Ok(name) => {
            let route = Route::of(["featured", name.as_str()]);
            match visitor.api.change(Method::PUT, &route, &body).await {
                Ok(()) => return Ok(see(HERE)),
                Err(failure) => failure.into_errors()?,
            }
        }
        Err(why) => Errors::of_field("name", why.to_string()),
    };
    let page = page(&visitor, fields, &failure).await?;
    Ok(HttpResponse::UnprocessableEntity().content_type(layout::HTML).body(page.into_string()))
}

#[post("/featured/{name}/remove")]
async fn remove(
    _sent: Sent,
    visitor: Visitor,
    name: web::Path<String>,
) -> Result<HttpResponse, Failure> {
    visitor.api.order(Method::DELETE, &Route::of(["featured", &name])).await?;
    Ok(see(HERE))
}

async fn page(visitor: &Visitor, fields: &Fields, errors: &Errors) -> Result<Markup, Failure> {
    let route = Route::of(["featured"]);
    let lists: List<Featured> = visitor.api.get(&route).await?;
    let body = html! {
        div.head { h1 { "Featured models" } }
        (layout::errors(errors))
        @if lists.items.is_empty() {
            (layout::empty("Nothing is featured", html! { p { "A list of public models stands first where tenants look for one. Name some below." } }))
        }
        @for one in &lists.items {
            section.card {
                div.head {
                    h2 { (one.title) " " span.quiet.small { (one.name) } }
                    @if visitor.me.operates() { (layout::act(visitor, &format!("{HERE}/{}/remove", one.name), "Remove", "small danger")) }
                }
                @if one.models.is_empty() { p.quiet { "None of its models is public any more." } }
                ul { @for model in &one.models { li { (model) } } }
            }
        }
        @if visitor.me.operates() { (form(visitor, fields, errors)) }
    };
    Ok(Page { json: Some(&route), ..Page::new("Featured models", "featured") }
        .render(visitor, body))
}

fn form(visitor: &Visitor, fields: &Fields, errors: &Errors) -> Markup {
    let field = |name, label, hint| {
        Field {
            required: true,
            value: fields.text(name),
            hint,
            error: errors.at(name),
            ..Field::new(name, label)
        }
        .render()
    };
    html! { section.card {
        h2 { "Put a list forward" }
        form method="post" action=(HERE) {
            (layout::seal(visitor))
            div.fields {
                (field("name", "Name", "Lower-case letters, digits, - _ . One that is there is replaced."))
                (field("title", "Title", "As tenants read it."))
            }
            div.field {
                label for="models" { "Models" }
                textarea id="models" name="models" required spellcheck="false" aria-describedby="models-hint" { (fields.raw("models")) }
                p.hint #models-hint { "Public ones as tenant/model, one a line, in their order." }
            }
            button.main type="submit" { "Feature them" }
        }
    } }
}

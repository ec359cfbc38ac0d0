//! The first page: what this is, and the way in.

use actix_web::{HttpRequest, HttpResponse};
use maud::html;

use super::{models::open::is_open, see};
use crate::{layout, session::Session};

/// Who has a session goes on to the console.
pub(crate) async fn front(request: HttpRequest) -> HttpResponse {
    if Session::of(&request).is_some() {
        return see("/console");
    }
    let what = [
        (
            "Push data",
            "A CSV, JSON lines, text or images. Its profile says what is in it, column by column, and what to look at before you train.",
        ),
        (
            "Train on shared compute",
            "Say what to predict; the rest has good defaults, and every choice is open. Quotas are fair, guarantees are kept, and each waiting job says why it waits.",
        ),
        (
            "Watch it learn",
            "Loss and accuracy move as the epochs go by. A job that loses its machine goes on from its last checkpoint.",
        ),
        (
            "Publish and call",
            "Each version is signed, has its card, its figures and its lineage, and answers over HTTP from the moment it is there.",
        ),
    ];
    let body = html! {
        a.skip href="#main" { "Skip to the content" }
        div.front {
            header { a.brand href="/" { (layout::brand()) } a.button.main href="/console/sign-in" { "Sign in" } }
            main #main {
                h1 { "The furnace that a whole street shares" }
                p.lead { "Cupola trains, publishes and serves machine-learning models for many teams on the compute that they have in common. Tenants send declarations, never code." }
                p.row {
                    a.button.main href="/console/sign-in" { "Sign in" }
                    a.button href="/console/invitation" { "I have an invitation" }
                    @if is_open(&request) { a.button href="/registry" { "Public models" } }
                    a.button href="/docs/" { "The API" }
                }
                div.columns {
                    @for (title, text) in what { section.card { h2 { (title) } p { (text) } } }
                }
            }
        }
    };
    let page = layout::document("Machine learning on shared compute", std::iter::empty(), &body);
    HttpResponse::Ok().content_type(layout::HTML).body(page.into_string())
}

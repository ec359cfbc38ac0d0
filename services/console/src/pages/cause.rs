//! Why something has failed, and what helps.

use maud::{Markup, html};
use serde::Deserialize;

#[derive(Deserialize)]
pub(crate) struct Cause {
    pub code: String,
    pub message: String,
    pub retryable: bool,
    pub remedy: Option<String>,
}

impl Cause {
    pub fn notice(&self, more: Markup) -> Markup {
        html! {
            div.notice.bad {
                p { strong { (self.message) } " " code { (self.code) } }
                @if let Some(remedy) = &self.remedy { p { (remedy) } }
                (more)
            }
        }
    }
}

//! What to train on a dataset, and what to try after a run: each is one click away, or two for who wants to
//! look at the specification first.

use domain::spec::Estimate;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Value, json};

use super::jobs::family_name;
use crate::{
    api::Route,
    failure::{Errors, Failure},
    layout,
    session::new_seal,
    visitor::Visitor,
    words,
};

#[derive(Deserialize)]
pub(super) struct Start {
    pub target: Option<String>,
    suggestions: Vec<Suggestion>,
    notes: Vec<String>,
}

#[derive(Deserialize)]
struct Suggestion {
    family: String,
    task: String,
    reason: String,
    spec: Value,
    estimate: Estimate,
    costs_about: Cost,
}

#[derive(Deserialize)]
struct Cost {
    credits: f64,
}

#[derive(Deserialize)]
pub(super) struct OfRun {
    findings: Vec<Finding>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Finding {
    rule: String,
    symptom: String,
    cause: String,
    remedy: String,
    change: Option<Change>,
}

#[derive(Deserialize)]
struct Change {
    what: String,
    spec: Value,
}

/// For who wants to predict `target`, or says nothing; or why nothing can be suggested.
pub(super) async fn start(
    visitor: &Visitor,
    (dataset, version): (&str, u32),
    target: &str,
) -> Result<(Option<Start>, Errors), Failure> {
    let target = Some(target).filter(|target| !target.is_empty());
    let asked = json!({ "dataset": dataset, "version": version, "target": target });
    visitor.api.make(&Route::of(["advice"]), &asked).await
}

/// Of a training that has ended.
pub(super) async fn of_run(visitor: &Visitor, job: &str) -> Result<Option<OfRun>, Failure> {
    let (found, _) = visitor.api.make(&Route::of(["advice"]), &json!({ "job": job })).await?;
    Ok(found)
}

impl Start {
    /// The best guess first, and marked as such.
    pub fn draw(&self, visitor: &Visitor) -> Result<Markup, Failure> {
        let places = self.suggestions.iter().enumerate();
        let cards = places.map(|(place, one)| one.draw(visitor, place == 0));
        let cards: Vec<_> = cards.collect::<Result<_, _>>()?;
        Ok(html! {
            ul.found { @for card in &cards { li.card { (card) } } }
            @if !self.notes.is_empty() {
                div.notice { ul { @for note in &self.notes { li { (note) } } } }
            }
        })
    }
}

impl Suggestion {
    fn draw(&self, visitor: &Visitor, is_first: bool) -> Result<Markup, Failure> {
        let Self { family, task, reason, spec, estimate, costs_about } = self;
        let form = form(visitor, spec, Act::Train { is_first })?;
        Ok(html! {
            h3 { (family_name(family)) }
            p { (reason) }
            dl.facts {
                dt { "Task" } dd { (words::spaced(task)) }
                dt { "Takes about" } dd { (words::duration(estimate.seconds.max(1.0))) ", " (words::bytes(estimate.memory_bytes)) " of memory" }
                dt { "Costs about" } dd { (words::number(costs_about.credits)) " credits" }
                dt { "Weights" } dd { (words::count(estimate.parameters)) }
            }
            @if visitor.me.develops() { (form) }
        })
    }
}

impl OfRun {
    pub fn draw(&self, visitor: &Visitor) -> Result<Markup, Failure> {
        let findings = self.findings.iter().map(|one| {
            let is_next = self.next.as_ref() == Some(&one.rule);
            one.draw(visitor, is_next)
        });
        let findings: Vec<_> = findings.collect::<Result<_, _>>()?;
        Ok(html! {
            section.card {
                h2 { "What its figures say" }
                @if findings.is_empty() {
                    p { "Nothing stands out: neither too much nor too little was learned. Try the model, or look for rows and columns that say more." }
                }
                ol.findings { @for finding in &findings { li { (finding) } } }
            }
        })
    }
}

impl Finding {
    fn draw(&self, visitor: &Visitor, is_next: bool) -> Result<Markup, Failure> {
        let Self { rule, symptom, cause, remedy, change } = self;
        let form = match change.as_ref().filter(|_| visitor.me.develops()) {
            Some(Change { what, spec }) => {
                Some((what, form(visitor, spec, Act::Look { is_next })?))
            }
            None => None,
        };
        Ok(html! {
            p { strong { (words::spaced(rule)) } ": " (symptom) "." }
            p { (cause) " " (remedy) }
            @if let Some((what, form)) = form {
                p { @if is_next { "The one change to try next: " } @else { "Or: " } strong { (what) } "." }
                (form)
            }
        })
    }
}

enum Act {
    /// At once, or after a look.
    Train { is_first: bool },
    /// Into the editor, where it is changed further or trained.
    Look { is_next: bool },
}

fn form(visitor: &Visitor, spec: &Value, act: Act) -> Result<Markup, Failure> {
    let once = new_seal()?;
    let fields = html! {
        (layout::seal(visitor))
        input type="hidden" name="once" value=(once);
        input type="hidden" name="spec" value=(format!("{spec:#}"));
    };
    Ok(match act {
        Act::Train { is_first } => html! {
            form.row method="post" action="/console/jobs" {
                (fields)
                button.main[is_first] type="submit" { "Train this" }
                button type="submit" formaction="/console/jobs/check" { "Look at it first" }
            }
        },
        Act::Look { is_next } => html! {
            form method="post" action="/console/jobs/check" {
                (fields)
                button.main[is_next] type="submit" { "Open the changed specification" }
            }
        },
    })
}

//! A specification as text, and what would become of it: what is wrong with which field, when it would
//! start, what it may cost at most, what the network looks like. From here it is submitted.

use actix_web::{
    Either, HttpResponse,
    http::{Method, header::HeaderName},
    post,
};
use domain::{Timestamp, spec::TrainingSpec};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::{Job, Reason, guided, network::network};
use crate::{
    api::Route,
    failure::{Errors, Failure},
    form::{Fields, Sent},
    layout::{self, Page},
    pages::{datasets::Version, see},
    session::new_seal,
    visitor::Visitor,
    words,
};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

#[derive(Deserialize)]
pub(super) struct Verdict {
    spec: TrainingSpec,
    accepted: bool,
    refusal: Option<String>,
    reason: Option<Reason>,
    starts: Option<Interval>,
    costs_at_most: Cost,
    sooner: Vec<Suggestion>,
}

#[derive(Deserialize)]
struct Interval {
    from: Timestamp,
    until: Timestamp,
}

#[derive(Deserialize)]
struct Cost {
    credits: f64,
}

#[derive(Deserialize)]
struct Suggestion {
    field: String,
    value: u64,
    starts: Interval,
}

/// Either from the guided form, or a specification that was written.
#[post("/jobs/check")]
pub(super) async fn check(sent: Sent, visitor: Visitor) -> Result<Markup, Failure> {
    let fields = sent.0;
    let (text, draft) = if fields.has("spec") {
        (fields.raw("spec").to_owned(), read(fields.raw("spec")))
    } else {
        match guided::draft(&fields) {
            Ok(draft) => (text_of(&draft), Ok(draft)),
            Err(errors) => return guide_again(&visitor, &fields, &errors).await,
        }
    };
    page(&visitor, &text, judge(&visitor, draft).await?)
}

async fn guide_again(
    visitor: &Visitor,
    fields: &Fields,
    errors: &Errors,
) -> Result<Markup, Failure> {
    let route = Route::of(["datasets", fields.text("dataset"), "versions", "latest"]);
    let version: Version = visitor.api.get(&route).await?;
    guided::page(visitor, &version, fields, errors).await
}

async fn judge(
    visitor: &Visitor,
    draft: Result<Value, Errors>,
) -> Result<Either<Verdict, Errors>, Failure> {
    let draft = match draft {
        Ok(draft) => draft,
        Err(errors) => return Ok(Either::Right(errors)),
    };
    match visitor.api.send(Method::POST, &Route::of(["jobs", "dry-run"]), &draft).await {
        Ok(verdict) => Ok(Either::Left(verdict)),
        Err(failure) => failure.into_errors().map(Either::Right),
    }
}

#[post("/jobs")]
pub(super) async fn submit(sent: Sent, visitor: Visitor) -> Result<HttpResponse, Failure> {
    let fields = sent.0;
    let text = fields.raw("spec");
    let errors = match read(text) {
        Ok(draft) => match send(&visitor, &draft, fields.text("once")).await {
            Ok(job) => return Ok(see(&job.url())),
            Err(failure) => failure.into_errors()?,
        },
        Err(errors) => errors,
    };
    let page = page(&visitor, text, Either::Right(errors))?;
    Ok(HttpResponse::UnprocessableEntity().content_type(layout::HTML).body(page.into_string()))
}

/// A form that is sent twice makes one job.
pub(in crate::pages) async fn send(
    visitor: &Visitor,
    draft: &Value,
    once: &str,
) -> Result<Job, Failure> {
    let route = Route::of(["jobs"]);
    if once.is_empty() {
        visitor.api.send(Method::POST, &route, draft).await
    } else {
        visitor.api.send_with(Method::POST, &route, draft, (IDEMPOTENCY_KEY, once)).await
    }
}

pub(in crate::pages) fn text_of(draft: &Value) -> String {
    format!("{draft:#}")
}

/// JSON, or YAML, of which JSON is a part.
pub(in crate::pages) fn read(text: &str) -> Result<Value, Errors> {
    if let Ok(value @ Value::Object(_)) = serde_json::from_str(text) {
        return Ok(value);
    }
    match serde_saphyr::from_str::<Value>(text) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(Errors::of_field("spec", "must be an object: names, each with its value")),
        Err(error) => Err(Errors::of_field("spec", format!("neither JSON nor YAML: {error}"))),
    }
}

pub(super) fn page(
    visitor: &Visitor,
    text: &str,
    outcome: Either<Verdict, Errors>,
) -> Result<Markup, Failure> {
    let now = visitor.app()?.clock.now();
    let none = Errors::default();
    let (verdict, errors) = match &outcome {
        Either::Left(verdict) => (Some(verdict), &none),
        Either::Right(errors) => (None, errors),
    };
    let is_taken = verdict.is_some_and(|verdict| verdict.accepted);
    let body = html! {
        p.crumbs { a href="/console/jobs" { "Jobs" } " / " a href="/console/jobs/new" { "New training" } }
        div.head { h1 { "The specification" } }
        div #verdict role="status" {
            (layout::errors(errors))
            @if let Some(verdict) = verdict { (judgement(verdict, now)) }
        }
        div.columns {
            form.card method="post" action="/console/jobs/check" {
                (layout::seal(visitor))
                input type="hidden" name="once" value=(new_seal()?);
                div.field {
                    label for="spec" { "JSON or YAML" }
                    textarea.spec id="spec" name="spec" spellcheck="false" data-check="/console/jobs/check" aria-invalid=[(!errors.is_empty()).then_some("true")] { (text) }
                    p.hint { "Every field: docs/TRAINING.md. What is left out has a default." }
                }
                div.row {
                    button.main type="submit" formaction="/console/jobs" { @if is_taken { "Train" } @else { "Train as it stands" } }
                    button type="submit" { "Check again" }
                }
            }
            div #network { @if let Some(verdict) = verdict { (network(&verdict.spec)) } }
        }
    };
    let page = Page { script: Some("check.js"), ..Page::new("The specification", "jobs") };
    Ok(page.render(visitor, body))
}

fn judgement(verdict: &Verdict, now: Timestamp) -> Markup {
    let Verdict { spec, refusal, reason, starts, costs_at_most, sooner, .. } = verdict;
    html! {
        @if let Some(refusal) = refusal { div.notice.bad { p { strong { "It would be refused: " } (refusal) } } }
        @else { div.notice.good { p { "It is valid, and would be taken." } } }
        dl.tiles {
            div.tile { dt { "Starts" } dd { @match starts {
                Some(Interval { from, .. }) if *from <= now => "at once",
                Some(Interval { from, until }) => { (words::ago(*from, now)) span.small.quiet { " to " (words::ago(*until, now)) } },
                None => "not yet known",
            } } }
            div.tile { dt { "Takes about" } dd { (words::duration(spec.estimate.seconds)) } }
            div.tile { dt { "Costs at most" } dd { (words::number(costs_at_most.credits)) " credits" } }
            div.tile { dt { "Memory" } dd { (words::bytes(spec.estimate.memory_bytes)) } }
            div.tile { dt { "Parameters" } dd { (words::count(spec.estimate.parameters)) } }
        }
        @if let Some(reason) = reason { div.notice.wait { p { strong { "It would wait: " } (reason.message) } } }
        @if !sooner.is_empty() {
            div.notice { p { "It would start sooner with: " } ul {
                @for change in sooner { li { code { (change.field) ": " (change.value) } ", " (words::ago(change.starts.from, now)) } }
            } }
        }
    }
}

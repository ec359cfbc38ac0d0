//! How to call the version that is looked at, from a shell, by the command and from Python. They work as they are, once
//! `CUPOLA_KEY` holds an API key.

use domain::spec::{FeatureKind, Input, TrainingSpec};
use maud::{Markup, html};
use serde_json::{Map, Value, json};

use super::{Model, show::Version};

pub(super) fn all(url: &str, model: &Model, version: &Version) -> Markup {
    let Model { tenant, name, .. } = model;
    let number = version.version;
    let row = version.spec.as_ref().map(|spec| Value::Object(row(spec)));
    html! {
        p.hint { "First: " code { "export CUPOLA_KEY=cup_…" } " with one of your " a href="/console/keys" { "API keys" } "." }
        @if let Some(row) = row {
            @let body = json!({ "row": row }).to_string();
            h3 { "curl" }
            pre tabindex="0" role="group" aria-label="With curl" { (curl(url, tenant, name, number, &body)) }
            h3 { "Python" }
            pre tabindex="0" role="group" aria-label="With Python" { (python(url, tenant, name, number, &body)) }
            h3 { "The command" }
            pre tabindex="0" role="group" aria-label="With the command" { (command(url, tenant, name, number, &row.to_string())) }
        }
        h3 { "Download" }
        pre tabindex="0" role="group" aria-label="Download" { (download(url, tenant, name)) }
    }
}

/// In a shell's quotes.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn command(url: &str, tenant: &str, name: &str, version: u32, row: &str) -> String {
    let row = quoted(row);
    format!(
        "CUPOLA_URL={url} CUPOLA_API_KEY=$CUPOLA_KEY \\\n  \
         cupola predict {tenant}/{name}:{version} --row {row}"
    )
}

fn curl(url: &str, tenant: &str, name: &str, version: u32, body: &str) -> String {
    let body = quoted(body);
    format!(
        "curl -sS '{url}/v1/models/{tenant}/{name}/predict?version={version}' \\\n  \
         -H \"Authorization: Bearer $CUPOLA_KEY\" -H 'Content-Type: application/json' \\\n  \
         -d {body}"
    )
}

fn python(url: &str, tenant: &str, name: &str, version: u32, body: &str) -> String {
    // JSON in a string of JSON is one of Python too
    let body = Value::String(body.to_owned());
    format!(
        "import json, os, urllib.request\n\n\
         request = urllib.request.Request(\n    \"{url}/v1/models/{tenant}/{name}/predict?version={version}\",\n    \
         data={body}.encode(),\n    \
         headers={{\"Authorization\": \"Bearer \" + os.environ[\"CUPOLA_KEY\"], \"Content-Type\": \"application/json\"}},\n)\n\
         print(json.load(urllib.request.urlopen(request))[\"predictions\"])"
    )
}

fn download(url: &str, tenant: &str, name: &str) -> String {
    format!(
        "HF_ENDPOINT={url}/hub HF_TOKEN=$CUPOLA_KEY python3 -c \\\n  \
         \"from huggingface_hub import snapshot_download; print(snapshot_download('{tenant}/{name}'))\""
    )
}

/// A row that the model takes; what is not known is null.
fn row(spec: &TrainingSpec) -> Map<String, Value> {
    let features = |features: &[domain::spec::Feature]| {
        let one = |feature: &domain::spec::Feature| {
            let value = if feature.kind == FeatureKind::Numeric { json!(1.0) } else { Value::Null };
            (feature.name.clone(), value)
        };
        features.iter().map(one).collect()
    };
    match &spec.input {
        Input::Table { features: all, .. } => features(all),
        Input::Text { column, .. } => one(column, "A fine film."),
        Input::Corpus { .. } => one("prompt", "Once upon a time"),
        Input::Images { .. } => one("image", "a PNG or JPEG file in base64"),
        Input::Series(series) => one(&series.time, "2026-01-01"),
        Input::Ratings(ratings) => one(&ratings.user, "1"),
    }
}

fn one(name: &str, value: &str) -> Map<String, Value> {
    Map::from_iter([(name.to_owned(), json!(value))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_of_a_column_stay_within_those_of_the_shell_and_of_python() {
        let body = r#"{"row":{"it's \"odd\"":1.0}}"#;
        assert!(curl("u", "t", "m", 1, body).contains(r#"-d '{"row":{"it'\''s \"odd\"":1.0}}'"#));
        let said = command("u", "t", "m", 1, r#"{"it's":1}"#);
        assert!(said.ends_with(r#"cupola predict t/m:1 --row '{"it'\''s":1}'"#), "{said}");
        assert!(
            python("u", "t", "m", 1, body)
                .contains(r#"data="{\"row\":{\"it's \\\"odd\\\"\":1.0}}".encode()"#)
        );
    }
}

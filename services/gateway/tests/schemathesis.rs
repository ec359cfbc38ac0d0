//! schemathesis, as its authors release it, calls every operation of `/openapi.json`: with what the document
//! allows, with what it does not, and one after the other where an answer has what the next one takes. No answer
//! is a 5xx, and each has a status, a type and a body that the document tells of.

use std::{fs, path::Path, process::Output};

use domain::access::Role;
use serde_json::Value;
use tokio::process::Command;

use crate::{
    authority::{Objects, furnish},
    hand::Hand,
    support::{Client, Served, without_rates},
};

const SEED: &str = "20260101";
/// Of those that schemathesis has all but these: [`negative_data_rejection`] and the like need every rule of a
/// specification in the document, and it says those in words.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance,missing_required_header,\
    unsupported_method,allow_header_conformance,ignored_auth,use_after_free";

#[actix_web::test]
async fn an_owner_gets_no_answer_that_the_document_does_not_tell_of() {
    let Some(python) = testkit::python_with_clients() else { return };
    let served = Served::with(without_rates).await;
    let acme = served.app.tenant("acme").await;
    let (objects, hand) = furnish(&served.app, &acme).await;
    try_all(&python, served, &objects, &hand, &acme.owner).await;
}

#[actix_web::test]
async fn an_operator_gets_no_answer_that_the_document_does_not_tell_of() {
    let Some(python) = testkit::python_with_clients() else { return };
    let served = Served::with(without_rates).await;
    let acme = served.app.tenant("acme").await;
    let (objects, hand) = furnish(&served.app, &acme).await;
    let operator = served.app.of_platform("ada@localhost", Role::Operator).await;
    try_all(&python, served, &objects, &hand, &operator).await;
}

async fn try_all(python: &Path, served: Served, objects: &Objects, hand: &Hand, as_whom: &Client) {
    let folder = tempfile::tempdir().unwrap();
    let [config, document, report] =
        ["config.toml", "openapi.json", "report.json"].map(|name| folder.path().join(name));
    fs::write(&config, configuration(objects, hand)).unwrap();
    fs::write(&document, gateway::openapi().to_json().unwrap()).unwrap();
    let said = Command::new(python.with_file_name("st"))
        .arg("--config-file")
        .arg(&config)
        .arg("run")
        .arg(&document)
        .args(["--url", &format!("http://{}", served.address)])
        .args(["--header", &format!("Authorization: Bearer {}", as_whom.credential())])
        .args(["--checks", CHECKS, "--seed", SEED, "--no-color"])
        .args(["--report", "json", "--report-json-path"])
        .arg(&report)
        .current_dir(folder.path())
        .output()
        .await
        .unwrap();
    let report = fs::read(&report).unwrap_or_default();
    judge(&said, &serde_json::from_slice(&report).unwrap_or_default());
    // else it would have been refused everything from some moment on
    as_whom.get("/v1/me").await.expect(200);
    served.end().await;
}

fn configuration(objects: &Objects, hand: &Hand) -> String {
    let Objects { user, invitation, key, job, sweep, schedule, upload } = objects;
    let worker = hand.worker().to_string();
    let mut text = include_str!("schemathesis.toml").to_owned();
    for (name, id) in [
        ("{user}", user),
        ("{invitation}", invitation),
        ("{key}", key),
        ("{job}", job),
        ("{sweep}", sweep),
        ("{schedule}", schedule),
        ("{upload}", upload),
        ("{worker}", &worker),
    ] {
        text = text.replace(name, id);
    }
    text
}

fn judge(said: &Output, report: &Value) {
    let text = String::from_utf8_lossy(&said.stdout);
    let trouble = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "{text}\n{trouble}");
    let (operations, cases) = (&report["operations"], &report["test_cases"]["generated"]);
    let tested = &operations["tested"];
    let documented = documented_operations();
    println!("{tested} of {documented} operations, {cases} requests");
    assert_eq!(*tested, documented, "{text}");
    assert!(cases.as_u64() >= Some(10 * documented as u64), "{text}");
}

fn documented_operations() -> usize {
    let document = serde_json::to_value(gateway::openapi()).unwrap();
    let paths = document["paths"].as_object().unwrap().values();
    paths.map(|item| item.as_object().unwrap().len()).sum()
}

//! The Hub's protocol, as its own client from PyPI speaks it. What the client is asked to do and what it
//! must find stands in `tests/clients/hub_*.py`.

use std::{path::Path, process::Stdio};

use serde_json::json;
use tokio::process::Command;

use crate::{
    models::published,
    support::{Client, Running, TestApp},
};

/// Runs a script with the client, which must end well.
pub async fn play(python: &Path, script: &str, served: &Running, env: &[(&str, &str)]) -> String {
    let home = tempfile::tempdir().expect("a temporary folder");
    let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/clients");
    let run = Command::new(python)
        .arg(Path::new(scripts).join(script))
        .env_clear()
        .env("HF_ENDPOINT", format!("http://{}/hub", served.address))
        .env("HF_HOME", home.path())
        .env("HF_HUB_DISABLE_TELEMETRY", "1")
        .env("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        .envs(env.iter().copied())
        .stdin(Stdio::null())
        .output();
    let output = run.await.expect("the script starts");
    let (said, errors) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{script}\n{said}\n{errors}");
    said.into_owned()
}

fn credential(client: &Client) -> &str {
    client.credential()
}

#[actix_web::test]
async fn the_client_reads_what_it_may_and_raises_its_own_errors_for_the_rest() {
    let Some(python) = testkit::python_with_clients() else { return };
    let (app, acme, _) = published().await;
    let zeta = app.tenant("zeta").await;
    let served = app.served().await;
    let env = [("OWNER", credential(&acme.viewer)), ("OTHER", credential(&zeta.viewer))];
    play(&python, "hub_read.py", &served, &env).await;
    served.end().await;
}

#[actix_web::test]
async fn the_client_writes_into_its_own_models() {
    let Some(python) = testkit::python_with_clients() else { return };
    let (app, acme, _) = published().await;
    let zeta = app.tenant("zeta").await;
    let served = app.served().await;
    let env = [
        ("OWNER", credential(&acme.owner)),
        ("DEVELOPER", credential(&acme.developer)),
        ("OTHER", credential(&zeta.owner)),
    ];
    play(&python, "hub_write.py", &served, &env).await;
    served.end().await;
    // weights that came by the Hub's client answer like those that a job has made
    predicts_alike(&app, &acme.developer).await;
}

async fn predicts_alike(_app: &TestApp, developer: &Client) {
    let row = json!({"row": {"length": 5, "width": 0.5, "colour": "blue"}});
    let mut answers = Vec::new();
    for model in ["garden", "copy"] {
        let path = format!("/v1/models/acme/{model}/predict");
        let answer = developer.post(&path, row.clone()).await.expect(200);
        answers.push(answer.json["predictions"].clone());
    }
    assert_eq!(answers[0], answers[1]);
}

#[actix_web::test]
async fn files_that_are_too_large_for_a_commit_go_by_git_lfs() {
    let Some(python) = testkit::python_with_clients() else { return };
    let app = TestApp::new().await;
    let acme = app.tenant("acme").await;
    let served = app.served().await;
    // the client's other way to send large files is another service's protocol
    let env = [("OWNER", credential(&acme.owner)), ("HF_HUB_DISABLE_XET", "1")];
    play(&python, "hub_large.py", &served, &env).await;
    served.end().await;
}

//! The Python client as people have it in notebooks, over the real processes. What is done and must be found
//! stands in `clients/python/tests`.

use std::{env, path::Path, process::Stdio};

use e2e::Platform;
use tokio::process::Command;

#[tokio::test]
async fn the_client_is_what_the_document_gives_and_typed() {
    let Some(python) = testkit::python_with_clients() else { return };
    passes(&python, "units", &[]).await;
}

#[tokio::test]
async fn a_notebook_goes_from_a_frame_to_answers_over_a_network_that_breaks() {
    let Some(python) = testkit::python_with_clients() else { return };
    let platform = Platform::start().await;
    let acme = platform.operator.tenant("acme").await;
    let url = format!("http://{}", acme.host());
    passes(&python, "platform", &[("URL", &url), ("KEY", acme.key())]).await;
}

/// A folder of its tests.
async fn passes(python: &Path, tests: &str, environment: &[(&str, &str)]) {
    let client = Path::new(env!("CARGO_MANIFEST_DIR")).join("../clients/python");
    let home = tempfile::tempdir().unwrap();
    let run = Command::new(python)
        .args(["-m", "pytest", "-q", "-p", "no:cacheprovider"])
        .arg(client.join("tests").join(tests))
        .current_dir(&client)
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .env("HOME", home.path())
        .env("PYTHONPATH", &client)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output();
    let output = run.await.expect("Python starts");
    let (said, errors) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{errors}");
    println!("{said}");
}

//! The console as people meet it: in a browser, over the real processes. What is done and must be seen stands
//! in `tests/clients/console.py`.

use std::{env, path::Path, process::Stdio};

use e2e::Platform;
use serde_json::json;
use tokio::process::Command;

/// Where `make screens` wants pictures.
const SCREENS_VARIABLE: &str = "CUPOLA_SCREENS";

#[tokio::test]
async fn somebody_new_pushes_trains_watches_the_curve_and_tries_the_model() {
    let Some(python) = testkit::python_with_clients() else { return };
    let platform = Platform::start().await;
    let draft = json!({ "slug": "acme", "name": "Acme", "owner": { "email": "ada@acme.example" } });
    let made = platform.operator.post("/v1/tenants", &draft).await.ok();
    let token = made["invitation"]["token"].as_str().expect("the invitation is shown once");

    let home = tempfile::tempdir().unwrap();
    let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/clients");
    let mut script = Command::new(python);
    script
        .arg(Path::new(scripts).join("console.py"))
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .env("HOME", home.path())
        .env("URL", format!("http://{}", platform.operator.host()))
        .env("TOKEN", token)
        .stdin(Stdio::null());
    if let Some(screens) = env::var_os(SCREENS_VARIABLE) {
        script.env("SCREENS", screens);
    }
    let output = script.output().await.expect("the script starts");
    let (said, errors) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{errors}");
    assert!(said.contains("the curve has moved"), "{said}");
    assert!(said.contains("a visitor has found a public model"), "{said}");
}

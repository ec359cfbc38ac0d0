//! The console as people meet it: in a browser, over the real processes. What is done and must be seen stands
//! in `tests/clients/console.py`, `operating.py` and `resuming.py`.

use std::{env, path::Path, process::Stdio};

use e2e::{Break, Network, Platform, two_clouds};
use serde_json::json;
use tokio::process::Command;

/// Where `make screens` wants pictures.
const SCREENS_VARIABLE: &str = "CUPOLA_SCREENS";

/// What a script of a browser says, which ends well.
async fn watched(python: &Path, script: &str, url: &str, token: &str) -> String {
    let home = tempfile::tempdir().unwrap();
    let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/clients");
    let mut command = Command::new(python);
    command
        .arg(Path::new(scripts).join(script))
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .env("HOME", home.path())
        .env("URL", url)
        .env("TOKEN", token)
        .stdin(Stdio::null());
    if let Some(screens) = env::var_os(SCREENS_VARIABLE) {
        command.env("SCREENS", screens);
    }
    let output = command.output().await.expect("the script starts");
    let (said, errors) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{errors}");
    said.into_owned()
}

#[tokio::test]
async fn somebody_new_pushes_trains_watches_the_curve_and_tries_the_model() {
    let Some(python) = testkit::python_with_clients() else { return };
    let platform = Platform::start().await;
    let draft = json!({ "slug": "acme", "name": "Acme", "owner": { "email": "ada@acme.example" } });
    let made = platform.operator.post("/v1/tenants", &draft).await.ok();
    let token = made["invitation"]["token"].as_str().expect("the invitation is shown once");
    let url = format!("http://{}", platform.operator.host());
    let said = watched(&python, "console.py", &url, token).await;
    assert!(said.contains("the curve has moved"), "{said}");
    assert!(said.contains("a visitor has found a public model"), "{said}");
}

#[tokio::test]
async fn an_operator_sees_how_full_each_worker_is_and_takes_one_out_of_service() {
    let Some(python) = testkit::python_with_clients() else { return };
    let platform = Platform::start().await;
    let _other = platform.start_worker("two");
    let acme = platform.operator.tenant("acme").await;
    let (csv, mut draft) = two_clouds(10_000);
    acme.push_csv("clouds", &csv).await;
    // all that a worker has
    draft["resources"] = json!({ "cpu_milli": 4_000 });
    acme.submit(&draft).await;
    let invitation = json!({ "email": "op@platform.example", "role": "operator" });
    let invited = platform.operator.post("/v1/platform/invitations", &invitation).await.ok();
    let token = invited["token"].as_str().expect("the invitation is shown once");
    let url = format!("http://{}", platform.operator.host());
    let said = watched(&python, "operating.py", &url, token).await;
    assert!(said.contains("2 workers are shown"), "{said}");
}

#[tokio::test]
async fn an_upload_goes_on_over_a_network_that_breaks_and_in_another_page() {
    let Some(python) = testkit::python_with_clients() else { return };
    let platform = Platform::start().await;
    let acme = platform.operator.tenant("acme").await;
    let draft = json!({ "email": "ada@acme.example", "role": "developer" });
    let invited = acme.post("/v1/invitations", &draft).await.ok();
    let token = invited["token"].as_str().expect("the invitation is shown once");
    let network = Network::to(&platform.operator.host());
    let piece = "PATCH /console/uploads/";
    network.breaks(&[
        // nobody is told that it was begun
        Break::Answered("POST /console/uploads ", 0),
        Break::Sent(piece, 3 << 20),
        // it has come whole, and nobody is told
        Break::Answered(piece, 0),
        Break::Sent(piece, 700),
    ]);
    let said = watched(&python, "resuming.py", &network.url(), token).await;
    assert!(network.is_whole(), "{said}");
    let version = acme.get("/v1/datasets/many-rows/versions/1").await.ok();
    let sha256 = version["sha256"].as_str().unwrap();
    assert!(said.contains(&format!("sha256 {sha256}")), "{said}\n{version}");
}

//! What a tenant does from a shell: from a key and a file to answers, and what scripts go by.

use std::{fs, os::unix::fs::PermissionsExt};

use e2e::{Client, Platform, two_clouds};
use reqwest::Method;
use serde_json::{Value, json};

use crate::shell::Shell;

#[tokio::test]
async fn a_tenant_goes_from_a_file_to_answers_in_a_shell() {
    let platform = Platform::start().await;
    let acme = platform.operator.tenant("acme").await;
    let shell = Shell::new(&acme);
    signs_in(&shell, &acme);
    pushes(&shell);
    let job = trains(&shell);
    follows(&shell, &job);
    asks(&shell);
    pulls(&shell);
    goes_back(&shell, &acme).await;
    is_told_what_failed(&shell);
    assert_eq!(shell.json(&["logout"])[0]["removed"], true);
    assert_eq!(shell.json(&["logout"])[0]["removed"], false);
    assert!(shell.fails(1, &["whoami"]).contains("cupola login"));
}

fn signs_in(shell: &Shell, acme: &Client) {
    assert!(shell.fails(1, &["whoami"]).contains("cupola login"));
    let url = format!("{}/", shell.url);
    let wrong = shell.write("wrong.key", "cup_nobodys");
    let said = shell.fails(3, &["login", "--url", &url, "--key-file", &wrong]);
    assert!(said.contains("cupola login") && said.contains("CUPOLA_API_KEY"), "{said}");
    let file = shell.at("config/cupola/credentials.json");
    assert!(!fs::exists(&file).unwrap(), "a key that is none is not kept");

    let key = shell.write("acme.key", format!("{}\n", acme.key()));
    let said = shell.ok(&["login", "--url", &url, "--key-file", &key]);
    assert!(said.contains("of acme") && said.contains(&file), "{said}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let me = shell.json(&["whoami"]);
    assert_eq!((&me[0]["tenant"], &me[0]["url"]), (&json!("acme"), &json!(shell.url)));
}

fn pushes(shell: &Shell) {
    let file = shell.write("clouds.csv", two_clouds(1).0);
    let said = shell.ok(&["datasets", "push", "clouds", &file]);
    assert!(said.contains("clouds:1  150 rows, 3 columns"), "{said}");
    assert!(said.contains("far 50.0 %") && said.contains("near 50.0 %"), "{said}");
    let said = shell.ok(&["datasets", "push", "clouds", &file]);
    assert!(said.contains("there already"), "{said}");
    let datasets = shell.json(&["datasets", "list"]);
    assert_eq!(datasets[0]["items"][0]["versions"], 1);
    let profile = shell.json(&["datasets", "profile", "clouds:1"]);
    assert_eq!(profile[0]["profile"]["rows"], 150);
    let bad = shell.write("bad.csv", "a,b\n1,2\n3\n");
    let said = shell.fails(1, &["datasets", "push", "bad", &bad]);
    assert!(said.contains("bad:1 cannot be read, ragged_row"), "{said}");
}

/// The id of the job that succeeded.
fn trains(shell: &Shell) -> String {
    let said = shell.ok(&["init", &shell.at("clouds.csv"), "--target", "cloud"]);
    assert!(said.contains("cupola jobs submit"), "{said}");
    let spec = shell.at("clouds.yaml");
    let said = shell.ok(&["jobs", "submit", &spec, "--dry-run"]);
    assert!(said.contains("it would be accepted"), "{said}");
    let said = shell.ok(&["jobs", "submit", &spec, "--watch"]);
    for part in ["epoch   1  loss ", "succeeded\npublished as clouds:1"] {
        assert!(said.contains(part), "{part} is missing from {said}");
    }
    let wrong = r#"{"dataset": "clouds", "target": "clod", "epochs": 0}"#;
    let wrong = shell.write("wrong.json", wrong);
    let said = shell.fails(1, &["jobs", "submit", &wrong]);
    assert!(said.contains("epochs: 0 is out of range") && said.contains("target: "), "{said}");
    let jobs = shell.json(&["jobs", "list", "--kind", "train"]);
    let jobs = jobs[0]["items"].as_array().unwrap();
    assert_eq!((jobs.len(), &jobs[0]["status"]), (1, &json!("succeeded")));
    jobs[0]["id"].as_str().unwrap().to_owned()
}

fn follows(shell: &Shell, job: &str) {
    let events = shell.json(&["jobs", "watch", job]);
    assert_eq!(events.last().unwrap()["event"], "succeeded");
    assert!(events.iter().any(|event| event["event"] == "epoch"));
    assert!(shell.ok(&["jobs", "show", job]).contains("published  clouds:1"));
    assert!(shell.json(&["jobs", "logs", job])[0]["items"].is_array());

    let long = shell.write("long.json", two_clouds(5_000).1.to_string());
    let long = shell.json(&["jobs", "submit", &long]);
    let long = long[0]["id"].as_str().unwrap();
    shell.ok(&["jobs", "cancel", long]);
    let said = shell.fails(1, &["jobs", "watch", long]);
    assert!(said.contains(&format!("{long} was cancelled")), "{said}");
}

fn asks(shell: &Shell) {
    let said = shell.ok(&["predict", "clouds", "--row", r#"{"x": 1.6, "y": 1.6}"#]);
    assert!(said.starts_with("far\n  far  "), "{said}");
    let said = shell.fails(1, &["predict", "clouds:1", "--row", r#"{"x": 1.6}"#]);
    assert!(said.contains("y: the column is missing"), "{said}");

    let (csv, rows) = (shell.at("clouds.csv"), 150);
    let table = shell.ok(&["predict", "acme/clouds:latest", "--csv", &csv]);
    let lines: Vec<_> = table.lines().collect();
    assert_eq!((lines[0], lines.len()), ("x,y,cloud,prediction,probability", rows + 1));
    let right = |line: &&&str| {
        let cells: Vec<_> = line.split(',').collect();
        cells[2] == cells[3]
    };
    let right = lines[1..].iter().filter(right).count();
    assert!(right > rows * 3 / 4, "{right} of {rows}");
    let answers = shell.json(&["predict", "clouds", "--csv", &csv]);
    assert_eq!(answers.len(), rows);
    assert!(answers.iter().all(|answer| answer["class"].is_string()));
}

fn pulls(shell: &Shell) {
    assert!(shell.ok(&["models", "list"]).contains("acme/clouds"));
    let said = shell.ok(&["models", "show", "clouds"]);
    assert!(said.contains("acme/clouds:1") && said.contains("model.safetensors"), "{said}");
    let pull = |folder: &str| {
        let answer = shell.json(&["models", "pull", "clouds:1", "--out", &shell.at(folder)]);
        let files = answer[0]["files"].as_array().unwrap().clone();
        let is_weights = |file: &&Value| file["path"].as_str().unwrap().ends_with(".safetensors");
        files.iter().find(is_weights).unwrap()["from"].clone()
    };
    assert_eq!(pull("whole"), 0);
    assert_eq!(pull("whole"), Value::Null, "what is there is not sent again");
    let whole = fs::read(shell.at("whole/model.safetensors")).unwrap();

    let half = whole.len() / 2;
    let mut damaged = whole[..half].to_vec();
    damaged[0] ^= 1;
    for (folder, part) in
        [("broken", &whole[..half]), ("damaged", &damaged[..]), ("full", &whole[..])]
    {
        fs::create_dir(shell.at(folder)).unwrap();
        shell.write(&format!("{folder}/.model.safetensors.part"), part);
        assert_eq!(pull(folder), part.len(), "it goes on from what was there");
        assert!(fs::read(shell.at(&format!("{folder}/model.safetensors"))).unwrap() == whole);
        assert!(!fs::exists(shell.at(&format!("{folder}/.model.safetensors.part"))).unwrap());
    }
}

async fn goes_back(shell: &Shell, acme: &Client) {
    for weight in [1, 2] {
        let split =
            json!({"traffic": [{"model": "acme/clouds", "version": "1", "weight": weight}]});
        let put = acme.request(Method::PUT, "/v1/endpoints/shop").json(&split);
        acme.answer_to(put).await.unwrap().ok();
    }
    assert!(shell.ok(&["endpoints", "list"]).contains("acme/clouds:1 100 %"));
    let back = shell.json(&["endpoints", "rollback", "shop", "--to", "1"]);
    assert_eq!((&back[0]["revision"], &back[0]["traffic"][0]["weight"]), (&3.into(), &1.into()));
    assert!(shell.ok(&["endpoints", "show", "shop"]).contains("shop, revision 3"));
    assert!(shell.ok(&["usage"]).contains("predictions  "));
    assert!(shell.json(&["usage"])[0]["predictions"]["rows"].is_u64());
}

/// Scripts go by the code, people by the words.
fn is_told_what_failed(shell: &Shell) {
    let said = shell.fails(3, &["models", "show", "nothing"]);
    assert!(said.contains("nothing"), "{said}");
    shell.fails(3, &["jobs", "show", "job_0192f0c4a1b27c3d8e9fa0b1c2d3e4f5"]);
    shell.fails(2, &["jobs", "show", "7"]);
    // a key that is kept is of its own platform
    let elsewhere = ["whoami", "--url", "http://127.0.0.1:1"];
    let said = shell.fails(1, &elsewhere);
    assert!(said.contains(&shell.url) && said.contains("CUPOLA_API_KEY"), "{said}");
    let key = [("CUPOLA_API_KEY", "cup_any".to_owned())];
    let said = shell.run_with(&elsewhere, &key);
    assert_eq!(said.code, Some(4), "{}", said.stderr);
    assert!(said.stderr.contains("http://127.0.0.1:1 did not answer"), "{}", said.stderr);
    let said = shell.run_with(&["whoami", "--json"], &key);
    assert_eq!((said.code, said.stdout.as_str()), (Some(3), ""), "the variable goes first");
}

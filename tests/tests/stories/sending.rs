//! Files sent from a shell over a network that breaks, and endpoints asked: what has arrived is not sent again, and
//! what was done is not done twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use domain::Digest;
use e2e::{Break, Client, Network, Platform, two_clouds};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{shell::Shell, terminal};

/// Larger than what a socket holds, so that a cut is amid it.
const LARGE_BYTES: usize = 24 << 20;
const PIECE_BYTES: usize = 8 << 20;
/// Of two halves the second is met by one of so many keys.
const MOST_KEYS: u32 = 64;

#[tokio::test]
async fn what_is_sent_from_a_shell_arrives_once_over_a_network_that_breaks() {
    let platform = Platform::start().await;
    let acme = platform.operator.tenant("acme").await;
    let network = Network::to(&acme.host());
    let shell = Shell::of(&acme, &network.url());
    pushes_a_dataset(&shell, &network);
    pushes_a_large_one_in_pieces(&shell, &acme, &network).await;
    trains(&shell, &network);
    pulls(&shell, &network);
    pushes_a_folder(&shell);
    goes_on_with_a_push(&shell, &network);
    is_told_why_a_push_is_refused(&shell);
    asks_an_endpoint(&shell, &acme, &network).await;
    let other = platform.operator.tenant("zeta").await;
    let said = Shell::of(&other, &network.url())
        .fails(3, &["models", "push", "acme/copy", &shell.at("folder")]);
    assert!(said.contains("acme/copy"), "{said}");
    if let Some(python) = testkit::python_with_clients() {
        terminal::draws(&python, &shell);
    }
}

fn pushes_a_dataset(shell: &Shell, network: &Network) {
    let file = shell.write("clouds.csv", two_clouds(1).0);
    let push = "POST /v1/datasets/clouds/versions";
    network.breaks(&[Break::Sent(push, 700), Break::Answered(push, 0)]);
    let said = shell.run(&["datasets", "push", "clouds", &file, "--json"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert_eq!(said.stderr, "the connection is lost; trying again\n".repeat(2));
    assert!(network.is_whole());
    assert_eq!(shell.json(&["datasets", "list"])[0]["items"][0]["versions"], 1);
    let version: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(version["profile"]["rows"], 150);
}

/// The first piece has come in another run. Of this one the next breaks off, and the answer to it is lost, too.
async fn pushes_a_large_one_in_pieces(shell: &Shell, acme: &Client, network: &Network) {
    let text = "the same line again and again\n".repeat(LARGE_BYTES / 30);
    let file = shell.write("lines.txt", &text);
    let sha256 = Digest::of(text.as_bytes());
    let draft = json!({
        "dataset": "lines", "format": "text", "bytes": text.len(), "fingerprint": sha256, "sha256": sha256,
    });
    let upload = acme.post("/v1/uploads", &draft).await.ok();
    let at = format!("/v1/uploads/{}", upload["id"].as_str().unwrap());
    let piece = acme
        .request(Method::PATCH, &at)
        .header("content-type", "application/octet-stream")
        .header("upload-offset", 0)
        .body(text.as_bytes()[..PIECE_BYTES].to_vec());
    acme.answer_to(piece).await.unwrap().ok();
    let (piece, version) = ("PATCH /v1/uploads/", "POST /v1/uploads/upl");
    network.breaks(&[
        Break::Sent(piece, 1 << 20),
        Break::Answered(piece, 0),
        Break::Answered(version, 0),
    ]);
    let said = shell.run(&["datasets", "push", "lines", &file, "--json"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let lost = "the connection is lost; trying again\n".repeat(3);
    assert_eq!(said.stderr, format!("8.00 MiB of it have come before; going on\n{lost}"));
    assert!(network.is_whole());
    let versions = acme.get("/v1/datasets/lines/versions").await.ok();
    assert_eq!(versions["items"].as_array().unwrap().len(), 1);
    assert_eq!(versions["items"][0]["sha256"], json!(sha256));
    assert_eq!(acme.get("/v1/uploads").await.ok()["items"], json!([]));
}

fn trains(shell: &Shell, network: &Network) {
    let draft = shell.write("clouds.json", two_clouds(3).1.to_string());
    let stream = "GET /v1/jobs/";
    network.breaks(&[
        Break::Answered("POST /v1/jobs", 0),
        Break::Answered(stream, 700),
        Break::Answered(stream, 0),
    ]);
    let said = shell.run(&["jobs", "submit", &draft, "--watch", "--json"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(network.is_whole() && said.stderr.contains("the connection is lost; going on"));
    let told = said.stdout.lines().skip(1).map(|line| serde_json::from_str::<Value>(line).unwrap());
    let numbers: Vec<_> = told.filter_map(|event| event["id"].as_u64()).collect();
    let all: Vec<_> = (1..=numbers.len() as u64).collect();
    assert_eq!(numbers, all, "nothing is missed and nothing comes twice");
    let jobs = shell.json(&["jobs", "list", "--kind", "train"]);
    assert_eq!(jobs[0]["items"].as_array().unwrap().len(), 1, "a lost answer makes no second job");
}

fn pulls(shell: &Shell, network: &Network) {
    let file = "GET /v1/models/acme/clouds/versions/1/files/";
    network.breaks(&[Break::Answered(file, 0), Break::Answered(file, 900)]);
    shell.ok(&["models", "pull", "clouds", "--out", &shell.at("folder")]);
    assert!(network.is_whole());
}

/// What the answer says of each file, by path.
fn sent(answer: &Value) -> Vec<(&str, bool)> {
    let files = answer["files"].as_array().unwrap();
    files.iter().map(|f| (f["path"].as_str().unwrap(), f["sent"].as_bool().unwrap())).collect()
}

fn pushes_a_folder(shell: &Shell) {
    let folder = shell.at("folder");
    let said = shell.ok(&["models", "push", "copy", &folder]);
    assert!(said.starts_with("published as acme/copy:1; cupola models show"), "{said}");
    // the job has put the same bytes into the same store
    assert!(said.contains("model.safetensors") && said.contains(", was there"), "{said}");
    let again = &shell.json(&["models", "push", "acme/copy", &folder])[0];
    assert_eq!((&again["model"], &again["new"]), (&json!("acme/copy:1"), &json!(false)));
    let row = r#"{"x": 1.6, "y": 1.6}"#;
    let answers = ["clouds", "copy"].map(|model| shell.ok(&["predict", model, "--row", row]));
    assert_eq!(answers[0], answers[1], "a model that was sent answers as it did");

    // one file beside what is there
    let notes = shell.write("notes.txt", "kept for later");
    let answer = &shell.json(&["models", "push", "copy", &notes])[0];
    assert_eq!((&answer["model"], &answer["new"]), (&json!("acme/copy:2"), &json!(true)));
    assert_eq!(sent(answer), [("notes.txt", true)]);
    let has = |version: &str| {
        let shown = shell.json(&["models", "show", &format!("copy:{version}")]);
        let files = shown[0]["files"].as_array().unwrap().clone();
        files.iter().map(|f| f["name"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    assert!(has("2").contains("notes.txt") && has("2").contains("model.safetensors"));
    // a folder is the whole version
    let answer = &shell.json(&["models", "push", "copy", &folder])[0];
    assert_eq!((&answer["model"], has("3")), (&json!("acme/copy:3"), has("1")));
}

fn goes_on_with_a_push(shell: &Shell, network: &Network) {
    let numbers = (0_u32..).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes());
    let large: Vec<u8> = numbers.take(LARGE_BYTES).collect();
    fs::create_dir_all(shell.at("large/parts")).unwrap();
    shell.write("large/parts/one.bin", &large);
    shell.write("large/two.bin", b"two");
    shell.write("large/README.md", "---\ntags: [large]\n---\n# Large\n");
    let commit = "POST /hub/api/models/acme/large/commit/main";
    network.breaks(&[
        Break::Sent("PUT /hub/lfs/", LARGE_BYTES / 2),
        // it has come whole, and nobody was told
        Break::Answered("PUT /hub/lfs/", 0),
        Break::Answered(commit, 0),
    ]);
    let said = shell.run(&["models", "push", "large", &shell.at("large"), "--json"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert_eq!(said.stderr, "the connection is lost; trying again\n".repeat(3));
    assert!(network.is_whole());
    let answer: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(answer["model"], "acme/large:1", "a commit whose answer was lost is made once");
    assert_eq!(sent(&answer), [("README.md", true), ("parts/one.bin", true), ("two.bin", true)]);
    let shown = shell.ok(&["models", "show", "large"]);
    assert!(shown.contains("acme/large:1") && !shown.contains("acme/large:2"), "{shown}");
    let out = shell.at("back");
    shell.ok(&["models", "pull", "large", "--out", &out]);
    assert!(fs::read(shell.at("back/parts/one.bin")).unwrap() == large);
}

fn is_told_why_a_push_is_refused(shell: &Shell) {
    let folder = shell.at("damaged");
    shell.ok(&["models", "pull", "clouds", "--out", &folder]);
    let whole = fs::read(shell.at("damaged/model.safetensors")).unwrap();
    shell.write("damaged/model.safetensors", &whole[..whole.len() - 4]);
    shell.write("damaged/new.bin", b"new");
    let said = shell.fails(1, &["models", "push", "copy", &folder]);
    assert!(said.contains("model.safetensors is not what config.json describes"), "{said}");
    // once that is mended, what had come is not sent again
    shell.write("damaged/model.safetensors", whole);
    let answer = &shell.json(&["models", "push", "copy", &folder])[0];
    let new: Vec<_> = sent(answer).into_iter().filter(|(_, sent)| *sent).collect();
    assert_eq!(new, [("README.md", true)], "it stands in the commit");
    assert_eq!(answer["new"], true);
    let said = shell.fails(1, &["models", "push", "copy:2", &folder]);
    assert!(said.contains("a version never changes"), "{said}");
    fs::create_dir(shell.at("empty")).unwrap();
    let said = shell.fails(1, &["models", "push", "copy", &shell.at("empty")]);
    assert!(said.contains("there are no files in"), "{said}");
    shell.fails(1, &["models", "push", "copy", &shell.at("nowhere")]);
    let said = shell.fails(1, &["models", "push", "c0py", &shell.at("folder")]);
    assert!(said.contains("people would take"), "{said}");
}

async fn asks_an_endpoint(shell: &Shell, acme: &Client, network: &Network) {
    let half =
        |model: &str| json!({"model": format!("acme/{model}"), "version": "1", "weight": 50});
    let split = json!({"traffic": [half("clouds"), half("copy")]});
    let put = acme.request(Method::PUT, "/v1/endpoints/shop").json(&split);
    acme.answer_to(put).await.unwrap().ok();
    let row = r#"{"x": 1.6, "y": 1.6}"#;
    network.breaks(&[Break::Answered("POST /v1/endpoints/shop/predict", 0)]);
    let said = shell.run(&["predict", "--endpoint", "shop", "--row", row]);
    assert_eq!(said.stdout, shell.ok(&["predict", "clouds:1", "--row", row]), "{}", said.stderr);
    assert!(network.is_whole());
    assert!(said.stderr.contains("answered by acme/c"), "{}", said.stderr);
    let by = |key: &str| {
        let asked = ["predict", "--endpoint", "shop", "--sticky-key", key, "--row", row];
        shell.json(&asked)[0]["model"].as_str().unwrap().to_owned()
    };
    let mut answered = BTreeMap::new();
    for key in (0..MOST_KEYS).map(|n| format!("key {n}")) {
        let version = by(&key);
        assert_eq!(by(&key), version, "calls with one key are answered by one version");
        answered.insert(version, key);
        if answered.len() == 2 {
            break;
        }
    }
    let keys: Vec<_> = answered.keys().map(String::as_str).collect();
    assert_eq!(keys, ["acme/clouds", "acme/copy"]);

    let csv = shell.at("clouds.csv");
    let key = &answered["acme/copy"];
    let said = shell.run(&["predict", "--endpoint", "shop", "--sticky-key", key, "--csv", &csv]);
    assert_eq!(said.stdout.lines().count(), 151, "{}", said.stderr);
    assert_eq!(said.stderr, "150 answered by acme/copy:1\n");
    shell.fails(3, &["predict", "--endpoint", "nothing", "--row", row]);
    for wrong in [
        &["predict", "clouds", "--endpoint", "shop", "--row", row][..],
        &["predict", "clouds", "--sticky-key", "ada", "--row", row],
        &["predict", "--row", row],
        &["predict", "--endpoint", "shop", "--dataset", "clouds", "--out", "x"],
        &["predict", "--endpoint", "shop", "--sticky-key", "größe", "--row", row],
    ] {
        shell.fails(2, wrong);
    }
}

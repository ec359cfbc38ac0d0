//! The command line: what it offers, and how it refuses.

use std::process::{Command, Output};

fn cupola(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cupola"))
        .args(arguments)
        .env_clear()
        .output()
        .expect("the binary was built")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn help_names_what_people_run_and_hides_the_child() {
    let help = cupola(&["--help"]);
    assert!(help.status.success());
    let text = String::from_utf8_lossy(&help.stdout).into_owned();
    for command in [
        "up",
        "gateway",
        "scheduler",
        "worker",
        "migrate",
        "admin",
        "demo",
        "train",
        "export",
        "import",
        "models",
        "openapi",
        "login",
        "datasets",
        "jobs",
        "predict",
        "endpoints",
        "usage",
        "init",
        "advise",
        "completion",
        "man",
    ] {
        assert!(text.contains(&format!("\n  {command}")), "{command} is missing from {text}");
    }
    assert!(!text.contains("\n  child"), "the child is not for people: {text}");
}

#[test]
fn a_replica_without_its_database_says_what_to_set() {
    let refused = cupola(&["gateway"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("--database-url"), "{}", stderr(&refused));
}

#[test]
fn a_bad_object_store_is_named_with_its_value() {
    let refused = cupola(&[
        "scheduler",
        "--database-url=postgres://nobody@localhost/none",
        "--object-store-url=ftp://example",
    ]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("ftp://example"), "{}", stderr(&refused));
}

#[test]
fn a_busy_port_is_said_before_anything_is_started() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let folder = std::env::temp_dir().join(format!("cupola-busy-{}", std::process::id()));
    let path = folder.display().to_string();
    let refused = cupola(&["up", "--listen", &address, "--data-dir", &path]);
    let left: Vec<_> = std::fs::read_dir(&folder).map(Iterator::collect).unwrap_or_default();
    let _ = std::fs::remove_dir_all(&folder);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains(&address), "{}", stderr(&refused));
    assert!(left.is_empty(), "nothing was started: {left:?}");
}

#[test]
fn what_is_typed_wrongly_is_told_apart_from_what_fails() {
    for arguments in [["jobs", "watch", "job_1"], ["predict", "Model", "--row={}"]] {
        let refused = cupola(&arguments);
        assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    }
    let refused = cupola(&["predict", "m"]);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("--row") && stderr(&refused).contains("--csv"));
    let lost = cupola(&["whoami"]);
    assert_eq!(lost.status.code(), Some(1));
    assert!(stderr(&lost).contains("XDG_CONFIG_HOME"), "{}", stderr(&lost));
}

#[test]
fn shells_complete_and_manuals_are_written() {
    for shell in ["bash", "zsh", "fish"] {
        let script = cupola(&["completion", shell]);
        let text = String::from_utf8(script.stdout).unwrap();
        assert!(script.status.success() && text.contains("datasets"), "{shell}: {text}");
    }
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("man");
    assert!(cupola(&["man", "--out", &out.display().to_string()]).status.success());
    let page = std::fs::read_to_string(out.join("cupola-jobs-submit.1")).unwrap();
    assert!(page.contains("dry\\-run"), "{page}");
    assert!(!out.join("cupola-child.1").exists(), "the child is not for people");
}

#[test]
fn a_specification_is_begun_from_a_file_and_never_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/examples/breast-cancer.csv");
    std::fs::copy(data, path("cancer.csv")).unwrap();
    let begin = || cupola(&["init", &path("cancer.csv"), "--target", "diagnosis"]);
    let made = begin();
    assert!(made.status.success(), "{}", stderr(&made));
    let spec = std::fs::read_to_string(path("cancer.yaml")).unwrap();
    assert!(spec.contains("target: \"diagnosis\"  # classes: B, M"), "{spec}");
    assert!(spec.contains("drop: [\"id\"]"), "{spec}");
    let refused = begin();
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("--out"), "{}", stderr(&refused));
}

/// A folder with a specification in it, and where the model goes.
fn training(spec: &str) -> (tempfile::TempDir, Vec<String>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("spec.json");
    std::fs::write(&file, spec).expect("the specification is written");
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/examples/breast-cancer.csv");
    let out = folder.path().join("out");
    let path = |path: &std::path::Path| path.display().to_string();
    let words = ["train", "--spec", &path(&file), "--data", data, "--out", &path(&out)];
    let arguments = words.map(str::to_owned).to_vec();
    (folder, arguments)
}

fn run(arguments: &[String]) -> Output {
    cupola(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn a_model_is_trained_from_a_file_without_a_server() {
    let (folder, arguments) =
        training(r#"{"target": "diagnosis", "drop": ["id"], "epochs": 2, "seed": 1}"#);
    let trained = run(&arguments);
    let text = String::from_utf8(trained.stdout).unwrap();
    assert!(trained.status.success(), "{text}{}", String::from_utf8_lossy(&trained.stderr));
    assert!(text.contains("estimate: ") && text.contains("val_accuracy"), "{text}");
    let out = folder.path().join("out");
    let history = std::fs::read_to_string(out.join("history.jsonl")).unwrap();
    let seconds =
        |line| serde_json::from_str::<serde_json::Value>(line).unwrap()["seconds"].as_f64();
    let seconds: Vec<_> = history.lines().map(seconds).collect();
    assert!(seconds.len() == 2 && seconds[0] > Some(0.0) && seconds[0] < seconds[1], "{history}");
    let mut left: Vec<_> = std::fs::read_dir(&out)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["config.json", "history.jsonl", "model.safetensors"]);
}

#[test]
fn a_specification_that_does_not_fit_names_the_fields() {
    let (_folder, arguments) = training(r#"{"target": "diagnosiz", "epochs": 0}"#);
    let refused = run(&arguments);
    let text = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{text}");
    assert!(text.contains("target: ") && text.contains("epochs: 0"), "{text}");
    let (_folder, arguments) = training(r#"{"target": "diagnosis", "epoch": 3}"#);
    let text = String::from_utf8(run(&arguments).stderr).unwrap();
    assert!(text.contains("unknown field `epoch`"), "{text}");
}

#[test]
fn a_model_goes_out_as_onnx_and_its_weights_come_back_in() {
    let spec = r#"{"target": "diagnosis", "drop": ["id"], "epochs": 1, "seed": 1}"#;
    let (folder, arguments) = training(spec);
    assert!(run(&arguments).status.success());
    let path = |name: &str| folder.path().join(name).display().to_string();
    let exported = cupola(&["export", "--model", &path("out"), "--out", &path("m.onnx")]);
    assert!(exported.status.success(), "{}", stderr(&exported));
    for name in ["m.onnx", "preprocessing.json"] {
        assert!(folder.path().join(name).exists(), "{name}");
    }
    let (weights, back) = (path("out/model.safetensors"), path("back"));
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/examples/breast-cancer.csv");
    let (spec, config) = (path("spec.json"), path("out/config.json"));
    let by_spec = ["--spec", &spec, "--data", data];
    for known_by in [by_spec.as_slice(), &["--config", &config]] {
        let words = ["import", "--weights", &weights, "--out", &back];
        let imported = cupola(&[&words[..], known_by].concat());
        assert!(imported.status.success(), "{}", stderr(&imported));
        let read = |path: &str| std::fs::read(path).unwrap();
        assert!(read(&weights) == read(&path("back/model.safetensors")));
        assert_eq!(std::fs::read_dir(&back).unwrap().count(), 2, "nothing else is left");
    }
    let other = path("other.json");
    std::fs::write(&other, r#"{"target": "nothing"}"#).unwrap();
    for (spec, names) in [(&other, "target: "), (&path("none.json"), "none.json")] {
        let odd = ["--weights", &weights, "--out", &path("odd"), "--spec", spec, "--data", data];
        let refused = cupola(&[&["import"], &odd[..]].concat());
        assert!(stderr(&refused).contains(names), "{}", stderr(&refused));
        assert_eq!(std::fs::read_dir(path("odd")).unwrap().count(), 0, "nothing is left");
    }
    std::fs::write(&weights, b"short").unwrap();
    let refused = cupola(&["import", "--weights", &weights, "--out", &back, "--config", &config]);
    assert!(stderr(&refused).contains("no safetensors file"), "{}", stderr(&refused));
    let refused = cupola(&["export", "--model", &path("out"), "--out", &path("m.onnx")]);
    assert!(stderr(&refused).contains("digest"), "{}", stderr(&refused));
}

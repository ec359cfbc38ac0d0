//! The arrows between our crates, as drawn in docs/ARCHITECTURE.md: they only point down, services
//! do not know each other, and only `engine` knows the tensor library, only `store` speaks SQL.

use std::{collections::BTreeMap, process::Command};

use serde_json::Value;

/// Crate, and what of ours it may depend on.
const ARROWS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("planner", &["domain"]),
    ("advice", &["domain"]),
    ("engine", &["domain"]),
    ("onnx", &["domain"]),
    ("store", &["domain"]),
    ("registry", &["domain", "store"]),
    ("boot", &["domain", "store"]),
    ("serving", &["boot", "domain", "engine", "registry", "store"]),
    ("simulator", &["domain", "planner"]),
    ("gateway", &["advice", "boot", "domain", "engine", "planner", "registry", "serving", "store"]),
    ("console", &["domain", "gateway"]),
    ("scheduler", &["boot", "domain", "planner", "store"]),
    ("worker", &["boot", "domain", "engine", "onnx", "registry", "store"]),
    (
        "cupola",
        &[
            "advice",
            "boot",
            "console",
            "domain",
            "engine",
            "gateway",
            "onnx",
            "planner",
            "registry",
            "scheduler",
            "serving",
            "simulator",
            "store",
            "worker",
        ],
    ),
    ("testkit", &["boot", "domain", "store"]),
    (
        "e2e",
        &[
            "boot",
            "domain",
            "engine",
            "planner",
            "registry",
            "scheduler",
            "simulator",
            "store",
            "testkit",
            "worker",
        ],
    ),
];

/// Libraries that one crate alone may name.
const ALONE: &[(&str, &str)] =
    &[("burn", "engine"), ("sqlx", "store"), ("object_store", "registry")];

#[test]
fn arrows_only_point_down() {
    let used = dependencies();
    let known: Vec<_> = ARROWS.iter().map(|(name, _)| *name).collect();
    for (name, needs) in &used {
        let Some((_, may)) = ARROWS.iter().find(|(known, _)| known == name) else {
            panic!("crate {name} is not in the picture: draw its arrows here and in the docs");
        };
        for need in needs.iter().filter(|need| known.contains(&need.as_str())) {
            assert!(may.contains(&need.as_str()), "{name} must not depend on {need}");
        }
    }
}

#[test]
fn a_library_with_one_owner_is_named_by_nobody_else() {
    for (name, needs) in &dependencies() {
        for (library, owner) in ALONE {
            let named = needs.iter().any(|need| need == library);
            assert!(!named || name == owner, "{name} names {library}, which is {owner}'s alone");
        }
    }
}

/// Normal and build dependencies of each crate of ours; what only tests use is theirs.
fn dependencies() -> BTreeMap<String, Vec<String>> {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .expect("cargo runs");
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata: Value = serde_json::from_slice(&metadata.stdout).expect("cargo prints JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let needs = |package: &Value| {
        let list = package["dependencies"].as_array().expect("dependencies").iter();
        list.filter(|need| need["kind"] != "dev").map(|need| text(&need["name"])).collect()
    };
    packages.iter().map(|package| (text(&package["name"]), needs(package))).collect()
}

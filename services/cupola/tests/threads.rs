//! How many threads a run has, in processes of their own, and that its model does not depend on them.

#![cfg(target_os = "linux")]

use std::{fs, path::Path, process::Command};

/// Layers whose products are shared by all threads.
const SPEC: &str = r#"{
    "target": "diagnosis", "drop": ["id"], "epochs": 1, "batch_size": 300, "seed": 3,
    "model": {"family": "mlp", "units": [260, 250], "dropout": 0.1}
}"#;

/// What `cupola train` says, and its model.
fn train(command: &mut Command) -> (String, Vec<u8>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (spec, out) = (folder.path().join("spec.json"), folder.path().join("out"));
    fs::write(&spec, SPEC).expect("the specification is written");
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/examples/breast-cancer.csv");
    let command = command.arg("train").arg("--spec").arg(&spec).args(["--data", data]);
    let output = command.arg("--out").arg(&out).output().expect("the program starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    (said, fs::read(out.join("model.safetensors")).expect("a model was trained"))
}

fn cupola() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cupola"));
    command.env_clear();
    command
}

/// The program on some of the CPUs that this process may run on.
fn on_cpus(cpus: &str) -> Command {
    // of util-linux, which every Linux has
    let mut command = Command::new("taskset");
    command
        .args(["--cpu-list", cpus, env!("CARGO_BIN_EXE_cupola")])
        .env_remove("RAYON_NUM_THREADS");
    command
}

/// `3` of `3-5,8`.
fn first_cpu() -> String {
    let status = fs::read_to_string(Path::new("/proc/self/status")).expect("Linux has /proc");
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let list = list.expect("the kernel says where a process may run").trim();
    list.split(['-', ',']).next().unwrap_or(list).to_owned()
}

#[test]
fn a_run_has_a_thread_for_each_cpu_it_may_use_and_its_model_is_the_same_on_any_number() {
    let (said, on_all) = train(&mut cupola());
    let usable = std::thread::available_parallelism().map_or(1, usize::from);
    let expected = if usable == 1 { "one thread".to_owned() } else { format!("{usable} threads") };
    assert!(said.contains(&format!(", on {expected}\n")), "{said}");

    let (said, on_one) = train(&mut on_cpus(&first_cpu()));
    assert!(said.contains(", on one thread\n"), "{said}");
    assert!(on_one == on_all, "one CPU makes another model than {usable}");

    for asked in [3, 16] {
        let (said, on_many) = train(cupola().env("RAYON_NUM_THREADS", asked.to_string()));
        assert!(said.contains(&format!(", on {asked} threads\n")), "{said}");
        assert!(on_many == on_all, "{asked} threads make another model than {usable}");
    }
}

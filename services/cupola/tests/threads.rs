//! How many threads a run has, in processes of their own, and that its model does not depend on them.

#![cfg(target_os = "linux")]

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    process::Command,
};

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

/// A control group whose processes may use one CPU's time. It goes with the last of them.
struct OneCpu(PathBuf);

impl OneCpu {
    /// In the first of this process's groups that takes it, or why none does.
    fn new() -> Result<Self, String> {
        let mut why = "there are no control groups of CPUs".to_owned();
        for parent in groups_of_cpus() {
            match Self::below(&parent) {
                Ok(group) => return Ok(group),
                Err(error) => why = format!("no group in {}: {error}", parent.display()),
            }
        }
        Err(why)
    }

    fn below(parent: &Path) -> io::Result<Self> {
        let group = Self(parent.join(format!("cupola-test-{}", std::process::id())));
        fs::create_dir(&group.0)?;
        // of version 2 with its period, or of version 1 for a period that is this long from the start
        group
            .set("cpu.max", "100000 100000")
            .or_else(|_| group.set("cpu.cfs_quota_us", "100000"))?;
        if !group.run("true").status()?.success() {
            return Err(io::Error::other("no process may enter it"));
        }
        Ok(group)
    }

    /// Never makes a file: what is no control group has none of them.
    fn set(&self, file: &str, value: &str) -> io::Result<()> {
        OpenOptions::new().write(true).open(self.0.join(file))?.write_all(value.as_bytes())
    }

    /// The program in this group from its start.
    fn run(&self, program: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", r#"echo $$ > "$0/cgroup.procs" && exec "$@""#]);
        command.arg(&self.0).arg(program).env_remove("RAYON_NUM_THREADS");
        command
    }
}

impl Drop for OneCpu {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

/// Where this process's groups that count CPUs are, each with those around it; version 1's first, which
/// are the ones that count where there are both.
fn groups_of_cpus() -> Vec<PathBuf> {
    let own = fs::read_to_string("/proc/self/cgroup").expect("Linux has /proc");
    let groups = |root: &str, counts: fn(&str) -> bool| -> Vec<PathBuf> {
        let mut lines = own.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
        let line = lines.find(|(controllers, _)| counts(controllers));
        let own = line.map(|(_, path)| Path::new(root).join(path.trim_start_matches('/')));
        let around = own.iter().flat_map(|own| own.ancestors());
        around.take_while(|group| group.starts_with(root)).map(PathBuf::from).collect()
    };
    let version_1 = groups("/sys/fs/cgroup/cpu", |names| names.split(',').any(|n| n == "cpu"));
    let version_2 = groups("/sys/fs/cgroup", str::is_empty);
    [version_1, version_2].concat()
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

#[test]
fn a_run_has_as_many_threads_as_its_control_group_leaves_it_cpus() {
    let group = match OneCpu::new() {
        Ok(group) => group,
        Err(why) => {
            println!("skipped: {why}");
            return;
        }
    };
    let (said, on_one) = train(&mut group.run(env!("CARGO_BIN_EXE_cupola")));
    assert!(said.contains(", on one thread\n"), "{said}");
    let (_, on_all) = train(&mut cupola());
    assert!(on_one == on_all, "a quota of one CPU makes another model");
}

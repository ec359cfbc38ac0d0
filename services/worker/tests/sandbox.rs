//! What a child can and cannot do once it has shut itself in, tried by a process that does so.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::{
    collections::BTreeMap,
    fs,
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Command, Output},
};

const MEMORY_BYTES: usize = 64 << 20;
const SIGABRT: i32 = 6;

fn probe(scratch: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sandbox-probe"))
        .arg(scratch)
        .arg(MEMORY_BYTES.to_string())
        .args(more)
        .output()
        .unwrap()
}

#[test]
fn only_the_scratch_folder_is_within_reach() {
    let folder = tempfile::tempdir().unwrap();
    let scratch = folder.path().join("scratch");
    fs::create_dir(&scratch).unwrap();
    let output = probe(&scratch, &[]);
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    let outcomes: BTreeMap<_, _> = said.lines().filter_map(|line| line.split_once('=')).collect();
    let (mut allowed, mut refused) = (Vec::new(), Vec::new());
    for (what, outcome) in outcomes {
        if outcome == "ok" { allowed.push(what) } else { refused.push(what) }
    }
    assert_eq!(
        allowed,
        [
            "list scratch",
            "read in scratch",
            "rename in scratch",
            "start a thread",
            "sync scratch",
            "write in scratch",
        ],
        "{said}"
    );
    assert_eq!(
        refused,
        [
            "become another program",
            "link out of scratch",
            "list /",
            "make a folder",
            "raise a limit",
            "read /etc/passwd",
            "signal the parent",
            "start a process",
            "tcp",
            "udp",
            "unix socket",
            "write beside scratch",
        ],
        "{said}"
    );
    assert!(!folder.path().join("scratch.beside").exists());
}

#[test]
fn memory_is_what_was_asked_for_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let enough = probe(folder.path(), &["--take-bytes", &(MEMORY_BYTES - 4096).to_string()]);
    assert!(enough.status.success(), "{enough:?}");

    let too_much = probe(folder.path(), &["--take-bytes", &(MEMORY_BYTES * 3).to_string()]);
    assert_eq!(too_much.status.signal(), Some(SIGABRT), "{too_much:?}");
    let said = String::from_utf8_lossy(&too_much.stderr).into_owned();
    assert!(said.starts_with("memory allocation of "), "{said}");
}

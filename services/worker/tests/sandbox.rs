//! What a child can and cannot do once it has shut itself in, tried by a process that does so.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::{
    fs,
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Command, Output},
};

const MEMORY_BYTES: usize = 64 << 20;
const SIGABRT: i32 = 6;

fn probe(scratch: &Path, act: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sandbox-probe"))
        .args(act)
        .args(["child", "--cpu-milli", "1000", "--max-runtime", "60"])
        .args(["--memory-bytes", &MEMORY_BYTES.to_string(), "--scratch"])
        .arg(scratch)
        .output()
        .unwrap()
}

/// What is tried, and the exact answer.
const OUTCOMES: &[(&str, &str)] = &[
    ("write in scratch", "ok"),
    ("rename in scratch", "ok"),
    ("read in scratch", "ok"),
    ("list scratch", "ok"),
    ("sync scratch", "ok"),
    ("start a thread", "ok"),
    ("read /etc/passwd", "permission denied"),
    ("read /proc/self/environ", "permission denied"),
    ("list /", "permission denied"),
    ("list another job's scratch", "permission denied"),
    ("read another job's data", "permission denied"),
    ("read another job's data by ..", "permission denied"),
    ("write another job's data", "permission denied"),
    ("remove another job's data", "permission denied"),
    ("rename another job's data", "permission denied"),
    ("link another job's data", "unsupported"),
    ("move a file to another job", "permission denied"),
    ("write beside scratch", "permission denied"),
    ("link out of scratch", "unsupported"),
    ("make a folder", "unsupported"),
    ("tcp", "unsupported"),
    ("listen", "unsupported"),
    ("udp", "unsupported"),
    ("unix socket", "unsupported"),
    ("start a process", "unsupported"),
    ("become another program", "unsupported"),
    ("raise a limit", "unsupported"),
    ("signal the parent", "unsupported"),
    ("map memory of its own", "ok"),
    ("map a file", "unsupported"),
    ("map shared memory", "unsupported"),
    ("map memory that grows downwards", "unsupported"),
    ("map addresses without end", "out of memory"),
    ("start a thread with files of its own", "unsupported"),
];

#[test]
fn only_the_scratch_folder_is_within_reach() {
    let folder = tempfile::tempdir().unwrap();
    let (scratch, theirs) = (folder.path().join("scratch"), folder.path().join("theirs"));
    fs::create_dir(&scratch).unwrap();
    fs::create_dir(&theirs).unwrap();
    fs::write(theirs.join("data"), "secret").unwrap();
    let output = probe(&scratch, &["--act", "everything", "--theirs", theirs.to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    let outcomes: Vec<_> = said.lines().filter_map(|line| line.split_once('=')).collect();
    assert_eq!(outcomes, OUTCOMES);
    assert!(!folder.path().join("scratch.beside").exists());
    let left: Vec<_> = fs::read_dir(&theirs).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["data"]);
    assert_eq!(fs::read_to_string(theirs.join("data")).unwrap(), "secret");
}

#[test]
fn memory_is_what_was_asked_for_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let take =
        |bytes: usize| probe(folder.path(), &["--act", "memory", "--take", &bytes.to_string()]);
    let enough = take(MEMORY_BYTES - 4096);
    assert!(enough.status.success(), "{enough:?}");

    let too_much = take(MEMORY_BYTES * 3);
    assert_eq!(too_much.status.signal(), Some(SIGABRT), "{too_much:?}");
    let said = String::from_utf8_lossy(&too_much.stderr).into_owned();
    assert!(said.starts_with("memory allocation of "), "{said}");
}

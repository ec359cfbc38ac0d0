//! `with-services` as a shell sees it: what it hands on, and that it leaves nothing behind.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

const WITHIN: Duration = Duration::from_secs(30);
const SHOW_AND_WAIT: &str = "echo $CUPOLA_TEST_PG; echo $CUPOLA_TEST_REDIS; exec cat";

fn with_services(temp: &TempDir, script: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_with-services"));
    command.env("TMPDIR", temp.path()).args(["sh", "-c", script]).stdin(Stdio::piped());
    command
}

fn is_empty(dir: &TempDir) -> bool {
    fs::read_dir(dir.path()).unwrap().next().is_none()
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + WITHIN;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {WITHIN:?}: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

struct Running {
    child: Child,
    pid_file: PathBuf,
    redis: PathBuf,
}

impl Running {
    fn start(temp: &TempDir) -> Self {
        let mut child = with_services(temp, SHOW_AND_WAIT).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let postgres = lines.next().unwrap().unwrap();
        let redis = lines.next().unwrap().unwrap();
        let socket_dir = postgres.split_once("?host=").unwrap().1.replace("%2F", "/");
        let data = Path::new(&socket_dir).parent().unwrap().join("pgdata");
        let redis = PathBuf::from(redis.strip_prefix("redis+unix://").unwrap());
        Self { child, pid_file: data.join("postmaster.pid"), redis }
    }

    fn assert_up(&self) {
        assert!(self.pid_file.exists());
        UnixStream::connect(&self.redis).unwrap();
    }

    fn is_gone(&self) -> bool {
        !self.pid_file.exists() && UnixStream::connect(&self.redis).is_err()
    }
}

#[test]
fn the_exit_code_is_the_commands() {
    let temp = testkit::reachable_dir().unwrap();
    let script = r#"test -n "$CUPOLA_TEST_PG" && test -n "$CUPOLA_TEST_REDIS" && exit 7"#;
    let status = with_services(&temp, script).status().unwrap();
    assert_eq!(status.code(), Some(7));
    assert!(is_empty(&temp), "something was left behind");
}

#[test]
fn a_command_that_does_not_exist_is_named() {
    let output = Command::new(env!("CARGO_BIN_EXE_with-services")).arg("no-such-program").output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("no-such-program"));
}

#[test]
fn a_request_to_leave_reaches_the_command_and_ends_the_servers() {
    const EXIT_TERMINATED: i32 = 128 + 15;
    let temp = testkit::reachable_dir().unwrap();
    let mut running = Running::start(&temp);
    running.assert_up();
    // `wait` closes it, and the command would leave by itself before the request reaches it
    let stdin = running.child.stdin.take();
    signal(&running.child, Signal::TERM);
    assert_eq!(running.child.wait().unwrap().code(), Some(EXIT_TERMINATED));
    drop(stdin);
    assert!(running.is_gone());
    assert!(is_empty(&temp), "something was left behind");
}

#[test]
#[cfg(target_os = "linux")]
fn killed_it_takes_both_servers_with_it() {
    let temp = testkit::reachable_dir().unwrap();
    let mut running = Running::start(&temp);
    running.assert_up();
    signal(&running.child, Signal::KILL);
    running.child.wait().unwrap();
    eventually("both servers gone", || running.is_gone());
}

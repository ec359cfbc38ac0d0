//! The supervisor against the real server: what happens to it at each start, stop and murder.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::{
    collections::BTreeSet,
    env, fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use boot::postgres::{
    BinDir, DATABASE, Embedded, Options, PostgresError, SUPERUSER, find_binaries,
};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

const WITHIN: Duration = Duration::from_secs(30);

/// A folder that the server's user can reach also when the test runs as root.
fn reachable() -> TempDir {
    let dir = tempfile::Builder::new().prefix("cupola-boot-").tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o711)).unwrap();
    dir
}

fn bin_dir() -> BinDir {
    let explicit = env::var_os("CUPOLA_PG_BIN");
    find_binaries(explicit.as_deref().map(Path::new)).unwrap()
}

fn start(data_dir: &Path, durable: bool) -> Result<Embedded, PostgresError> {
    Embedded::start(Options { data_dir: data_dir.to_owned(), durable, bin_dir: bin_dir() })
}

fn ask(url: &str, sql: &str) -> Option<String> {
    let output =
        Command::new(bin_dir().program("psql")).args([url, "-XAtc", sql]).output().unwrap();
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

fn url(postgres: &Embedded) -> String {
    postgres.url(SUPERUSER, DATABASE)
}

fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + WITHIN;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {WITHIN:?}: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

fn kill_9(pid: u32) {
    let pid = Pid::from_raw(pid.cast_signed()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
}

fn state_on_disk(data_dir: &Path) -> String {
    let output = Command::new(bin_dir().program("pg_controldata"))
        .env("LC_ALL", "C")
        .arg(data_dir.join("pgdata"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("Database cluster state:"));
    line.unwrap_or_default().trim().to_owned()
}

/// A process that runs the server and can be killed.
fn parent(data_dir: &Path) -> (Child, String) {
    let mut parent = Command::new(env!("CARGO_BIN_EXE_embedded-postgres"))
        .arg(data_dir)
        .arg("--durable")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut url = String::new();
    BufReader::new(parent.stdout.take().unwrap()).read_line(&mut url).unwrap();
    (parent, url.trim().to_owned())
}

#[test]
fn the_first_start_makes_a_cluster_and_the_next_one_finds_it() {
    let dir = reachable();
    let data_dir = dir.path().join("data");

    let postgres = start(&data_dir, false).unwrap();
    ask(&url(&postgres), "create table kept as select 7 as n").unwrap();
    postgres.stop();
    assert_eq!(state_on_disk(&data_dir), "shut down");

    let postgres = start(&data_dir, false).unwrap();
    assert_eq!(ask(&url(&postgres), "select n from kept").unwrap(), "7");
    assert_eq!(ask(&url(&postgres), "select current_user").unwrap(), SUPERUSER);
}

#[test]
fn dropping_shuts_down_as_stopping_does() {
    let dir = reachable();
    drop(start(dir.path(), false).unwrap());
    assert_eq!(state_on_disk(dir.path()), "shut down");
}

#[test]
fn a_start_cut_short_is_begun_anew() {
    let dir = reachable();
    fs::create_dir(dir.path().join("pgdata.new")).unwrap();
    fs::write(dir.path().join("pgdata.new/PG_VERSION"), "half").unwrap();
    let postgres = start(dir.path(), false).unwrap();
    assert_eq!(ask(&url(&postgres), "select 1").unwrap(), "1");
    assert!(!dir.path().join("pgdata.new").exists());
}

#[test]
fn a_second_start_on_the_same_folder_is_refused() {
    let dir = reachable();
    let postgres = start(dir.path(), false).unwrap();
    let error = start(dir.path(), false).unwrap_err();
    let PostgresError::AlreadyRunning { pid, data_dir } = &error else { panic!("{error}") };
    assert_eq!(*pid, Some(std::process::id()));
    assert_eq!(*data_dir, dir.path().canonicalize().unwrap());
    assert_eq!(ask(&url(&postgres), "select 1").unwrap(), "1", "the first one is untouched");
}

#[test]
fn durable_means_synced_and_only_then() {
    for (durable, expected) in [(true, "on"), (false, "off")] {
        let dir = reachable();
        let postgres = start(dir.path(), durable).unwrap();
        for setting in ["fsync", "full_page_writes"] {
            let found = ask(&url(&postgres), &format!("show {setting}")).unwrap();
            assert_eq!(found, expected, "{setting} with durable={durable}");
        }
        let found = ask(&url(&postgres), "show synchronous_commit").unwrap();
        assert_eq!(found, "on", "a killed server keeps what it acknowledged, durable or not");
    }
}

#[test]
fn nothing_listens_on_the_network() {
    let dir = reachable();
    let postgres = start(dir.path(), false).unwrap();
    assert_eq!(ask(&url(&postgres), "show listen_addresses").unwrap(), "");
    let socket = dir.path().join("run");
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o700);
    if cfg!(target_os = "linux") {
        let held = sockets_of(postgres.pid().unwrap());
        assert!(!held.is_empty(), "it holds its unix socket at least");
        assert_eq!(held.intersection(&tcp_sockets()).collect::<Vec<_>>(), Vec::<&String>::new());
    }
}

fn sockets_of(pid: u32) -> BTreeSet<String> {
    let links = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    links
        .filter_map(|link| fs::read_link(link.path()).ok())
        .filter_map(|to| Some(to.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect()
}

fn tcp_sockets() -> BTreeSet<String> {
    const INODE_COLUMN: usize = 9;
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let text: String = tables.iter().filter_map(|table| fs::read_to_string(table).ok()).collect();
    text.lines()
        .filter_map(|line| line.split_whitespace().nth(INODE_COLUMN))
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_killed_server_comes_back_with_what_was_committed() {
    let dir = reachable();
    let postgres = start(dir.path(), true).unwrap();
    ask(&url(&postgres), "create table kept as select 7 as n").unwrap();
    for _ in 0..2 {
        let killed = postgres.pid().unwrap();
        kill_9(killed);
        eventually("another server", || postgres.pid().filter(|&pid| pid != killed));
        let found = eventually("an answer", || ask(&url(&postgres), "select n from kept"));
        assert_eq!(found, "7");
    }
    let ready =
        Command::new(bin_dir().program("pg_isready")).args(["-d", &url(&postgres)]).output();
    assert!(ready.unwrap().status.success());
    postgres.stop();
    assert_eq!(state_on_disk(dir.path()), "shut down");
}

#[test]
fn a_stop_right_after_a_kill_does_not_bring_the_server_back() {
    let dir = reachable();
    let postgres = start(dir.path(), false).unwrap();
    kill_9(postgres.pid().unwrap());
    postgres.stop();
    drop(start(dir.path(), false).unwrap());
    assert_eq!(state_on_disk(dir.path()), "shut down");
}

#[test]
fn a_parent_that_is_asked_to_leave_or_loses_its_own_parent_shuts_down() {
    let dir = reachable();
    let (mut asked, _) = parent(dir.path());
    kill_process(Pid::from_child(&asked), Signal::TERM).unwrap();
    assert!(asked.wait().unwrap().success());
    assert_eq!(state_on_disk(dir.path()), "shut down");

    let (mut orphan, _) = parent(dir.path());
    drop(orphan.stdin.take());
    assert!(orphan.wait().unwrap().success());
    assert_eq!(state_on_disk(dir.path()), "shut down");
}

#[test]
#[cfg(target_os = "linux")]
fn a_killed_parent_takes_the_server_down_cleanly() {
    let dir = reachable();
    let (mut first, url) = parent(dir.path());
    ask(&url, "create table kept as select 7 as n").unwrap();
    kill_9(first.id());
    first.wait().unwrap();
    eventually("a clean shutdown", || (state_on_disk(dir.path()) == "shut down").then_some(()));

    let postgres = start(dir.path(), true).unwrap();
    assert_eq!(ask(&postgres.url(SUPERUSER, DATABASE), "select n from kept").unwrap(), "7");
}

#[test]
fn a_start_right_after_the_parent_was_killed_waits_for_its_server() {
    let dir = reachable();
    let (mut first, _) = parent(dir.path());
    kill_9(first.id());
    first.wait().unwrap();
    let postgres = start(dir.path(), true).unwrap();
    assert_eq!(ask(&url(&postgres), "select 1").unwrap(), "1");
}

#[test]
fn a_start_after_parent_and_server_were_killed_recovers() {
    let dir = reachable();
    let (mut first, url) = parent(dir.path());
    ask(&url, "create table kept as select 7 as n").unwrap();
    let pid_file = fs::read_to_string(dir.path().join("pgdata/postmaster.pid")).unwrap();
    // The parent first, or it would start another server.
    let server = pid_file.lines().next().unwrap().parse().unwrap();
    kill_9(first.id());
    kill_9(server);
    first.wait().unwrap();
    let postgres = start(dir.path(), true).unwrap();
    assert_eq!(ask(&postgres.url(SUPERUSER, DATABASE), "select n from kept").unwrap(), "7");
}

#[test]
fn a_dead_servers_pid_that_another_process_got_is_no_obstacle() {
    let dir = reachable();
    start(dir.path(), false).unwrap().stop();
    // As after a power cut: the file is there, and the pid is by now somebody else's.
    let mut somebody = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    let data = dir.path().join("pgdata");
    let stale = format!("{}\n{}\n1\n5432\n\n\n\nready\n", somebody.id(), data.display());
    fs::write(data.join("postmaster.pid"), stale).unwrap();
    let postgres = start(dir.path(), false).unwrap();
    assert_eq!(ask(&url(&postgres), "select 1").unwrap(), "1");
    drop(somebody.stdin.take());
    assert!(somebody.wait().unwrap().success(), "it was left alone");
}

#[test]
fn a_long_folder_gets_a_short_socket_and_a_second_start_finds_it() {
    let dir = reachable();
    let data_dir = dir.path().join("a".repeat(120));
    let postgres = start(&data_dir, false).unwrap();
    let first = url(&postgres);
    let socket_dir = PathBuf::from(fs::read_to_string(data_dir.join("socket_dir")).unwrap());
    assert_eq!(fs::metadata(&socket_dir).unwrap().permissions().mode() & 0o777, 0o700);
    postgres.stop();
    assert!(!socket_dir.exists(), "nothing is left behind");

    let postgres = start(&data_dir, false).unwrap();
    assert_eq!(url(&postgres), first);
    assert_eq!(ask(&first, "select 1").unwrap(), "1");
}

#[test]
fn as_root_a_folder_that_the_server_cannot_reach_is_named() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let dir = reachable();
    let closed = dir.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    let error = start(&closed.join("data"), false).unwrap_err().to_string();
    let closed = closed.canonicalize().unwrap();
    assert!(error.contains(&format!("chmod o+x {}", closed.display())), "{error}");
}

#[test]
fn a_server_that_cannot_start_is_quoted() {
    let dir = reachable();
    start(dir.path(), false).unwrap().stop();
    fs::write(dir.path().join("pgdata/PG_VERSION"), "9.0\n").unwrap();
    let error = start(dir.path(), false).unwrap_err().to_string();
    assert!(error.contains("postgres.log") && error.contains("version 9.0"), "{error}");
}

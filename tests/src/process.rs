//! One process of ours: started with its log in a file, killed, paused, ended in order, and started
//! again as it was. It ends with the test, however the test ends: its stdin is a pipe that closes.

use std::{
    env,
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
};

use rustix::process::Signal;
use serde_json::Value;

use crate::{ground::Environment, system, wait_until};

/// Names the binary where it is not beside the tests.
const BINARY_VARIABLE: &str = "CUPOLA_BIN";

pub struct Process {
    /// What is written before the program.
    launcher: Vec<String>,
    arguments: Vec<String>,
    environment: Environment,
    log: PathBuf,
    /// Where this run's lines begin in the log.
    log_start: usize,
    child: Child,
}

impl Process {
    /// `log` is added to, so that a restarted process's story stands in one file.
    pub fn start(arguments: &[&str], environment: Environment, log: PathBuf) -> Self {
        Self::start_through(&[], arguments, environment, log)
    }

    /// By a command that ends in becoming the program which follows it.
    pub(crate) fn start_through(
        launcher: &[String],
        arguments: &[&str],
        environment: Environment,
        log: PathBuf,
    ) -> Self {
        let arguments: Vec<_> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let (child, log_start) = spawn(launcher, &arguments, &environment, &log);
        Self { launcher: launcher.to_vec(), arguments, environment, log, log_start, child }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The processes that it has started.
    pub fn children(&self) -> Vec<u32> {
        system::descendants(self.pid())
    }

    /// As `kill -9`, or a machine that loses power. Waits until it is gone.
    pub fn kill(&mut self) {
        // both fail only if it has ended already
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to end, as an operator would, and waits.
    pub async fn stop(&mut self) -> ExitStatus {
        system::kill(self.pid(), Signal::TERM);
        self.ended().await
    }

    pub async fn ended(&mut self) -> ExitStatus {
        let what = format!("the end of `cupola {}`", self.arguments[0]);
        let child = &mut self.child;
        wait_until(&what, async || child.try_wait().unwrap()).await
    }

    /// It stands still, as one on a machine that hangs, and nobody is told.
    pub fn pause(&self) {
        system::kill(self.pid(), Signal::STOP);
    }

    pub fn go_on(&self) {
        system::kill(self.pid(), Signal::CONT);
    }

    /// The same again, after it has ended.
    pub fn start_again(&mut self) {
        self.kill();
        (self.child, self.log_start) =
            spawn(&self.launcher, &self.arguments, &self.environment, &self.log);
    }

    /// What this run has logged.
    pub fn logged(&self) -> String {
        let bytes = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(bytes.get(self.log_start..).unwrap_or_default()).into_owned()
    }

    /// A field of the first line with this message, once it is logged.
    pub async fn field_of(&mut self, message: &str, field: &str) -> String {
        wait_until(&format!("the line `{message}`"), async || {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("it ended ({status}) before it said `{message}`:\n{}", self.logged());
            }
            self.logged().lines().find_map(|line| {
                let line: Value = serde_json::from_str(line).ok()?;
                let said = line["fields"]["message"] == message;
                said.then(|| line["fields"][field].as_str().map(str::to_owned)).flatten()
            })
        })
        .await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(
    launcher: &[String],
    arguments: &[String],
    environment: &[(&'static str, String)],
    log: &Path,
) -> (Child, usize) {
    let file = OpenOptions::new().create(true).append(true).open(log).unwrap();
    let log_start = usize::try_from(file.metadata().unwrap().len()).unwrap();
    let child = command(launcher, arguments)
        .arg("--lifeline")
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(file.try_clone().unwrap())
        .stderr(file)
        .spawn()
        .unwrap();
    (child, log_start)
}

/// Runs a command of ours to its end; its stdout.
///
/// # Panics
/// If it fails, with what it said.
pub(crate) fn run(arguments: &[&str], environment: &[(&'static str, String)]) -> String {
    let output = cupola_as(arguments, environment);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`cupola {}` failed:\n{said}", arguments.join(" "));
    String::from_utf8(output.stdout).unwrap()
}

/// What `cupola …` says to whoever has no server, and whether it succeeds.
pub fn cupola(arguments: &[&str]) -> (bool, String) {
    let Output { status, stdout, stderr } = cupola_as(arguments, &[]);
    let said = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    (status.success(), said.concat())
}

/// The same in an environment, with how it ends and what it says where.
pub fn cupola_as(arguments: &[&str], environment: &[(&'static str, String)]) -> Output {
    cupola_through(&[], arguments, environment)
}

/// The same, started by another program, which is given the command.
pub fn cupola_through(
    launcher: &[String],
    arguments: &[&str],
    environment: &[(&'static str, String)],
) -> Output {
    let arguments: Vec<_> = arguments.iter().map(|&argument| argument.to_owned()).collect();
    command(launcher, &arguments)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .output()
        .unwrap()
}

/// Of our own binary, free of what the surroundings have set for it.
fn command(launcher: &[String], arguments: &[String]) -> Command {
    let mut command = match launcher.split_first() {
        None => Command::new(binary()),
        Some((first, rest)) => {
            let mut command = Command::new(first);
            command.args(rest).arg(binary());
            command
        }
    };
    for (name, _) in env::vars_os() {
        let name_text = name.to_string_lossy();
        let is_ours = name_text.starts_with("CUPOLA_") && name_text != "CUPOLA_PG_BIN";
        if is_ours || ["DATABASE_URL", "REDIS_URL", "OBJECT_STORE_URL"].contains(&&*name_text) {
            command.env_remove(&name);
        }
    }
    command.env("CUPOLA_LOG_FORMAT", "json").args(arguments);
    command
}

/// Named by the environment, or `target/<profile>/cupola`, beside the folder of this test.
fn binary() -> PathBuf {
    let path = env::var_os(BINARY_VARIABLE).map_or_else(beside_the_tests, PathBuf::from);
    assert!(
        path.exists(),
        "there is no {}; build it first with `cargo build -p cupola`, or name it with \
         {BINARY_VARIABLE}",
        path.display()
    );
    path
}

fn beside_the_tests() -> PathBuf {
    let test = env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).expect("a test is in target/<profile>/deps");
    profile.join("cupola")
}

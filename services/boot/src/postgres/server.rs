//! One server process: how it is called, when it is ready, and what a dead one left behind.

use std::{
    env,
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::{
        fs::{MetadataExt, OpenOptionsExt},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
};

use rustix::{fs::OFlags, process::Signal};

use super::{PORT, PostgresError, account::Account, failed};
use crate::lifeline;

/// Past this size a start begins a new log and keeps one old one.
const LOG_MAX_BYTES: u64 = 16 << 20;
/// How much of the log an error quotes.
const LOG_QUOTE_MAX_BYTES: u64 = 4 << 10;

#[derive(Debug)]
pub(super) struct Server {
    pub(super) program: PathBuf,
    pub(super) root: PathBuf,
    pub(super) data: PathBuf,
    pub(super) socket_dir: PathBuf,
    pub(super) account: Option<Account>,
    pub(super) durable: bool,
}

/// A server that was spawned, and where in the log it begins to speak.
pub(super) struct Spawned {
    pub(super) child: Child,
    pub(super) log_start: u64,
}

/// What `postmaster.pid` says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PidFile {
    pub(super) pid: u32,
    status: String,
}

impl PidFile {
    /// The first line is the pid, the eighth the status, which comes last.
    fn parse(text: &str) -> Option<Self> {
        let pid = text.lines().next()?.trim().parse().ok()?;
        let status = text.lines().nth(7).unwrap_or_default().trim().to_owned();
        Some(Self { pid, status })
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.status == "stopping"
    }
}

impl Server {
    /// Call it from the thread that will wait for the child: the child ends with that thread.
    pub(super) fn spawn(&self) -> Result<Spawned, PostgresError> {
        let (log, log_start) = self.open_log()?;
        let errors = log.try_clone().map_err(failed("open", &self.log()))?;
        let mut command = self.command();
        command.stdin(Stdio::null()).stdout(log).stderr(errors).process_group(0);
        lifeline::end_with_parent(&mut command, Signal::INT);
        let child = command.spawn().map_err(failed("run", &self.program))?;
        Ok(Spawned { child, log_start })
    }

    fn command(&self) -> Command {
        let on_off = if self.durable { "on" } else { "off" };
        let connections = if self.durable { 100 } else { 200 };
        // The setting is a list, in which a quoted name may hold commas and spaces.
        let socket_dir = self.socket_dir.to_string_lossy().replace('"', "\"\"");
        let settings = [
            "listen_addresses=".to_owned(),
            format!("port={PORT}"),
            format!("unix_socket_directories=\"{socket_dir}\""),
            format!("max_connections={connections}"),
            format!("fsync={on_off}"),
            format!("full_page_writes={on_off}"),
            // a template that is being vacuumed cannot be cloned, and a throwaway needs no vacuum
            format!("autovacuum={on_off}"),
            // what was acknowledged survives a killed server, durable or not
            "synchronous_commit=on".to_owned(),
            "logging_collector=off".to_owned(),
            "log_destination=stderr".to_owned(),
        ];
        let mut command = Command::new(&self.program);
        command.arg("-D").arg(&self.data);
        for setting in settings {
            command.arg("-c").arg(setting);
        }
        clean_surroundings(&mut command, &self.root, self.account.as_ref());
        command
    }

    pub(super) fn is_ready(&self, pid: u32) -> bool {
        self.pid_file().is_some_and(|file| file.pid == pid && file.status == "ready")
    }

    /// A living server in our folder that is not our child: its supervisor was killed, and it is
    /// on its way out, or somebody started it by hand.
    pub(super) fn stray(&self) -> Option<PidFile> {
        self.pid_file().filter(|file| serves(file.pid, &self.data))
    }

    /// A dead server's pid may by now be another process's, for which Postgres would refuse to
    /// start. We hold the folder's lock and know better: with its parent's pid in the file the
    /// new server looks no further, but still checks that no old backend is attached.
    pub(super) fn forget_the_dead(&self) -> Result<(), PostgresError> {
        let path = self.pid_path();
        let Some(text) = read_no_link(&path) else { return Ok(()) };
        let rest = text.split_once('\n').map_or("", |(_, rest)| rest);
        OpenOptions::new()
            .write(true)
            .truncate(true)
            .custom_flags(no_follow())
            .open(&path)
            .and_then(|mut file| write!(file, "{}\n{rest}", process::id()))
            .map_err(failed("write", &path))?;
        let socket_lock = self.socket_dir.join(format!(".s.PGSQL.{PORT}.lock"));
        match fs::remove_file(&socket_lock) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(failed("remove", &socket_lock)(error))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn why_it_ended(&self, log_start: u64) -> PostgresError {
        PostgresError::Start { log: self.log(), said: quote(&self.log(), log_start) }
    }

    fn pid_file(&self) -> Option<PidFile> {
        PidFile::parse(&read_no_link(&self.pid_path())?)
    }

    fn pid_path(&self) -> PathBuf {
        self.data.join("postmaster.pid")
    }

    fn log(&self) -> PathBuf {
        self.root.join("postgres.log")
    }

    fn open_log(&self) -> Result<(File, u64), PostgresError> {
        let path = self.log();
        if fs::metadata(&path).is_ok_and(|found| found.size() > LOG_MAX_BYTES) {
            fs::rename(&path, path.with_extension("log.1")).map_err(failed("rename", &path))?;
        }
        OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&path)
            .and_then(|log| log.metadata().map(|found| (log, found.size())))
            .map_err(failed("open", &path))
    }
}

/// The account, a folder it can stand in, and nothing of our environment: neither `PGPORT` and its
/// kin, which the server would obey, nor secrets.
pub(super) fn clean_surroundings(command: &mut Command, cwd: &Path, account: Option<&Account>) {
    command.current_dir(cwd).env_clear().env("LC_ALL", "C").env("TZ", "UTC");
    for kept in ["PATH", "LD_LIBRARY_PATH"] {
        if let Some(value) = env::var_os(kept) {
            command.env(kept, value);
        }
    }
    if let Some(account) = account {
        account.run(command);
    }
}

/// Whether `pid` is a living server of this very cluster. A zombie has no command line.
fn serves(pid: u32, data: &Path) -> bool {
    let data = data.as_os_str().as_encoded_bytes();
    command_line(pid).split(|&byte| byte == 0).any(|argument| argument == data)
}

#[cfg(target_os = "linux")]
fn command_line(pid: u32) -> Vec<u8> {
    fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default()
}

/// Arguments as `ps` prints them, made to look like `/proc`'s.
#[cfg(not(target_os = "linux"))]
fn command_line(pid: u32) -> Vec<u8> {
    let asked = Command::new("ps").args(["-o", "command=", "-p", &pid.to_string()]).output();
    let mut line = asked.map(|output| output.stdout).unwrap_or_default();
    line.iter_mut().filter(|byte| byte.is_ascii_whitespace()).for_each(|byte| *byte = 0);
    line
}

/// Root reads and writes inside the server's own folder and must not be led elsewhere.
fn no_follow() -> i32 {
    OFlags::NOFOLLOW.bits().cast_signed()
}

fn read_no_link(path: &Path) -> Option<String> {
    let mut text = String::new();
    let opened = OpenOptions::new().read(true).custom_flags(no_follow()).open(path);
    opened.ok()?.read_to_string(&mut text).ok()?;
    Some(text)
}

fn quote(log: &Path, from: u64) -> String {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(log)?;
        let end = file.metadata()?.size();
        file.seek(SeekFrom::Start(from.max(end.saturating_sub(LOG_QUOTE_MAX_BYTES))))?;
        let mut bytes = Vec::new();
        file.take(LOG_QUOTE_MAX_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    match read() {
        Ok(bytes) => String::from_utf8_lossy(&bytes).trim_end().to_owned(),
        Err(error) => format!("(unreadable: {error})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READY: &str = "4711\n/d/pgdata\n1790000000\n5432\n/d/run\n\n  123  45\nready   \n";

    #[test]
    fn the_pid_file_says_who_and_whether() {
        let file = PidFile::parse(READY).unwrap();
        assert_eq!(file, PidFile { pid: 4711, status: "ready".to_owned() });
    }

    #[test]
    fn a_pid_file_in_the_making_is_not_ready() {
        assert_eq!(PidFile::parse(""), None);
        assert_eq!(PidFile::parse("4711\n/d").unwrap().status, "");
    }

    #[test]
    fn this_process_serves_no_cluster() {
        assert!(!serves(process::id(), Path::new("/no/such/pgdata")));
    }
}

//! The data folder: who owns it, what lies where, and who may pass.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    },
    path::{Path, PathBuf},
    process,
};

use super::{PORT, PostgresError, account::Account, failed};

/// `sockaddr_un` holds 104 bytes on BSD and macOS, 108 on Linux, a closing zero among them.
const SOCKET_PATH_MAX_BYTES: usize = 103;
const SHORT_NAMES_TRIED: u32 = 100;

#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    account: Option<Account>,
    /// Held, not read: closing it gives the folder up.
    _lock: File,
}

impl Folder {
    /// Makes the folder if need be and takes its lock.
    pub(super) fn own(root: &Path, account: Option<Account>) -> Result<Self, PostgresError> {
        let root = made(root, account.is_some())?;
        if let Some(account) = &account {
            check_passage(&root, account)?;
        }
        let lock = locked(&root)?;
        Ok(Self { root, account, _lock: lock })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn account(&self) -> Option<&Account> {
        self.account.as_ref()
    }

    pub(super) fn pgdata(&self) -> PathBuf {
        self.root.join("pgdata")
    }

    /// Refuses a folder that the server's user could not enter, naming the one in the way.
    pub(super) fn check_reachable(&self, dir: &Path) -> Result<(), PostgresError> {
        self.account.as_ref().map_or(Ok(()), |account| check_passage(dir, account))
    }

    /// Makes a folder that only the server's user may enter, or checks that it is one.
    pub(super) fn make_private(&self, path: &Path) -> Result<(), PostgresError> {
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed("make", path)(error));
            }
            _ => (),
        }
        // No link is followed, and a stranger's folder is not taken over.
        let found = fs::symlink_metadata(path).map_err(failed("look at", path))?;
        let own = rustix::process::geteuid().as_raw();
        let server = self.account.as_ref().map_or(own, |account| account.uid);
        if !found.is_dir() || ![own, server].contains(&found.uid()) {
            return Err(PostgresError::NotOurs { path: path.to_owned() });
        }
        if let Some(account) = &self.account {
            account.give(path).map_err(failed("give away", path))?;
        }
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(failed("close", path))
    }

    /// Where the socket lies: beside the data, or in a short folder if that path is too long. A
    /// second start finds the short folder again through the file `socket_dir`.
    pub(super) fn socket_dir(&self) -> Result<PathBuf, PostgresError> {
        let near = self.root.join("run");
        if fits_a_socket(&near) {
            return self.make_private(&near).map(|()| near);
        }
        let record = self.root.join("socket_dir");
        if let Ok(known) = fs::read_to_string(&record) {
            let known = PathBuf::from(known.trim_end());
            if self.make_private(&known).is_ok() {
                return Ok(known);
            }
        }
        let short = self.make_short()?;
        fs::write(&record, short.as_os_str().as_bytes()).map_err(failed("write", &record))?;
        Ok(short)
    }

    fn make_short(&self) -> Result<PathBuf, PostgresError> {
        let run = Path::new("/run");
        let base = if self.account.is_some() && run.is_dir() { run } else { Path::new("/tmp") };
        for n in 0..SHORT_NAMES_TRIED {
            let short = base.join(format!("cupola-{}-{n}", process::id()));
            match DirBuilder::new().mode(0o700).create(&short) {
                Ok(()) => return self.make_private(&short).map(|()| short),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => (),
                Err(error) => return Err(failed("make", &short)(error)),
            }
        }
        Err(PostgresError::NotOurs { path: base.join(format!("cupola-{}-0", process::id())) })
    }
}

/// A new folder is closed to others, except that a lent account must be able to pass through.
fn made(root: &Path, lent: bool) -> Result<PathBuf, PostgresError> {
    if !root.exists() {
        DirBuilder::new().recursive(true).create(root).map_err(failed("make", root))?;
        let mode = if lent { 0o711 } else { 0o700 };
        fs::set_permissions(root, fs::Permissions::from_mode(mode))
            .map_err(failed("close", root))?;
    }
    root.canonicalize().map_err(failed("find", root))
}

fn check_passage(dir: &Path, account: &Account) -> Result<(), PostgresError> {
    for dir in dir.ancestors() {
        let found = fs::metadata(dir).map_err(failed("look at", dir))?;
        if !account.may_search(&found) {
            let (dir, user) = (dir.to_owned(), account.name.clone());
            return Err(PostgresError::Unreachable { dir, user });
        }
    }
    Ok(())
}

fn locked(root: &Path) -> Result<File, PostgresError> {
    let path = root.join("lock");
    let mut lock = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(failed("open", &path))?;
    match lock.try_lock() {
        Ok(()) => (),
        Err(TryLockError::WouldBlock) => {
            let holder = fs::read_to_string(&path).unwrap_or_default();
            let pid = holder.trim().parse().ok();
            return Err(PostgresError::AlreadyRunning { pid, data_dir: root.to_owned() });
        }
        Err(TryLockError::Error(error)) => return Err(failed("lock", &path)(error)),
    }
    lock.set_len(0)
        .and_then(|()| writeln!(lock, "{}", process::id()))
        .map_err(failed("write", &path))?;
    Ok(lock)
}

/// Also asks for UTF-8, because the path travels inside a URL.
fn fits_a_socket(dir: &Path) -> bool {
    let socket = dir.join(format!(".s.PGSQL.{PORT}"));
    socket.to_str().is_some_and(|path| path.len() <= SOCKET_PATH_MAX_BYTES)
}

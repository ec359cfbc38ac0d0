//! Where the machine keeps the Postgres server's programs.

use std::{
    cmp::Reverse,
    env, fs,
    path::{Path, PathBuf},
};

use super::PostgresError;

const NEEDED: [&str; 2] = ["initdb", "postgres"];

/// Folders that hold one sub-folder per version: where, what precedes the version, what follows.
const VERSIONED: [(&str, &str, &str); 5] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/opt/homebrew/opt", "postgresql@", "bin"),
    ("/usr/local/opt", "postgresql@", "bin"),
    ("/home/linuxbrew/.linuxbrew/opt", "postgresql@", "bin"),
];

/// A folder that holds `initdb` and `postgres`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BinDir(PathBuf);

impl BinDir {
    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn program(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

/// The folder asked for or, if none is, the first of `PATH`, Debian's, Red Hat's and Homebrew's,
/// the newest version of each first.
pub fn find_binaries(explicit: Option<&Path>) -> Result<BinDir, PostgresError> {
    if let Some(dir) = explicit {
        return match missing_from(dir) {
            None => Ok(BinDir(dir.canonicalize().unwrap_or_else(|_| dir.to_owned()))),
            Some(missing) => Err(PostgresError::NotInFolder { dir: dir.to_owned(), missing }),
        };
    }
    let on_path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&on_path)
        .map(behind_links)
        .chain(VERSIONED.iter().flat_map(|place| newest_first(Path::new(place.0), *place)))
        .find(|dir| missing_from(dir).is_none())
        .map(BinDir)
        .ok_or_else(|| PostgresError::NotFound { remedy: remedy() })
}

fn missing_from(dir: &Path) -> Option<&'static str> {
    NEEDED.into_iter().find(|program| !dir.join(program).is_file())
}

/// `PATH` often leads to a link; beside the program itself lie the others of the same version.
fn behind_links(dir: PathBuf) -> PathBuf {
    let real = dir.join("postgres").canonicalize().ok();
    match real.as_deref().and_then(Path::parent) {
        Some(home) if missing_from(home).is_none() => home.to_owned(),
        _ => dir,
    }
}

fn newest_first(root: &Path, (_, before, after): (&str, &str, &str)) -> Vec<PathBuf> {
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    let mut found: Vec<(Vec<u32>, PathBuf)> = entries
        .filter_map(|entry| {
            let name = entry.file_name();
            let version = name.to_str()?.strip_prefix(before)?;
            let numbers = version.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
            Some((numbers, entry.path().join(after)))
        })
        .collect();
    found.sort_by_key(|(version, _)| Reverse(version.clone()));
    found.into_iter().map(|(_, dir)| dir).collect()
}

fn remedy() -> &'static str {
    if Path::new("/usr/bin/apt-get").exists() {
        "run `apt-get install -y --no-install-recommends postgresql`"
    } else if Path::new("/usr/bin/dnf").exists() {
        "run `dnf install -y postgresql-server`"
    } else if cfg!(target_os = "macos") {
        "run `brew install postgresql@17`"
    } else {
        "install the PostgreSQL server with your package manager"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_numbers_not_words() {
        let root = tempfile::tempdir().unwrap();
        for name in ["9.6", "15", "16", "common", "16.old"] {
            fs::create_dir(root.path().join(name)).unwrap();
        }
        let found = newest_first(root.path(), ("", "", "bin"));
        let expected = ["16", "15", "9.6"].map(|version| root.path().join(version).join("bin"));
        assert_eq!(found, expected);
    }

    #[test]
    fn a_folder_without_the_programs_is_refused_by_name() {
        let empty = tempfile::tempdir().unwrap();
        let error = find_binaries(Some(empty.path())).unwrap_err().to_string();
        assert!(error.contains("CUPOLA_PG_BIN") && error.contains("`initdb`"), "{error}");
        assert!(error.contains(&*empty.path().to_string_lossy()), "{error}");
    }

    #[test]
    fn nothing_found_says_what_to_install() {
        let error = PostgresError::NotFound { remedy: remedy() }.to_string();
        assert!(error.contains("install"), "{error}");
    }
}

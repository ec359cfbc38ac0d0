//! Clients in Python, as their authors release them: `tests/clients/requirements.txt` lists them, and
//! `make test` installs them.

use std::path::{Path, PathBuf};

/// The folder of the Python environment that has the clients.
pub const CLIENTS_VARIABLE: &str = "CUPOLA_CLIENTS";

/// The interpreter that finds the clients; none where the tests were started without `make`, which is
/// said.
pub fn python_with_clients() -> Option<PathBuf> {
    let Some(folder) = std::env::var_os(CLIENTS_VARIABLE).filter(|folder| !folder.is_empty())
    else {
        println!("skipped: no {CLIENTS_VARIABLE}, the Python environment of `make setup-test`");
        return None;
    };
    let python = Path::new(&folder).join("bin/python");
    assert!(python.exists(), "{CLIENTS_VARIABLE}: there is no {}", python.display());
    Some(python)
}

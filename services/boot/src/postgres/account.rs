//! Whom the server runs as. Postgres refuses root, so a root caller lends it a lesser account.

use std::{
    fs::{self, Metadata},
    io,
    os::unix::{
        fs::{MetadataExt, lchown},
        process::CommandExt,
    },
    path::Path,
    process::Command,
};

use super::{PostgresError, failed};

const CANDIDATES: [&str; 2] = ["postgres", "nobody"];
const PASSWD: &str = "/etc/passwd";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) uid: u32,
    gid: u32,
}

impl Account {
    /// `None` when the server may run as we do.
    pub(super) fn for_server() -> Result<Option<Self>, PostgresError> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let passwd = fs::read_to_string(PASSWD).map_err(failed("read", Path::new(PASSWD)))?;
        CANDIDATES
            .into_iter()
            .find_map(|name| Self::named(name, &passwd))
            .map(Some)
            .ok_or(PostgresError::NoServerUser)
    }

    /// `name:password:uid:gid:…`
    fn named(name: &str, passwd: &str) -> Option<Self> {
        passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            let found = fields.next()? == name;
            let uid = fields.nth(1)?.parse().ok()?;
            let gid = fields.next()?.parse().ok()?;
            found.then(|| Self { name: name.to_owned(), uid, gid })
        })
    }

    /// Standard library and kernel drop root's other groups and capabilities along the way.
    pub(super) fn run(&self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }

    pub(super) fn give(&self, path: &Path) -> io::Result<()> {
        lchown(path, Some(self.uid), Some(self.gid))
    }

    pub(super) fn may_search(&self, dir: &Metadata) -> bool {
        let bit = if dir.uid() == self.uid {
            0o100
        } else if dir.gid() == self.gid {
            0o010
        } else {
            0o001
        };
        dir.mode() & bit != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_read_from_its_own_line() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\n\
                      postgresql:x:7:7::/:/bin/sh\n\
                      postgres:x:101:104:administrator,,,:/var/lib/postgresql:/bin/bash\n";
        let account = Account::named("postgres", passwd).unwrap();
        assert_eq!((account.uid, account.gid), (101, 104));
        assert_eq!(Account::named("nobody", passwd), None);
    }
}

//! Making the cluster. It grows in `pgdata.new` and takes its name when it is complete, so that a
//! start that was cut short leaves nothing that looks like a cluster.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use super::{BinDir, DATABASE, PostgresError, SUPERUSER, failed, folder::Folder, server};

pub(super) fn ensure(folder: &Folder, bin: &BinDir, durable: bool) -> Result<(), PostgresError> {
    let complete = folder.pgdata();
    if complete.exists() {
        return Ok(());
    }
    let growing = folder.root().join("pgdata.new");
    if growing.exists() {
        fs::remove_dir_all(&growing).map_err(failed("clear", &growing))?;
    }
    folder.make_private(&growing)?;

    // The same order of text on every machine, and indexes that survive an upgrade of its libc.
    let text = ["--encoding=UTF8", "--no-locale"];
    let access = ["--auth-local=trust", "--auth-host=reject", "-U", SUPERUSER];
    let mut initdb = command(folder, bin, "initdb", &growing);
    run("initdb", initdb.arg("--no-sync").args(access).args(text), "")?;

    // Without a server, so that a cluster never exists without its database.
    let mut single = command(folder, bin, "postgres", &growing);
    single.args(["-c", "exit_on_error=on", "-c", "fsync=off", "postgres"]);
    run("postgres --single", &mut single, &format!("create database {DATABASE}\n"))?;

    if durable {
        sync(folder, bin, &growing)?;
    }
    fs::rename(&growing, &complete).map_err(failed("name", &complete))?;
    File::open(folder.root()).and_then(|dir| dir.sync_all()).map_err(failed("sync", folder.root()))
}

/// Everything at once: in half a second what a file at a time takes many for.
#[cfg(target_os = "linux")]
fn sync(_folder: &Folder, _bin: &BinDir, data: &Path) -> Result<(), PostgresError> {
    let synced = File::open(data).and_then(|dir| Ok(rustix::fs::syncfs(dir)?));
    synced.map_err(failed("sync", data))
}

#[cfg(not(target_os = "linux"))]
fn sync(folder: &Folder, bin: &BinDir, data: &Path) -> Result<(), PostgresError> {
    let mut initdb = command(folder, bin, "initdb", data);
    run("initdb --sync-only", initdb.arg("--sync-only"), "")
}

fn command(folder: &Folder, bin: &BinDir, program: &str, data: &Path) -> Command {
    let mut command = Command::new(bin.program(program));
    if program == "postgres" {
        command.arg("--single");
    }
    command.arg("-D").arg(data);
    server::clean_surroundings(&mut command, folder.root(), folder.account());
    command
}

fn run(what: &'static str, command: &mut Command, input: &str) -> Result<(), PostgresError> {
    let failure = |output: String| PostgresError::Init { program: what, output };
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failure(format!("{}: {error}", command.get_program().display())))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that left early says why itself.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(|error| failure(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(failure(format!("{}({})", String::from_utf8_lossy(&said), output.status)))
}

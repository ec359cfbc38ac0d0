//! Runs the embedded Postgres in a folder until stdin closes or a signal asks it to leave, and prints
//! its URL: a database to try things on, and for the tests a parent to kill.
//!
//! ```text
//! embedded-postgres FOLDER [--durable]
//! ```

use std::{
    env,
    path::{Path, PathBuf},
    process::ExitCode,
};

use boot::{
    lifeline,
    postgres::{DATABASE, Embedded, Options, SUPERUSER, find_binaries},
    shutdown,
    telemetry::{self, LogFormat},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("embedded-postgres: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> anyhow::Result<()> {
    let mut arguments = env::args_os().skip(1);
    let Some(folder) = arguments.next() else {
        anyhow::bail!("usage: embedded-postgres FOLDER [--durable]");
    };
    let durable = arguments.any(|argument| argument == "--durable");
    telemetry::init(LogFormat::Human)?;
    let asked_to_leave = shutdown::on_signal();
    lifeline::cancel_with_parent(asked_to_leave.clone());
    let explicit = env::var_os("CUPOLA_PG_BIN");
    let bin_dir = find_binaries(explicit.as_deref().map(Path::new))?;
    let postgres = Embedded::start(Options { data_dir: PathBuf::from(folder), durable, bin_dir })?;
    println!("{}", postgres.url(SUPERUSER, DATABASE));
    asked_to_leave.cancelled().await;
    postgres.stop();
    Ok(())
}

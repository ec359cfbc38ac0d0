//! The tenants' half of the command: what talks to a platform over HTTP, from anywhere. A file for
//! each noun. What it prints is for people, or with `--json` one JSON value a line and nothing else;
//! how it ends tells scripts what to do next ([`exit_code`]).

mod access;
mod advise;
pub mod api;
mod batch;
mod datasets;
mod endpoints;
mod events;
mod init;
mod jobs;
mod models;
mod names;
mod pieces;
mod predict;
mod profile;
mod pull;
mod push;
mod rows;
mod sending;
mod shell;
pub mod show;
mod sparkline;
mod usage;
pub mod watch;
mod written;

use std::io;

use anyhow::Context;
use clap::{Args, Subcommand};

use api::{Client, Failure};
use show::Out;

#[derive(Subcommand)]
pub enum Command {
    /// Keeps an API key of a platform for the commands below.
    Login(access::Login),
    /// Forgets the key that is kept.
    Logout(access::Logout),
    /// Whom the key stands for.
    Whoami(access::Whoami),
    /// Data that is trained on.
    Datasets(datasets::Arguments),
    /// Trainings: submitted, followed live, cancelled.
    Jobs(jobs::Arguments),
    /// Published models: found, downloaded, sent, checked.
    Models(models::Arguments),
    /// Asks a model about a row, or about every row of a file.
    Predict(predict::Arguments),
    /// Stable names for predictions, behind which versions change.
    Endpoints(endpoints::Arguments),
    /// What the tenant has used, and what it costs.
    Usage(usage::Arguments),
    /// What one could train on a dataset, or what to try after a job.
    Advise(advise::Arguments),
    /// Writes a specification for a file, to begin with.
    Init(init::Arguments),
    /// Prints what makes a shell complete this command.
    Completion(shell::Completion),
    /// Prints this command's manual page, or writes all of them into a folder.
    Man(shell::Man),
}

/// What every command that asks a platform takes.
#[derive(Args, Clone, Debug, Default)]
pub struct Asking {
    /// The platform, if not the one of `cupola login`; CUPOLA_API_KEY is the key for it.
    #[arg(long, global = true, env = "CUPOLA_URL")]
    url: Option<String>,
    /// Prints JSON, one value a line.
    #[arg(long, global = true)]
    json: bool,
}

impl Asking {
    fn out(&self) -> Out {
        Out::new(self.json)
    }

    fn open(&self) -> anyhow::Result<(Client, Out)> {
        Ok((access::client(self.url.as_deref())?, self.out()))
    }
}

pub fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Init(arguments) => init::run(&arguments),
        Command::Logout(arguments) => access::logout(&arguments),
        Command::Completion(arguments) => shell::completion(&arguments),
        Command::Man(arguments) => shell::man(&arguments),
        Command::Models(models::Arguments { command: models::Command::Verify(verify), asking }) => {
            crate::models::run(&verify, asking.out())
        }
        asking => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("the async runtime could not start")?
            .block_on(ask(asking)),
    }
}

async fn ask(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Login(arguments) => access::login(&arguments).await,
        Command::Whoami(arguments) => access::whoami(&arguments).await,
        Command::Datasets(arguments) => datasets::run(&arguments).await,
        Command::Jobs(arguments) => jobs::run(&arguments).await,
        Command::Advise(arguments) => advise::run(&arguments).await,
        Command::Models(arguments) => models::run(&arguments).await,
        Command::Predict(arguments) => predict::run(&arguments).await,
        Command::Endpoints(arguments) => endpoints::run(&arguments).await,
        Command::Usage(arguments) => usage::run(&arguments).await,
        Command::Init(_) | Command::Logout(_) | Command::Completion(_) | Command::Man(_) => {
            unreachable!("done without a platform")
        }
    }
}

/// 3 where the key may not, or nothing is there; 4 where it may be tried again as it is; else 1. What
/// was typed wrongly is clap's 2.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    match error.chain().find_map(|error| error.downcast_ref::<Failure>()) {
        Some(Failure::Unreached { .. } | Failure::Stalled { .. }) => 4,
        Some(Failure::Refused(problem)) => match problem.status {
            401 | 403 | 404 | 410 => 3,
            408 | 429 | 502..=504 => 4,
            _ => 1,
        },
        None => 1,
    }
}

/// Whoever read what this prints has gone (`cupola jobs list | head -1`), which is no failure.
pub fn is_unread(error: &anyhow::Error) -> bool {
    let errors = error.chain().filter_map(|error| error.downcast_ref::<io::Error>());
    errors.map(io::Error::kind).any(|kind| kind == io::ErrorKind::BrokenPipe)
}

//! The binary: composes the services, together (`up`) or each by itself, and carries the tools of
//! those who run them, and of those who use them from elsewhere.

mod admin;
mod audit;
mod children;
mod config;
mod demo;
mod explain;
mod export;
mod import;
mod models;
mod remote;
mod serve;
mod simulate;
mod train;
mod up;

use std::process::ExitCode;

use anyhow::Context;
use boot::telemetry::{self, LogFormat};
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cupola", version, about = "A machine-learning platform that many share")]
struct Arguments {
    /// How log lines are written to stderr; `CUPOLA_LOG` filters them.
    #[arg(long, global = true, env = "CUPOLA_LOG_FORMAT", value_enum, default_value_t)]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    #[command(flatten)]
    Remote(remote::Command),
    /// Everything on this machine, with a Postgres of its own unless DATABASE_URL is set.
    Up(up::Arguments),
    /// The HTTP API.
    Gateway(serve::GatewayArguments),
    /// Places jobs on workers. Several may run; one leads.
    Scheduler(serve::SchedulerArguments),
    /// Runs jobs.
    Worker(serve::WorkerArguments),
    /// Answers predictions for the gateways, which find it by the database. Several may run.
    Serving(serve::ServingArguments),
    /// Brings the database at DATABASE_URL up to this release; needs its owner.
    Migrate(config::Database),
    /// What operators do from a shell.
    #[command(subcommand)]
    Admin(admin::Command),
    /// Prints the OpenAPI document of the HTTP API.
    Openapi,
    /// The first journey, as a client would make it: push data, train, publish, predict.
    Demo(demo::Arguments),
    /// Trains a model from a file, without a server.
    Train(train::Arguments),
    /// Writes a model as ONNX, with what is left to its caller beside it.
    Export(export::Arguments),
    /// Makes a model of weights that came from elsewhere, for a specification's layers.
    Import(import::Arguments),
    /// One attempt, started by a worker: not for people.
    #[command(hide = true)]
    Child(worker::child::ChildArgs),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ended = match arguments.command {
        // the child that reads tenants' data logs through its agent and runs no async code
        Command::Child(arguments) => return worker::child::main(&arguments),
        Command::Train(arguments) => train::run(&arguments),
        Command::Export(arguments) => export::run(&arguments),
        Command::Import(arguments) => import::run(&arguments),
        Command::Remote(command) => remote::run(command),
        command => telemetry::init(arguments.log_format).and_then(|()| run(command)),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if remote::is_unread(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{} {error:#}", terminal::style("cupola:").red().for_stderr());
            ExitCode::from(remote::exit_code(&error))
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the async runtime could not start")?;
    match command {
        // Postgres is spawned from this thread's side: see `boot::postgres`
        Command::Up(arguments) => up::run(&runtime, arguments),
        Command::Gateway(arguments) => runtime.block_on(serve::gateway(arguments)),
        Command::Scheduler(arguments) => runtime.block_on(serve::scheduler(arguments)),
        Command::Worker(arguments) => runtime.block_on(serve::worker(arguments)),
        Command::Serving(arguments) => runtime.block_on(serve::serving(arguments)),
        Command::Migrate(database) => runtime.block_on(admin::migrate(&database)),
        Command::Admin(command) => runtime.block_on(admin::run(command)),
        Command::Demo(arguments) => runtime.block_on(demo::run(arguments)),
        Command::Openapi => print_openapi(),
        Command::Train(_)
        | Command::Export(_)
        | Command::Import(_)
        | Command::Remote(_)
        | Command::Child(_) => {
            unreachable!("handled before the runtime started")
        }
    }
}

fn print_openapi() -> anyhow::Result<()> {
    println!("{}", gateway::openapi().to_pretty_json().context("the document is not JSON")?);
    Ok(())
}

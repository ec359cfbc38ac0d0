//! The child of this crate's tests: `worker-child train …` is what `cupola train …` is.

use std::process::ExitCode;

use clap::Parser;
use worker::child::{self, ChildArgs};

#[derive(Parser)]
enum Command {
    Train(ChildArgs),
}

fn main() -> ExitCode {
    let Command::Train(args) = Command::parse();
    child::main(&args)
}

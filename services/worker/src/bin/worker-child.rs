//! The child of this crate's tests: `worker-child child …` is what `cupola child …` is.

use std::process::ExitCode;

use clap::Parser;
use worker::child::{self, ChildArgs};

#[derive(Parser)]
enum Command {
    Child(ChildArgs),
}

fn main() -> ExitCode {
    let Command::Child(args) = Command::parse();
    child::main(&args)
}

//! What makes the command at home in a shell: completion and manual pages, made from its definition.

use std::{fs, io, path::PathBuf};

use anyhow::Context;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

#[derive(Args)]
pub struct Completion {
    /// As `source <(cupola completion bash)`.
    shell: Shell,
}

#[derive(Args)]
pub struct Man {
    /// Writes a page for each command there.
    #[arg(long)]
    out: Option<PathBuf>,
}

pub fn completion(arguments: &Completion) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut crate::Arguments::command(),
        "cupola",
        &mut script,
    );
    io::Write::write_all(&mut io::stdout(), &script).context("stdout")
}

pub fn man(arguments: &Man) -> anyhow::Result<()> {
    let command = crate::Arguments::command();
    match &arguments.out {
        Some(folder) => fs::create_dir_all(folder)
            .and_then(|()| clap_mangen::generate_to(command, folder))
            .with_context(|| format!("write into {}", folder.display())),
        None => clap_mangen::Man::new(command).render(&mut io::stdout()).context("stdout"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_put_together_as_it_should_be() {
        crate::Arguments::command().debug_assert();
    }
}

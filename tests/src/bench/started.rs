//! Peers that are servers: processes that end with whatever they have started.

use std::{
    net::TcpListener,
    path::Path,
    process::{Child, ChildStdout, Command},
};

use anyhow::Context;
use rustix::process::Signal;

use crate::{descendants, kill};

pub struct Started(Child);

impl Started {
    pub fn spawn(command: &mut Command) -> anyhow::Result<Self> {
        let program = Path::new(command.get_program()).display().to_string();
        Ok(Self(command.spawn().with_context(|| format!("start {program}"))?))
    }

    /// If it was piped, and once.
    pub fn stdout(&mut self) -> Option<ChildStdout> {
        self.0.stdout.take()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let started = descendants(self.0.id());
        // both fail only if it has ended already
        let _ = self.0.kill();
        let _ = self.0.wait();
        started.into_iter().for_each(|process| kill(process, Signal::KILL));
    }
}

/// That nobody listens at now.
pub fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
